// SPDX-License-Identifier: GPL-3.0-or-later
// What two bare objects tell: what is left out is said, an alias is not taken for the function, and what objtool has
// undone is no reference.
import { expect, test } from 'vitest'
import { readObject } from '../../../src/elf/read.ts'
import { comparePair } from '../../../src/extract/pairs/pair.ts'
import { compiler, compilers, compileWith } from '../../objects.ts'

const pairOf = (compiler: string, before: string, after: string) => {
  const [b, a] = [before, after].map((text) => readObject(compileWith(compiler, text, []), 'unit.o'))
  return comparePair(b!, a!, 'unit.c').report
}

test.each(compilers)('a new function for other units is told, and those that come along are not, %s', (compiler) => {
  const before = 'int get(void); int f(int a) { return get() + a; }'
  const after = `${before.replace('get() + a', 'get() * helper(a)').replace('int f', 'int helper(int); int f')}
    __attribute__((noinline)) int helper(int a) { return get() ^ a; }
    int offered(int a) { return get() - a; }
    __attribute__((noinline, used)) static int kept(int a) { return get() - 2 * a; }`
  const { changed, added, findings } = pairOf(compiler, before, after)
  expect(changed.map(({ name }) => name)).toEqual(['f'])
  expect(added.map(({ name }) => name).sort()).toEqual(['helper', 'kept', 'offered'])
  expect(findings.map(({ rule, symbol }) => `${rule} ${symbol}`)).toEqual(['new-function-left-out offered'])
})

// clang gives such a function the alias as its only name.
test.each(compilers.filter((name) => name.startsWith('gcc')))(
  'the function of a module’s end is called by its own name, %s',
  (compiler) => {
    const text = (n: number) => `int get(void);
    __attribute__((section(".exit.text"), used)) static int my_exit(void) { return get() + ${n}; }
    int cleanup_module(void) __attribute__((alias("my_exit")));
    __attribute__((section(".init.text"), used)) static int my_init(void) { return get() - ${n}; }
    int init_module(void) __attribute__((alias("my_init")));`
    const { changed } = pairOf(compiler, text(1), text(2))
    expect(changed.map(({ name }) => name).sort()).toEqual(['my_exit', 'my_init'])
  },
)

test.each(compilers)('what is left of a jump that became a nop is no reference, %s', (compiler) => {
  const text = (rest: string, n: number) => `int get(void);
    int f(int a) { asm volatile("1: .byte 0x0f, 0x1f, 0x44, 0, 0\\n${rest}"); return get() + a; }
    int g(int a) { return get() + a * ${n}; }`
  const undone = (symbol: string) => `.reloc 1b+1, R_X86_64_NONE, ${symbol}`
  for (const [one, other] of [
    [undone('f'), undone('g')],
    [undone('g'), ''],
    ['', undone('elsewhere')],
  ] as const) {
    const { changed, findings, outcome } = pairOf(compiler, text(one, 3), text(other, 5))
    expect({ names: changed.map(({ name }) => name), findings, outcome }).toEqual({
      names: ['g'],
      findings: [],
      outcome: 'change',
    })
  }
})

test('two things of one name are each the same as themselves, also where they are used', () => {
  const text = (n: number) => `int get(void);
    static int twin_a, twin_b;
    int f(void) { return twin_a += get(); } int g(void) { return twin_b += ${n}; } int h(void) { return twin_a - twin_b; }`
  const [before, after] = [3, 5].map((n) => {
    const bytes = Buffer.from(compileWith(compiler, text(n), []))
    const at = bytes.indexOf('\0twin_b\0')
    bytes.write('twin_a', at + 1, 'latin1')
    return readObject(bytes, 'unit.o')
  })
  const { changed, findings } = comparePair(before!, after!, 'unit.c').report
  expect(findings).toEqual([])
  expect(changed.map(({ name }) => name)).toEqual(['g'])
})
