// SPDX-License-Identifier: GPL-3.0-or-later
// Modules are compiled here with tables laid out as include/linux/livepatch_external.h has them.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readObject } from '../../../src/elf/read.ts'
import type { Fault } from '../../../src/ground/fault.ts'
import { compactTables } from '../../../src/module/structures/compact-tables.ts'
import { listedFunctions } from '../../../src/module/structures/listed-functions.ts'

const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-compact-'))
afterAll(() => rmSync(work, { recursive: true }))

const frame = `
struct klp_func_ext { const char *old_name; void *new_func; unsigned long sympos; };
struct klp_object_ext {
  const char *name; struct klp_func_ext *funcs; struct { void *all[4]; _Bool enabled; } callbacks; unsigned int nr_funcs;
};
#define FUNCTIONS __attribute__((section(".init.klp_funcs"), used)) static struct klp_func_ext
#define OBJECTS __attribute__((section(".init.klp_objects"), used)) static struct klp_object_ext
static int f(int x) { return x + 1; }
static int g(int x) { return x * 3; }
`

function moduleOf(source: string) {
  const file = path.join(work, 'x.o')
  writeFileSync(path.join(work, 'x.c'), frame + source)
  execFileSync('gcc', ['-c', '-O2', '-fno-pic', '-mcmodel=kernel', '-o', file, path.join(work, 'x.c')])
  return readObject(readFileSync(file), file)
}

function refusal(source: string): Fault {
  try {
    compactTables(moduleOf(source))
  } catch (error) {
    return error as Fault
  }
  throw new Error('it was not refused')
}

const functions = 'FUNCTIONS funcs[] = { { "f", f, 0 }, { "g", g, 2 }, { "f", g, 1 } };\n'

describe('the tables of the kernel’s own builder', () => {
  test('tell what is replaced, by which code, and what is called back', () => {
    const module = moduleOf(`${functions}
      OBJECTS objects[] = { { 0, funcs, { { 0, f } }, 2 }, { "some-fs", funcs + 2, { { g } }, 1 } };`)
    const tables = compactTables(module)
    const at = (name: string) => module.symbols.find((symbol) => symbol.name === name)?.value
    expect(tables?.functions).toMatchObject([
      { object: 'vmlinux', name: 'f', sympos: 0, section: { name: '.text' }, offset: at('f') },
      { object: 'vmlinux', name: 'g', sympos: 2, section: { name: '.text' }, offset: at('g') },
      { object: 'some_fs', name: 'f', sympos: 1, section: { name: '.text' }, offset: at('g') },
    ])
    expect(tables?.callbacks).toEqual([
      { object: 'vmlinux', kind: 'post_patch', name: 'f' },
      { object: 'some_fs', kind: 'pre_patch', name: 'g' },
    ])
    expect(listedFunctions(module)).toEqual(tables?.functions)
  })

  test('are none of a module that has only struct klp_patch', () => {
    expect(compactTables(moduleOf(functions))).toBeUndefined()
  })

  test('may be only callbacks', () => {
    const { functions: none, callbacks } = compactTables(moduleOf('OBJECTS o[] = { { 0, 0, { { f } }, 0 } };')) ?? {}
    expect(none).toEqual([])
    expect(callbacks).toHaveLength(1)
  })

  const objects = (rows: string) => `${functions}OBJECTS objects[] = { ${rows} };`
  test.each([
    ['count more functions than there are', objects('{ 0, funcs, { {} }, 4000000000u }'), 'room for fewer'],
    ['lead to no functions', objects('{ 0, 0, { {} }, 1 }'), 'nowhere'],
    [
      'give a function to two objects',
      objects('{ 0, funcs, { {} }, 3 }, { "a", funcs + 1, { {} }, 1 }'),
      'two objects',
    ],
    ['overlap by less than an entry', `${functions}OBJECTS o[] = { { 0, (void *)funcs + 8, { {} }, 1 } };`, 'no name'],
    ['name a path in place of a module', objects('{ "../../etc", funcs, { {} }, 1 }'), 'has no name'],
    ['name nothing', 'FUNCTIONS n[] = { { "", f, 0 } }; OBJECTS o[] = { { 0, n, { {} }, 1 } };', 'has no name'],
    [
      'name what a terminal obeys',
      'FUNCTIONS n[] = { { "\\033[2J", f, 0 } }; OBJECTS o[] = { { 0, n, { {} }, 1 } };',
      'no name',
    ],
    ['replace by data', 'int d; FUNCTIONS n[] = { { "f", &d, 0 } }; OBJECTS o[] = { { 0, n, { {} }, 1 } };', 'no code'],
    [
      'count positions without end',
      'FUNCTIONS n[] = { { "f", f, -1 } }; OBJECTS o[] = { { 0, n, { {} }, 1 } };',
      'number',
    ],
    ['call back data', 'int d; OBJECTS o[] = { { 0, 0, { { &d } }, 0 } };', 'callback'],
    ['end in the middle', '__attribute__((section(".init.klp_objects"), used)) static long o[9];', '72 bytes'],
  ])('that %s are refused in a sentence', (_what, source, detail) => {
    const fault = refusal(source)
    expect(fault).toMatchObject({ kind: 'usage', code: 'bad-tables' })
    expect(fault.detail).toContain(detail)
  })
})
