// SPDX-License-Identifier: GPL-3.0-or-later
// The symbols of a module, of objects that are compiled and linked here.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { parseModuleSymbols } from '../../src/kernel/module-symbols.ts'

let object: Buffer
beforeAll(() => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-modsyms-'))
  try {
    const run = (program: string, ...args: string[]) => {
      const { status, stderr } = spawnSync(program, args, { cwd: dir, encoding: 'utf8' })
      expect(stderr).toBe('')
      expect(status).toBe(0)
    }
    const init = '__attribute__((section(".init.text"), noinline, used))'
    writeFileSync(
      path.join(dir, 'a.c'),
      `static ${init} int setup(int x) { return x * 3; }\nint a_init(int x) { return setup(x); }\n`,
    )
    writeFileSync(
      path.join(dir, 'b.c'),
      'static __attribute__((noinline, used)) int setup(int x) { return x + 7; }\nint counter = 5;\nint ' +
        'b(int x) { return setup(x) + counter; }\nextern int elsewhere(void);\nint c(void) { return elsewhere(); }\n',
    )
    for (const name of ['a', 'b']) run('cc', '-O2', '-c', `${name}.c`, '-o', `${name}.o`)
    run('ld', '-r', 'a.o', 'b.o', '-o', 'module.ko')
    object = readFileSync(path.join(dir, 'module.ko'))
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})

describe('the symbols of a module', () => {
  test('have a section, an offset in it and a size', () => {
    expect(parseModuleSymbols(object).lookup('counter')).toMatchObject([
      {
        symbol: { section: { name: '.data' }, value: 0, size: 4, type: 'object', binding: 'global' },
        sympos: 1,
        symposLoading: 1,
      },
    ])
  })

  test('that the kernel drops after initialisation count only while the module is loading', () => {
    expect(parseModuleSymbols(object).lookup('setup')).toMatchObject([
      { symbol: { section: { name: '.init.text' } }, sympos: 0, symposLoading: 1 },
      { symbol: { section: { name: '.text' } }, sympos: 1, symposLoading: 2 },
    ])
  })

  test('that lie elsewhere are not its own', () => {
    expect(parseModuleSymbols(object).lookup('elsewhere')).toEqual([])
  })

  test('of a damaged file are refused, never misread into a crash', () => {
    const attempt = (bytes: Buffer) => {
      try {
        parseModuleSymbols(bytes)
      } catch (error) {
        expect(error).toMatchObject({ code: 'module-unreadable' })
      }
    }
    for (let length = 0; length < object.length; length += 7) attempt(Buffer.from(object.subarray(0, length)))
    fc.assert(
      fc.property(fc.nat(object.length - 1), fc.integer({ min: 0, max: 255 }), (at, value) => {
        const damaged = Buffer.from(object)
        damaged[at] = value
        attempt(damaged)
      }),
      { numRuns: 2000 },
    )
  })
})
