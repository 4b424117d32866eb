// SPDX-License-Identifier: GPL-3.0-or-later
// What `inarch source` says to files and flags that it can't do anything with: one clear sentence each, and no
// trace of the program's own insides. What it can do is done, however strange the file is.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildCommand, inarch } from '../inarch.ts'

const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-hostile-'))
beforeAll(buildCommand)
afterAll(() => rmSync(work, { recursive: true, force: true }))

/** Asks for functions of a text. */
async function source(text: string, wanted: string, ...flags: string[]) {
  writeFileSync(path.join(work, 'unit.c'), text, 'latin1')
  const args = ['source', 'unit.c', '--extract', wanted, '-o', 'out.c', '--', 'gcc', '-O2', ...flags]
  return await inarch(args, { cwd: work })
}

/** A text of about so many bytes, as generators write them. */
function lines(bytes: number, line: (number: number) => string): string {
  const list: string[] = []
  for (let size = 0; size < bytes; size += list.at(-1)!.length + 1) list.push(line(list.length))
  return list.join('\n')
}

describe('one sentence and what to do next is all there is about', () => {
  const cases: readonly [title: string, text: string, wanted: string, flags: string[], code: number, says: RegExp][] = [
    [
      'a file that does not compile',
      'int f(int x) { return x + ; }\n',
      'f',
      [],
      3,
      /^error: unit\.c does not compile\.\n\n {2}unit\.c:1:27: error: expected expression/,
    ],
    [
      'a name that nobody declares',
      'int f(void) { return y; }\n',
      'f',
      [],
      3,
      /^error: unit\.c does not compile\.\n\n.*'?‘?y/,
    ],
    [
      'a header that is not there',
      '#include "nowhere.h"\nint f(void) { return 1; }\n',
      'f',
      [],
      3,
      /^error: unit\.c does not compile\.\n\n.*nowhere\.h: No such file/,
    ],
    [
      'a function that is not there',
      'int g(void) { return 1; }\n',
      'g,f',
      [],
      2,
      /^error: unit\.c does not define f\(\)\.\nnext: /,
    ],
    [
      'a function that the configuration leaves out',
      '#ifdef CONFIG_F\nint f(void) { return 1; }\n#endif\nint g;\n',
      'f',
      [],
      2,
      /^error: unit\.c does not define f\(\)\./,
    ],
    [
      'a flag that the compiler does not know',
      'int f(void) { return 1; }\n',
      'f',
      ['-fno-such-option'],
      2,
      /^error: gcc does not know the flag ‘?-fno-such-option’?\.\nnext: /,
    ],
    [
      'bytes that are no text',
      Buffer.from(Array.from({ length: 4000 }, (_, index) => (index * 7919) % 256)).toString('latin1'),
      'f',
      [],
      3,
      /^error: unit\.c does not compile\.\n/,
    ],
    [
      'braces that never close',
      `int f(void) {${'{'.repeat(2000)}`,
      'f',
      [],
      3,
      /^error: unit\.c (does not compile|is nested too deeply)\./,
    ],
  ]
  test.each(cases)('%s', async (_, text, wanted, flags, code, says) => {
    const outcome = await source(text, wanted, ...flags)
    expect(outcome.stderr).toMatch(says)
    expect(outcome.stderr.match(/^error: /gm)).toHaveLength(1)
    expect(outcome.stderr).toMatch(/\nnext: .+\.\n$/)
    expect(outcome.stderr).not.toMatch(/^\s+at |node_modules|dist\//m)
    expect(outcome.code).toBe(code)
  })
})

/** The extract compiles, and has the bytes that are wanted. */
function compiles(): string {
  execFileSync('gcc', ['-O2', '-Wall', '-Werror', '-c', '-o', 'out.o', 'out.c'], { cwd: work })
  return readFileSync(path.join(work, 'out.c'), 'latin1')
}

describe('it copes with', () => {
  test('a generated file of 5 MB with many functions', async () => {
    const text = lines(
      5_000_000,
      (n) =>
        `static const int t${n}[600] = { ${n}${', 1, 2, 3'.repeat(199)} };\nint get${n}(int ` +
        `x)\n{\n\treturn t${n}[x & 3] * 3 + ${n};\n}\n`,
    )
    const outcome = await source(text, 'get777')
    expect([outcome.stderr, outcome.code]).toEqual(['', 0])
    const extract = compiles()
    expect(extract).toContain('{ 777, 1, 2, 3')
    expect(extract).not.toContain('{ 776, 1, 2, 3')
  })

  test('bytes that are not UTF-8, which stay what they are', async () => {
    const outcome = await source('/* caf\xe9 */\nint f(int x)\n{\n\treturn "\xff\xfe"[x];\n}\n', 'f')
    expect([outcome.stderr, outcome.code]).toEqual(['', 0])
    expect(compiles()).toMatch(/caf\xe9[\s\S]*"\xff\xfe"/)
  })

  test('parentheses and conditions that are nested a thousandfold', async () => {
    const nested = `${'('.repeat(5000)}x${')'.repeat(5000)}`
    const ifs = Array.from({ length: 200 }, (_, depth) => `#if ${depth} >= 0`).join('\n')
    const text =
      `${ifs}\nint f(int x) { ${'{ if (x) '.repeat(500)} x = ${nested}; ${'}'.repeat(500)} return ` +
      `x; }\n${'#endif\n'.repeat(200)}`
    const outcome = await source(text, 'f')
    expect([outcome.stderr, outcome.code]).toEqual(['', 0])
    expect(compiles()).toContain(nested)
  })
})
