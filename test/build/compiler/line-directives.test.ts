// SPDX-License-Identifier: GPL-3.0-or-later
// The directives are judged by the compiler: it must number the old lines as it did before the patch,
// and read the same program.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { keepLineNumbers } from '../../../src/build/compiler/line-directives.ts'
import { applyPatches } from '../../../src/patch/apply.ts'
import { parsePatch } from '../../../src/patch/parse.ts'

const root = mkdtempSync(path.join(os.tmpdir(), 'inarch-lines-'))
for (const side of ['a', 'b']) mkdirSync(path.join(root, side))
afterAll(() => rmSync(root, { recursive: true }))

async function change(before: string, after: string) {
  writeFileSync(path.join(root, 'a/x.c'), before)
  writeFileSync(path.join(root, 'b/x.c'), after)
  const { stdout } = spawnSync('diff', ['-u', 'a/x.c', 'b/x.c'], { cwd: root })
  return (await applyPatches(path.join(root, 'a'), [parsePatch(stdout, 'fix.patch')])).changes[0]!
}

async function numbered(before: string, after: string): Promise<string> {
  const { after: text, lineage } = await change(before, after)
  return keepLineNumbers(text!, lineage)
}

function preprocess(text: string): string {
  return execFileSync('gcc', ['-E', '-P', '-x', 'c', '-'], { input: text, encoding: 'utf8' })
}

const withoutDirectives = (text: string) => text.replace(/^#line \d+\n/gm, '')

const lines = (...all: string[]) => `${all.join('\n')}\n`

describe('lines below a hunk keep their numbers', () => {
  test('when it adds lines', async () => {
    expect(await numbered(lines('a', 'b', 'c'), lines('a', 'x', 'y', 'b', 'c'))).toBe(
      lines('a', 'x', 'y', '#line 2', 'b', 'c'),
    )
  })

  test('when it removes lines', async () => {
    expect(await numbered(lines('a', 'b', 'c', 'd'), lines('a', 'd'))).toBe(lines('a', '#line 4', 'd'))
  })

  test('and nothing is said when none has moved', async () => {
    expect(await numbered(lines('a', 'b', 'c'), lines('a', 'x', 'c'))).toBe(lines('a', 'x', 'c'))
  })

  test('and the directive waits for the end of a comment, a macro, a call', async () => {
    expect(await numbered(lines('/* a', 'b', '*/', 'c'), lines('/* a', 'x', 'b', '*/', 'c'))).toBe(
      lines('/* a', 'x', 'b', '*/', '#line 4', 'c'),
    )
    expect(
      await numbered(lines('#define A \\', ' b \\', ' c', 'd'), lines('#define A \\', ' x \\', ' b \\', ' c', 'd')),
    ).toBe(lines('#define A \\', ' x \\', ' b \\', ' c', '#line 4', 'd'))
    expect(await numbered(lines('f(a,', 'b', ');', 'c'), lines('f(a,', 'x,', 'b', ');', 'c'))).toBe(
      lines('f(a,', 'x,', 'b', ');', '#line 4', 'c'),
    )
    expect(
      await numbered(
        lines('f("(",', "'(',", '/*(*/ // (', 'b);', 'c'),
        lines('f("(",', 'x,', "'(',", '/*(*/ // (', 'b);', 'c'),
      ),
    ).toBe(lines('f("(",', 'x,', "'(',", '/*(*/ // (', 'b);', '#line 5', 'c'))
    expect(await numbered(lines('a', 'f', '(b);', 'c'), lines('a', 'x', 'f', '(b);', 'c'))).toBe(
      lines('a', 'x', '#line 2', 'f', '(b);', 'c'),
    )
  })

  test('also when the hunk stands in a branch that is not compiled', async () => {
    const before = lines('#ifdef NO', 'a', '#else', '__LINE__', '#endif', '__LINE__')
    const after = lines('#ifdef NO', 'x', 'a', '#else', '__LINE__', '#endif', '__LINE__')
    expect(preprocess(await numbered(before, after))).toBe(preprocess(before))
  })

  test('also below branches that open a parenthesis each', async () => {
    const before = lines('#ifdef NO', 'f(a,', '#else', 'g(', '#endif', 'b);', 'c __LINE__')
    const after = lines('x', ...before.trimEnd().split('\n'))
    expect(preprocess(await numbered(before, after))).toBe(`x\n${preprocess(before)}`)
  })
})

test('for any C-like text, the program is the same and old lines have their old numbers again', async () => {
  // `@N` lines make themselves known in the preprocessed text, wherever they end up.
  const piece = fc.oneof(
    fc.constantFrom(
      ['int f(void)', '{', '\tg(1,', '\t  2);', '}'],
      ['/* text', ' * more (', ' */'],
      ['// text ( "'],
      ['#define M(a) \\', '\tg(a, \\', '\t  "(")'],
      ['#if 1', 'here __LINE__', '#else', 'h(', '#endif'],
      ['#if 0', 'h(', '#else', 'here __LINE__', '#endif'],
      ['call(', '\t"a \\" (",', "\t')');"],
      ['"a" /* ( */ "b \\', ' c ("'],
      [''],
    ),
    fc.constant(['here __LINE__']),
  )
  const program = fc.array(piece, { minLength: 1, maxLength: 12 }).map((pieces) => pieces.flat())
  const edits = fc.array(fc.tuple(fc.nat(60), fc.nat(4)), { minLength: 1, maxLength: 3 })
  await fc.assert(
    fc.asyncProperty(program, edits, async (before, where) => {
      const after: string[] = [...before]
      for (const [at, count] of where) {
        const place = at % (after.length + 1)
        // Between whole pieces the text stays C whatever is put there; inside a macro it is continued.
        const tail = /\\$/.test(after[place - 1] ?? '') ? ' \\' : ''
        after.splice(place, 0, ...Array.from({ length: count }, (_, i) => `new ${i}${tail}`))
      }
      if (after.length === before.length) return
      const { after: text, lineage } = await change(lines(...before), lines(...after))
      const result = keepLineNumbers(text!, lineage)
      expect(withoutDirectives(result)).toBe(text)
      const tokens = (source: string) =>
        preprocess(source)
          .replace(/__LINE__|\bhere \d+/g, 'here')
          .split(/\s+/)
          .join(' ')
      expect(tokens(result)).toBe(tokens(text!))
    }),
    { numRuns: 80 },
  )
})

test('in whole functions every old line has its old number', async () => {
  const unit = (n: number) => [
    '/* A comment',
    `   of function ${n} */`,
    `int f${n}(void)`,
    '{',
    '\tWARN(a,',
    '\t\tb);',
    `\there __LINE__ at ${n};`,
    '}',
    '',
  ]
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 6 }),
      fc.array(fc.tuple(fc.nat(5), fc.nat(3)), { maxLength: 4 }),
      async (count, edits) => {
        const before = Array.from({ length: count }, (_, n) => unit(n))
        const after = before.map((one) => [...one])
        for (const [at, added] of edits)
          after[at % count]!.splice(4, 0, ...Array.from({ length: added }, (_, i) => `\tnew(${i});`))
        const [a, b] = [lines(...before.flat()), lines(...after.flat())]
        if (a === b) return
        const here = (source: string) => preprocess(source).match(/here \d+ at \d+/g)
        expect(here(await numbered(a, b))).toEqual(here(a))
      },
    ),
    { numRuns: 60 },
  )
})
