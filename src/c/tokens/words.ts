// SPDX-License-Identifier: GPL-3.0-or-later
// The words of C (C11, 6.4.1) with GNU's, by what they do in a declaration.

const set = (words: string): ReadonlySet<string> => new Set(words.split(' '))

export const storageWords = set(
  'static extern typedef inline __inline __inline__ register _Thread_local __thread auto _Noreturn',
)

export const typeWords = set(
  'void char short int long float double signed unsigned _Bool _Complex __signed__ __signed __int128 ' +
    '__int128_t __uint128_t __auto_type _Float128 __float128 __builtin_va_list',
)

export const qualifiers = set(
  'const volatile restrict __const __const__ __volatile__ __volatile __restrict __restrict__ _Atomic ' +
    '__extension__ __seg_gs __seg_fs',
)

export const attributeWords = set('__attribute__ __attribute __asm__ asm __asm _Alignas __declspec _Static_assert')

export const typeofWords = set('typeof __typeof__ __typeof typeof_unqual __typeof_unqual__ _BitInt')

/** Words that are never the name of anything. */
export const keywords = set(
  'auto break case char const continue default do double else enum extern float for goto if inline int long ' +
    'register restrict return short signed sizeof static struct switch typedef union unsigned void volatile ' +
    'while _Bool _Alignof __alignof__ __inline __inline__ __extension__ __volatile__ __const __signed__ asm __asm__ ' +
    'typeof __typeof__ __attribute__ __label__ __auto_type __int128 _Static_assert _Generic __func__ __restrict',
)

/** Whether a word says that the name behind it is a tag. */
export function isTagWord(word: string | undefined): boolean {
  return word === 'struct' || word === 'union' || word === 'enum'
}

/** Whether a declaration can begin with a word that is no typedef's name. */
export function isSpecifier(word: string): boolean {
  return (
    storageWords.has(word) || typeWords.has(word) || qualifiers.has(word) || typeofWords.has(word) || isTagWord(word)
  )
}

/** Operators that give what stands before them another value. */
export const assignment = /^(?:=|[-+*/%&|^]=|<<=|>>=|\+\+|--)$/
