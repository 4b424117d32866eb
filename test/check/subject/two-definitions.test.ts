// SPDX-License-Identifier: GPL-3.0-or-later
// A file that defines a function twice, once for each configuration: the definition that the patch changes is the one
// that is read.
import { describe, expect, test } from 'vitest'
import { changedFunctions } from '../../../src/check/subject/changed-functions.ts'
import { changeOf } from '../text.ts'

const file = (wide: string, narrow: string) => `#ifdef CONFIG_64BIT
static unsigned int fold(unsigned long x, unsigned long y)
{
	return ${wide};
}
#else
static unsigned int fold(unsigned long x, unsigned long y)
{
	return ${narrow};
}
#endif
unsigned int hash(unsigned long x)
{
	return fold(x, 1);
}
`
const rewritten = (before: string, after: string) =>
  changedFunctions([changeOf(before, after)]).rewritten.map((one) => [
    one.name,
    ...[one.before, one.after].map(({ body }) => body.map(({ text }) => text).join(' ')),
  ])

describe('of two definitions of a function', () => {
  test('the one is read that changes', () => {
    expect(rewritten(file('x ^ y', 'x + y'), file('x | y', 'x + y'))).toEqual([
      ['fold', 'return x ^ y ;', 'return x | y ;'],
    ])
    expect(rewritten(file('x ^ y', 'x + y'), file('x ^ y', 'x - y'))).toEqual([
      ['fold', 'return x + y ;', 'return x - y ;'],
    ])
  })
  test('also behind another #ifndef', () => {
    const apart = (text: string) => text.replace('#else', '#endif\n#ifndef CONFIG_64BIT')
    expect(rewritten(apart(file('x ^ y', 'x + y')), apart(file('x | y', 'x + y')))).toHaveLength(1)
    expect(rewritten(apart(file('x ^ y', 'x + y')), apart(file('x ^ y', 'x - y')))).toHaveLength(1)
  })
  test('and of three parts, also within a function and within another group', () => {
    const within = (one: string, two: string, three: string) => `#ifdef CONFIG_A
int f(int x)
{
#if 0
	return 9;
#elif defined(CONFIG_B)
	return ${one};
#elif defined(CONFIG_C)
	return ${two};
#else
	return ${three};
#endif
}
#endif
`
    const changes = [within('2', '1', '1'), within('1', '2', '1'), within('1', '1', '2')]
    for (const after of changes)
      expect(rewritten(within('1', '1', '1'), after)).toEqual([['f', 'return 1 ;', 'return 2 ;']])
  })
  test('none changes where both stay', () => {
    expect(rewritten(file('x ^ y', 'x + y'), file('x ^ y', 'x + y').replace('hash', 'hash_of'))).toEqual([])
  })
  test('where one comes, the last ones are compared', () => {
    const one = file('x ^ y', 'x + y').replace(/#ifdef[^#]*#else\n|#endif\n/g, '')
    expect(rewritten(one, file('x ^ y', 'x - y')).map(([name]) => name)).toEqual(['fold'])
  })
})
