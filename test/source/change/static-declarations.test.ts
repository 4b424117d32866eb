// SPDX-License-Identifier: GPL-3.0-or-later
// What the source says about static variables of one name: the same declaration, a moved one, a new one, or nothing
// certain.
import { describe, expect, test } from 'vitest'
import { declarationsIn, identities } from '../../../src/source/change/static-declarations.ts'

/** @param places symbols by the lines that declare them */
const side = (text: string, places: Readonly<Record<string, number>>) =>
  declarationsIn(
    new Map(Object.entries(places).map(([symbol, line]) => [symbol, { file: 'f.c', line, column: 2 }])),
    () => text,
  )

const before = `int f(int a) {
	{
		static int n;
		use(n++);
	}
	{
		static int n;
		use(n--);
	}
	ONCE(a);
	ONCE(b);
}
int g(void) {
	static int n;
	return n++;
}`
const old = side(before, { 'n.2': 3, 'n.1': 7, 'n.0': 14, 'done.1': 10, 'done.0': 11 })

/** What each variable after the patch was before. */
function told(text: string, places: Readonly<Record<string, number>>, lineage: readonly number[]) {
  const found = identities(old, side(text, places), new Map([['f.c', { lineage }]]))
  const symbols = new Map([...found.before].map(([symbol, key]) => [key, symbol]))
  return Object.fromEntries(
    [...found.after].map(([symbol, key]) => [symbol, key === undefined ? 'uncertain' : (symbols.get(key) ?? 'new')]),
  )
}

describe('a static variable', () => {
  test('stays what it is where its declaration stays, whatever its number', () => {
    const after = before.replace('use(n++)', 'use(n += 2)')
    const places = { 'n.0': 3, 'n.1': 7, 'n.2': 14 }
    const lineage = [1, 2, 3, 0, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
    expect(told(after, places, lineage)).toEqual({ 'n.0': 'n.2', 'n.1': 'n.1', 'n.2': 'n.0' })
  })

  test('is the same when all that can see it moves with it', () => {
    const lines = before.split('\n')
    const after = [lines[0], ...lines.slice(5, 9), ...lines.slice(1, 5), ...lines.slice(9)].join('\n')
    // The patch takes the first block out and puts it in again behind the second.
    const lineage = [1, 6, 7, 8, 9, 0, 0, 0, 0, 10, 11, 12, 13, 14, 15, 16]
    const places = { 'n.0': 3, 'n.1': 7, 'n.2': 14 }
    expect(told(after, places, lineage)).toEqual({ 'n.0': 'n.1', 'n.1': 'n.2', 'n.2': 'n.0' })
  })

  test('is uncertain when the patch keeps a line for another block', () => {
    const after = before.replace('use(n++)', 'use(n?)').replace('use(n--)', 'use(n++)').replace('n?', 'n--')
    const lineage = [1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 12, 13, 14, 15, 16]
    const places = { 'n.0': 3, 'n.1': 7, 'n.2': 14 }
    expect(told(after, places, lineage)).toEqual({ 'n.0': 'uncertain', 'n.1': 'uncertain', 'n.2': 'n.0' })
  })

  test('is uncertain when an old one goes and a new one comes', () => {
    const lines = before.split('\n')
    const after = [lines[0], ...lines.slice(5, 9), '{', 'static int n;', 'use(n ^= 1);', '}', ...lines.slice(9)].join(
      '\n',
    )
    const lineage = [1, 6, 7, 8, 9, 0, 0, 0, 0, 10, 11, 12, 13, 14, 15, 16]
    expect(told(after, { 'n.0': 3, 'n.1': 7, 'n.2': 14 }, lineage)).toEqual({
      'n.0': 'n.1',
      'n.1': 'uncertain',
      'n.2': 'n.0',
    })
  })

  test('is new when none goes', () => {
    const lines = before.split('\n')
    const after = [...lines.slice(0, 9), '{ static int n; use(n ^= 1); }', ...lines.slice(9)].join('\n')
    const lineage = [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 10, 11, 12, 13, 14, 15, 16]
    expect(told(after, { 'n.0': 3, 'n.1': 7, 'n.2': 10, 'n.3': 15 }, lineage)).toEqual({
      'n.0': 'n.2',
      'n.1': 'n.1',
      'n.2': 'new',
      'n.3': 'n.0',
    })
  })

  test('of a macro is known by what the macro is given', () => {
    const after = before.replace('ONCE(a);\n\tONCE(b);', 'ONCE(b);\n\tONCE(a);')
    const lineage = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 0, 12, 13, 14, 15, 16]
    expect(told(after, { 'done.0': 10, 'done.1': 11 }, lineage)).toEqual({
      'done.0': 'done.0',
      'done.1': 'done.1',
    })
  })
})
