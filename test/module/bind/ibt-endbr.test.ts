// SPDX-License-Identifier: GPL-3.0-or-later
// Code that takes the address of a function of the running kernel.
import { describe, expect, test } from 'vitest'
import type { Binding } from '../../../src/module/bind/bind.ts'
import { missingEndbr } from '../../../src/module/bind/ibt-endbr.ts'
import { changeOf, extractionOf } from '../../objects.ts'

const common = `
int called(int); void give(int (*)(int)); extern int (*slot)(int);
__attribute__((noinline, noipa)) static int own(int x) { return called(x) * 3; }
int other(int x) { return own(x) + 1; }`

/** What the check says of a change when the kernel lets indirect calls lead to no function but `open`. */
function landings(before: string, after: string, open: readonly string[] = []) {
  const extraction = extractionOf([changeOf(common + before, common + after)])
  const bindings = new Map(
    [...extraction.references].map(([symbol, { name }]): [typeof symbol, Binding] => [
      symbol,
      { kind: 'livepatch', object: 'vmlinux', when: 'vmlinux', name, sympos: 0 },
    ]),
  )
  const data = ['slot']
  const landing = (_: string, name: string) => (data.includes(name) ? undefined : open.includes(name))
  return missingEndbr({ ...extraction, bindings }, { landing }).map(({ rule, symbol }) => `${rule} ${symbol}`)
}

describe('the address of a function without a landing pad', () => {
  test.each([
    ['handed on', 'int f(int x) { return x; }', 'int f(int x) { give(called); return x; }', 'called'],
    ['stored', 'int f(int x) { return x; }', 'int f(int x) { slot = called; return x; }', 'called'],
    [
      'in new data',
      'int f(int x) { return x; }',
      'int (*const all[2])(int) = { 0, called }; int f(int x) { return all[x](x); }',
      'called',
    ],
    ['of the same unit', 'int f(int x) { return x; }', 'int f(int x) { give(own); return x; }', 'own'],
  ])('is refused when it is %s', (_, before, after, name) => {
    expect(landings(before, after)).toEqual([`no-landing-pad ${name}`])
    expect(landings(before, after, [name])).toEqual([])
  })

  test('is no matter where the unit takes it already: then the kernel was built for it', () => {
    const before = 'int f(int x) { return x; } void g(void) { give(called); }'
    const after = 'int f(int x) { give(called); return x; } void g(void) { give(called); }'
    expect(landings(before, after)).toEqual([])
  })

  test('is no matter where the function is only called, by a tail call, too', () => {
    const calls = 'int f(int x) { if (x) return called(x); return called(x + 2) + own(x); }'
    expect(landings('int f(int x) { return x; }', calls)).toEqual([])
  })
})
