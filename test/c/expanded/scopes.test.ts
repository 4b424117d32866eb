// SPDX-License-Identifier: GPL-3.0-or-later
// Which words of a declaration mean something of its own, in the places where C makes that hard to tell.
import { expect, test } from 'vitest'
import { scopesOf } from '../../../src/c/expanded/scopes.ts'
import { tokenize } from '../../../src/c/tokens/lexer.ts'

/** The words that mean what the file knows by that name, keywords among them. */
function ofFile(text: string, name: string): number {
  const tokens = tokenize(text)
  const { locals, others } = scopesOf(tokens)
  return tokens.filter(({ text, start }) => {
    const isLocal = locals.get(name)?.some(({ from, to }) => start >= from && start < to) === true
    return text === name && !isLocal && !others.has(start)
  }).length
}

const outside: readonly (readonly [what: string, text: string, uses: number])[] = [
  ['a parameter is known in the whole function', 'int f(int x) { return x; }', 0],
  ['parameters of K&R are, too', 'int f(x, y) int x, y; { return x; }', 0],
  ['a type alone in a prototype is no name', 'int f(x, const x, x *y);', 3],
  ['a parameter of a parameter is known in its own list', 'int f(int (*g)(int x)) { return x; }', 1],
  ['a local variable is known to the end of its block', 'void f(void) { { int x; x = 1; } x = 2; }', 1],
  ['and not before', 'void f(void) { x = 1; t *x = 0; x = 2; }', 1],
  ['of a type that is a name', 'void f(void) { t x, *y = x; x = y; }', 0],
  ['of a pointer to a function', 'void f(void) { t (*x)(int), *(*y)(void); x(1); }', 0],
  [
    'the variable of a loop is known in the loop',
    'void f(void) { for (int x = 0; x < 2; x++) if (x) g(x); else g(x); x = 1; }',
    1,
  ],
  ['a product of local variables declares nothing', 'int f(int a) { return ({ a * x; }); }', 1],
  ['nor does the last product of a statement expression', 'int f(void) { return ({ a * x; }); }', 1],
  ['statements in an initial value have blocks of their own', 'int a[] = { ({ int x = 1; x; }), x };', 1],
  ['members are nothing of the file', 'void f(void) { struct { int x; t y : (x, 3), z; } s = { x: 1, z: 2 }; }', 1],
  ['an enumerator of a block is local', 'void f(void) { enum { x = 1, y = x } e; g(x); }', 0],
  ['labels are no variables', 'void f(void) { __label__ y; goto x; x: g(x); y: ; int z; }', 1],
  ['a case may ask for a condition', 'void f(int a) { switch (a) { case 1 ? x : x: t x; g(x); } }', 2],
  ['the text of assembly has no names', 'void f(void) { asm volatile ("x" : "=r" (x) : : "memory"); }', 1],
  ['what an attribute is about is used', 'void f(void) { __attribute__((cleanup(x))) int y; }', 1],
]

test.each(outside)('%s', (_, text, uses) => expect(ofFile(text, 'x')).toBe(uses))
