// SPDX-License-Identifier: GPL-3.0-or-later
// A number beside a name is a line only where its taker is known, and others have moved as far; each case is a unit of
// its own, so that none helps another.
import { describe, expect, test } from 'vitest'
import { compareObjects } from '../../../src/diff/change.ts'
import { readObject } from '../../../src/elf/read.ts'
import { compilers, compileWith } from '../../objects.ts'

const words = `
int get(void);
void _printk(const char *, ...);
void __might_sleep(const char *, int);
void __ext4_error(void *, const char *, unsigned int, int, const char *);
void *__ext4_journal_start_sb();
void set_mode(const char *, int);
void acpi_ns_limit(const char *, int);
void acpi_error(const char *, unsigned int, const char *, ...);
void assfail(void *, const char *, const char *, int);
#define LINE_WARN(line) do { asm volatile("1: ud2\\n.pushsection __bug_table,\\"aw\\"\\n2: .long 1b - 2b, %c0 - 2b\\n.word %c1, 3\\n.org 2b+12\\n.popsection" : : "i" ("net/dev.c"), "i" (line)); } while (0)
`

interface Case {
  readonly title: string
  /** A function `f` of a number. */
  readonly code: (number: number) => string
  readonly numbers: readonly [before: number, after: number]
  readonly changes: boolean
  /** What changes; `f` by default. */
  readonly names?: readonly string[]
}

const cases: readonly Case[] = [
  {
    title: 'printed behind the name of the function is no line',
    code: (n) => `int f(int a) { if (a > 3) _printk("%s: at most %d", __func__, ${n}); return get(); }`,
    numbers: [100, 250],
    changes: true,
  },
  {
    title: 'given behind the name of the function to somebody else is no line',
    code: (n) => `void limit(const char *, int); int f(int a) { limit(__func__, ${n}); return get(); }`,
    numbers: [100, 250],
    changes: true,
  },
  {
    title: 'behind a name that looks like a file is no line',
    code: (n) => `int f(int a) { set_mode("eth0.c", ${n}); return get(); }`,
    numbers: [1500, 9000],
    changes: true,
  },
  {
    title: 'behind a path that looks like a file is no line by itself',
    code: (n) => `int f(int a) { set_mode("modes/eth0.c", ${n}); return get(); }`,
    numbers: [1500, 9000],
    changes: true,
  },
  {
    title: 'that moves otherwise than the lines of the unit is no line',
    code: (n) =>
      `int f(int a) { set_mode("modes/eth0.c", ${n}); return get(); } void g(void) { ` +
      `LINE_WARN(${n === 1500 ? 40 : 43}); get(); }`,
    numbers: [1500, 9000],
    changes: true,
  },
  {
    title: 'behind a file is a line when a warning has moved as far',
    code: (n) =>
      `int f(int a) { _printk("assertion failed at %s (%d)", "net/dev.c", ${n}); return get(); } void ` +
      `g(void) { LINE_WARN(${n + 40}); get(); }`,
    numbers: [100, 103],
    changes: false,
  },
  {
    title: 'that might_sleep gets is a line, whatever else there is',
    code: (n) => `int f(int a) { __might_sleep("net/dev.c", ${n}); return get(); }`,
    numbers: [100, 103],
    changes: false,
  },
  {
    title: 'that a file system prints is a line when another one has moved as far',
    code: (n) =>
      `int f(int a, void *sb) { __ext4_error(sb, __func__, ${n}, 0, "bad"); return get(); } int g(void ` +
      `*sb) { __ext4_error(sb, __func__, ${n + 30}, 0, "worse"); return get(); }`,
    numbers: [100, 103],
    changes: false,
  },
  {
    title: 'that a file system prints alone stays a change',
    code: (n) => `int f(int a, void *sb) { __ext4_error(sb, __func__, ${n}, 0, "bad"); return get(); }`,
    numbers: [100, 103],
    changes: true,
  },
  {
    title: 'behind the line is the kind of a transaction on 6.1',
    code: (n) =>
      `int f(int a, void *sb) { __ext4_journal_start_sb(sb, 120, ${n}, 3, 4, 5); return get(); } void ` +
      `g(void) { LINE_WARN(${n + 40}); get(); }`,
    numbers: [3, 5],
    changes: true,
  },
  {
    title: 'behind the file system is the line of a transaction on 6.12',
    code: (n) =>
      `int f(int a, void *in, void *sb) { __ext4_journal_start_sb(in, sb, ${n}, 3, 4, 5); return get(); ` +
      `} void g(void) { LINE_WARN(${n + 40}); get(); }`,
    numbers: [120, 122],
    changes: false,
  },
  {
    title: 'in a text is no line where nothing else has moved',
    code: (n) => `int f(int a) { _printk("see net/dev.c:${n}"); return get(); }`,
    numbers: [100, 137],
    changes: true,
  },
  {
    title: 'behind a file is no line for somebody unknown, though another one has moved as far',
    code: (n) =>
      `void check_depth(const char *, int); int f(int a) { check_depth("net/dev.c", ${n}); return ` +
      `get(); } int f2(int a) { check_depth("net/dev.c", ${n + 32}); return get() + a; }`,
    numbers: [32, 36],
    changes: true,
    names: ['f', 'f2'],
  },
  {
    title: 'behind a file is no line for somebody unknown, though a warning has moved as far',
    code: (n) =>
      `void check_depth(const char *, int); int f(int a) { LINE_WARN(${n + 40}); ` +
      `check_depth("net/dev.c", ${n}); return get(); } void g(void) { LINE_WARN(${n + 90}); get(); }`,
    numbers: [32, 34],
    changes: true,
  },
  {
    title: 'behind the name of its function is no line for somebody unknown, though its own warning has moved as far',
    code: (n) =>
      `void limit(const char *, int); int f(int a) { LINE_WARN(${n + 40}); limit(__func__, ${n}); return get(); }`,
    numbers: [32, 34],
    changes: true,
  },
  {
    title: 'is no line for a function of ACPI that takes none, though a warning has moved as far',
    code: (n) =>
      `int f(int a) { LINE_WARN(${n + 40}); acpi_ns_limit(__func__, ${n}); return get(); } int g(void ` +
      `*sb) { __ext4_error(sb, __func__, ${n + 7}, 0, "bad"); return 1; }`,
    numbers: [100, 102],
    changes: true,
  },
  {
    title: 'is no line as another argument of a function that takes one, though a warning has moved as far',
    code: (n) =>
      `int f(void *sb) { LINE_WARN(${n + 40}); assfail(sb, __func__, "net/dev.c", 7); assfail(sb, ` +
      `"net/dev.c", (void *)${n}, 9); return get(); }`,
    numbers: [100, 102],
    changes: true,
  },
  {
    title: 'that is printed behind a file as something else is no line, though a warning has moved as far',
    code: (n) => `int f(int a) { LINE_WARN(${n + 40}); _printk("%s: at most %d", "net/dev.c", ${n}); return get(); }`,
    numbers: [100, 102],
    changes: true,
  },
  {
    title: 'that is printed as a line is one when a warning has moved as far',
    code: (n) => `int f(int a) { LINE_WARN(${n + 40}); _printk("%d: %s line %d", a, __func__, ${n}); return get(); }`,
    numbers: [100, 102],
    changes: false,
  },
  {
    title: 'that an assertion gets is a line when a warning has moved as far',
    code: (n) =>
      `int f(void *mp) { LINE_WARN(${n + 40}); if (get()) assfail(mp, "good", "net/dev.c", ${n}); return get(); }`,
    numbers: [100, 102],
    changes: false,
  },
  {
    title: 'that ACPI gets behind its module is a line when a warning has moved as far',
    code: (n) =>
      `static const char _acpi_module_name[] = "dev"; int f(int a) { LINE_WARN(${n + 40}); ` +
      `acpi_error(_acpi_module_name, ${n}, "bad"); return get(); }`,
    numbers: [100, 102],
    changes: false,
  },
]

describe.each(compilers)('a number in code of %s', (compiler) => {
  test.each(cases)('$title', ({ code, numbers, changes, names = ['f'] }) => {
    const [before, after] = numbers.map((number) =>
      readObject(compileWith(compiler, words + code(number), []), 'unit.o'),
    )
    const { changed } = compareObjects(before!, after!, 'net/dev.c', { linesMoved: true })
    expect(changed.map(({ after: { name } }) => name)).toEqual(changes ? names : [])
  })
})
