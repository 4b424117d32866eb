// SPDX-License-Identifier: GPL-3.0-or-later
// What the symbols of a module are, as nm prints it.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { namesInModule } from '../../src/match/names.ts'
import { compilers, compileWith, work } from '../objects.ts'

const text = `
int shared = 1, zeroed;
static int own = 2, own_zeroed;
const int fixed = 3;
static const int own_fixed[] = { 4, 5 };
static int inner(int a) { return a + own; }
int outer(int a) { return inner(a) + shared + zeroed + own_fixed[a]; }
int __attribute__((weak)) replaceable(int a) { return a + own_zeroed++; }
int (*chosen)(int) = inner;
int keep(int a) { own = a; return fixed; }
`

describe.each(compilers)('%s: a symbol of a module', (program) => {
  test('has the type that nm prints', () => {
    const bytes = compileWith(program, text, [])
    const { lookup, at } = namesInModule(bytes, 'some')
    const file = path.join(work, 'some.ko')
    writeFileSync(file, bytes)
    const told = execFileSync('nm', [file], { encoding: 'utf8' })
    const rows = told.split('\n').flatMap((line) => /^[0-9a-f]+ (\w) (\w+)$/.exec(line)?.slice(1) ?? [])
    const names = rows.filter((_, index) => index % 2 === 1)
    expect(names.length).toBeGreaterThan(8)
    for (const [index, name] of names.entries()) {
      const letter = rows[2 * index]!
      const [symbol] = lookup(name)
      expect(`${symbol?.type} ${name}`).toBe(`${letter} ${name}`)
      expect(at(symbol!.address)).toContainEqual({ name, type: letter })
    }
  })
})
