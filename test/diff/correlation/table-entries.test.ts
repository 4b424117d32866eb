// SPDX-License-Identifier: GPL-3.0-or-later
// Entries of tables that the linker collects, as macros of the kernel make them: named by a counter, or local to a
// function. No code refers to them, so only their content says what the patch does to them.
import { describe, expect, test } from 'vitest'
import { compareObjects } from '../../../src/diff/change.ts'
import { readObject } from '../../../src/elf/read.ts'
import { quickReport, reportPair } from '../../../src/extract/pairs/pair.ts'
import { compilers, compileWith, rules } from '../../objects.ts'

const words = `
int get(void); void say(const char *, ...); void one(void), two(void), three(void);
struct entry { int vendor, device; void (*hook)(void); const char *name; };
#define ENTRY(name, section_name, ...) static struct entry name __attribute__((used, section(section_name))) = { __VA_ARGS__ };
#define QUIRK(id, ...) ENTRY(const __UNIQUE_ID_quirk##id, "__quirks", __VA_ARGS__)
#define EARLY(id, ...) ENTRY(const __UNIQUE_ID___earlycon_ns16550a##id, "__earlycon_table", __VA_ARGS__)
#define HOOK(id, ...) ENTRY(__UNIQUE_ID_hook##id, "__hooks", __VA_ARGS__)
`
const first = '0x8086, 1, one, "first"'
const second = '0x10de, 2, two, "second"'
const third = '0x1022, 3, three, "third"'

interface Case {
  readonly title: string
  readonly before: string
  readonly after: string
  readonly rules?: readonly string[]
}

const cases: readonly Case[] = [
  {
    title: 'with another value is a change',
    before: `QUIRK(12, ${first})`,
    after: `QUIRK(12, ${second})`,
    rules: ['error data-changed'],
  },
  {
    title: 'with another value and another number is a change',
    before: `QUIRK(12, ${first}) QUIRK(13, ${second})`,
    after: `QUIRK(17, ${first}) QUIRK(18, ${third})`,
    rules: ['error data-changed'],
  },
  {
    title: 'that leads to another function is a change',
    before: 'EARLY(7, 1, 2, one, "uart")',
    after: 'EARLY(7, 1, 2, two, "uart")',
    rules: ['error data-changed'],
  },
  {
    title: 'with another text is a change',
    before: 'EARLY(7, 1, 2, one, "nvidia,tegra20-uart")',
    after: 'EARLY(8, 1, 2, one, "nvidia,tegra30-uart")',
    rules: ['error data-changed'],
  },
  {
    title: 'of a function is a change with another value',
    before: `int f(int a) { ENTRY(const x, "__quirks", ${first}) return a; }`,
    after: `int f(int a) { ENTRY(const x, "__quirks", ${second}) return a; }`,
    rules: ['error data-changed'],
  },
  {
    title: 'that is writable is a change with another value, beside a new one',
    before: `HOOK(1, ${first}) HOOK(2, ${second})`,
    after: `HOOK(1, ${first}) HOOK(2, ${third}) HOOK(3, ${second}) HOOK(4, 5, 6)`,
    rules: ['error registration-added', 'error registration-added'],
  },
  {
    title: 'that is new is a registration',
    before: `QUIRK(12, ${first})`,
    after: `QUIRK(12, ${second}) QUIRK(13, ${first})`,
    rules: ['error registration-added'],
  },
  {
    title: 'that is the first of its kind is a registration',
    before: '',
    after: `EARLY(12, ${first})`,
    rules: ['error registration-added'],
  },
  {
    title: 'that is gone is noted',
    before: `QUIRK(12, ${first}) QUIRK(13, ${second}) QUIRK(14, ${third})`,
    after: `QUIRK(12, ${first}) QUIRK(13, ${third})`,
    rules: ['note registration-removed'],
  },
  {
    title: 'that is gone is noted under a name of the source, too',
    before: `ENTRY(const quirk_a, "__quirks", ${first}) ENTRY(const quirk_b, "__quirks", ${second})`,
    after: `ENTRY(const quirk_a, "__quirks", ${first})`,
    rules: ['note registration-removed'],
  },
  {
    title: 'with another number is the same',
    before: `QUIRK(9, ${first}) QUIRK(10, ${second}) EARLY(11, ${third}) HOOK(12, ${first})`,
    after: `QUIRK(99, ${first}) QUIRK(100, ${second}) EARLY(101, ${third}) HOOK(102, ${first})`,
  },
  {
    title: 'at another place of the source is the same',
    before: `QUIRK(1, ${first}) QUIRK(2, ${second}) QUIRK(3, ${third}) QUIRK(4, ${first})`,
    after: `QUIRK(5, ${third}) QUIRK(6, ${first}) QUIRK(7, ${first}) QUIRK(8, ${second})`,
  },
  {
    title: 'of a function is the same in one whose other entries are renumbered',
    before:
      `int f(int a) { { ENTRY(const x, "__quirks", ${first}) } { ENTRY(const x, "__quirks", ` +
      `${second}) } return a; }`,
    after:
      `int f(int a) { { ENTRY(const x, "__quirks", ${second}) } { ENTRY(const x, "__quirks", ` +
      `${first}) } return a; }`,
  },
  {
    title: 'is no matter where constants that the compiler numbers are used as ever',
    before:
      'int f(int a) { static const int t[] = { 1, 2, 3, 4 }; say("%s", __func__); return t[a & ' +
      `3]; } QUIRK(3, ${first})`,
    after:
      'int f(int a) { static const int t[] = { 1, 2, 3, 4 }; say("%s", __func__); return t[a & 3]; ' +
      `} QUIRK(4, ${first})`,
  },
]

/** So much that the pair would be worth a look at what differs only. */
const padding = Array.from({ length: 24 }, (_, nth) => `int pad${nth}(int a) { return get() + a * ${nth}; }`)

// What macros make is much the same for each compiler: one of each kind is enough.
describe.each([compilers[0]!, compilers.at(-1)!])('an entry of a collected table by %s', (compiler) => {
  test.each(cases)('$title', ({ before, after, rules: expected = [] }) => {
    const [b, a] = [before, after].map((code) =>
      compileWith(compiler, `${words}${code}\n${padding.join('\n')}`, []),
    ) as [Buffer, Buffer]
    const change = compareObjects(readObject(b, 'unit.o'), readObject(a, 'unit.o'), 'unit.c')
    expect(rules(change.findings)).toEqual(expected)
    expect(change.changed).toEqual([])
    const files = [
      { bytes: b, name: 'unit.o' },
      { bytes: a, name: 'unit.o' },
    ] as const
    expect(rules(reportPair(...files).findings)).toEqual(expected)
    const quick = quickReport(...files)
    if (quick !== undefined) expect(rules(quick.findings)).toEqual(expected)
  })
})
