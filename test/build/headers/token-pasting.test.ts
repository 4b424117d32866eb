// SPDX-License-Identifier: GPL-3.0-or-later
import { expect, test } from 'vitest'
import { canPaste, findPastes, macrosIn } from '../../../src/build/headers/token-pasting.ts'

const pastes = findPastes(
  macrosIn(`
#define ___PASTE(a, b) a##b
#define __PASTE(a, b) ___PASTE(a, b)
#define UNIQUE(prefix) __PASTE(__PASTE(__UNIQUE_, prefix), __COUNTER__)
#define DEFINE_TEST(Name, flag) \\
	static inline int Page##Name(void) { return flag; }
#define BOTH(name, flag) DEFINE_TEST(name, flag) int other;
#define FIXED(x) __PASTE(go, od) + (x)
#define SIZED(stem, x) stem##4(x)
#define CALL(f, ...) f ## _fn (f, ## __VA_ARGS__)
#define LONG(x) __PASTE(x y, _end)
#define plain(x) ((x) * 2)
`),
)

/** The macros that can make the name of the given words. */
function makers(name: string, ...words: string[]): string[] {
  const found = pastes.filter((paste) => canPaste(paste, name, (piece) => words.includes(piece)))
  return [...new Set(found.map(({ macro }) => macro))].sort()
}

test('a name is made of a text and an argument, through every macro that hands the argument on', () => {
  expect(makers('PageDirty', 'Dirty')).toEqual(['BOTH', 'DEFINE_TEST'])
  expect(makers('PageDirty', 'Other')).toEqual([])
  expect(makers('read4', 'read')).toContain('SIZED')
  expect(makers('work_fn', 'work')).toEqual(['CALL'])
})

test('what pastes nothing but arguments needs both of them', () => {
  expect(makers('leftright', 'left', 'right')).toEqual(['__PASTE', '___PASTE'])
  expect(makers('leftright', 'left')).toEqual([])
})

test('a paste of a paste is followed', () => {
  expect(makers('__UNIQUE_key17', 'key')).toEqual(['UNIQUE'])
  expect(makers('__UNIQUE_lock17', 'key')).toEqual([])
})

test('a macro that makes one name only', () => {
  expect(makers('good')).toEqual(['FIXED'])
})

test('of a longer text that is handed on, any word may be the one', () => {
  expect(makers('y_end')).toContain('LONG')
  expect(makers('z_end', 'z')).toContain('LONG')
})
