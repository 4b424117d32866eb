// SPDX-License-Identifier: GPL-3.0-or-later
// Modules are compiled here with tables laid out as include/linux/livepatch.h has them.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { replacementsOf } from '../../../src/vm/plan/replacement.ts'
import type { Subject } from '../../../src/vm/plan/subject.ts'

const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-replacement-'))
afterAll(() => rmSync(work, { recursive: true }))

const frame = `
struct klp_func { const char *old_name; void *new_func; unsigned long old_sympos; long rest[20]; };
struct klp_object { const char *name; struct klp_func *funcs; void *callbacks[4]; long rest[20]; };
`

/** The place of each function of a manifest with these objects, in a module of this source. */
function places(source: string, objects: Record<string, [string, number][]>, ...flags: string[]): unknown[] {
  const file = path.join(work, 'x.o')
  writeFileSync(path.join(work, 'x.c'), frame + source)
  execFileSync('gcc', ['-c', '-O2', '-fno-pic', '-mcmodel=kernel', ...flags, '-o', file, path.join(work, 'x.c')])
  const manifest = {
    objects: Object.entries(objects).map(([name, functions]) => ({
      name,
      functions: functions.map(([function_, sympos]) => ({ name: function_, sympos })),
    })),
  }
  return replacementsOf({ file, bytes: readFileSync(file), manifest } as unknown as Subject).map(
    ({ code }) => code && `${code.section}+${code.offset}`,
  )
}

const table = (...rows: string[]) =>
  `struct klp_func funcs[] = { ${rows.map((row) => `{ ${row} }`).join(', ')}, {} };
   struct klp_object objects[] = { { 0, funcs }, {} };`

describe('the new code of a replaced function', () => {
  test('is found by the module’s own tables', () => {
    const source = `int f(int x) { return x + 1; } int g(int x) { return x * 3; }
      ${table('"f", f', '"g", g')}`
    expect(
      places(
        source,
        {
          vmlinux: [
            ['f', 0],
            ['g', 0],
          ],
        },
        '-ffunction-sections',
      ),
    ).toEqual(['.text.f+0', '.text.g+0'])
    const [, second] = places(source, {
      vmlinux: [
        ['f', 0],
        ['g', 0],
      ],
    })
    expect(second).toMatch(/^\.text\+\d+$/)
    expect(second).not.toBe('.text+0')
  })

  test('is found where its name in the module is another', () => {
    const source = `static int anew(int x) { return x + 1; } ${table('"f.isra.0", anew, 2')}`
    expect(places(source, { vmlinux: [['f.isra.0', 2]] }, '-ffunction-sections')).toEqual(['.text.anew+0'])
  })

  test('is found where the manifest calls the name the only one and the module the first', () => {
    const source = `static int f(int x) { return x + 1; } ${table('"f", f, 1')}`
    expect(places(source, { vmlinux: [['f', 0]] }, '-ffunction-sections')).toEqual(['.text.f+0'])
  })

  test('is told apart where several are replaced that have one name', () => {
    const source = `static int a(int x) { return x + 1; } static int b(int x) { return x * 3; }
      ${table('"f", b, 2', '"f", a, 1')}`
    expect(
      places(
        source,
        {
          vmlinux: [
            ['f', 1],
            ['f', 2],
          ],
        },
        '-ffunction-sections',
      ),
    ).toEqual(['.text.a+0', '.text.b+0'])
  })

  test('is found without a manifest', () => {
    const file = path.join(work, 'alone.o')
    const source = `int f(int x) { return x + 1; } ${table('"f", f, 2')} extern char __this_module;
      struct { void *module; struct klp_object *objects; } patch = { &__this_module, objects };`
    writeFileSync(path.join(work, 'alone.c'), frame + source)
    execFileSync('gcc', ['-c', '-O2', '-fno-pic', '-mcmodel=kernel', '-o', file, path.join(work, 'alone.c')])
    expect(replacementsOf({ file, bytes: readFileSync(file) } as unknown as Subject)).toEqual([
      { object: 'vmlinux', name: 'f', sympos: 2, code: { section: '.text', offset: 0 } },
    ])
  })

  test('is not guessed where no table tells', () => {
    const source = `int f(int x) { return x + 1; } ${table('"g", f')}`
    expect(
      places(
        source,
        {
          vmlinux: [
            ['f', 0],
            ['g', 3],
          ],
        },
        '-ffunction-sections',
      ),
    ).toEqual([undefined, undefined])
  })
})
