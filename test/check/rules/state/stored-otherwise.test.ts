// SPDX-License-Identifier: GPL-3.0-or-later
// A flag that live objects hold gets another meaning: its value counts, and not how it is written.
import { describe, expect, test } from 'vitest'
import { storedFindings } from '../../../../src/check/rules/state/stored-otherwise.ts'
import { changedFunctions } from '../../../../src/check/subject/changed-functions.ts'
import { changeOf } from '../../text.ts'

const uses: readonly (readonly [string, string])[] = [
  ['q->flags |= X;', 'return q->flags & X;'],
  ['q->flags = X;', 'return q->flags == X;'],
  ['set_bit(X, &q->flags);', 'return test_bit(X, &q->flags);'],
  ['q->n = v << X;', 'return q->n >> X;'],
  ['WRITE_ONCE(q->n, v | X);', 'return READ_ONCE(q->n) & X;'],
]

/** A value in two spellings: what stands in front of the functions, and what in them. */
type Spelling = readonly [top: string, used: string]

function fileOf([top, used]: Spelling, [write, read]: readonly [string, string]): string {
  return `${top}
struct q { unsigned long flags; int n; };
void set(struct q *q, int v)
{
	${write.replaceAll('X', used)}
}
int get(struct q *q)
{
	${read.replaceAll('X', used)}
}
`
}

const found = (before: Spelling, after: Spelling) =>
  uses.map((use) => storedFindings(changedFunctions([changeOf(fileOf(before, use), fileOf(after, use))])).length)

/** The spellings of 4, or of 8 when the bit is 3. */
const spellings = (bit: number): readonly Spelling[] => [
  ['', `${1 << bit}`],
  ['', `(1 << ${bit})`],
  ['', `1 << (${bit})`],
  ['', `BIT(${bit})`],
  [`#define FLAG ${1 << bit}`, 'FLAG'],
  [`#define FLAG (1 << ${bit})`, 'FLAG'],
  [`#define FLAG (1UL << (${bit}))`, '(FLAG)'],
  [`#define FLAG BIT(${bit})`, 'FLAG'],
  [`enum { FLAG = (1 << ${bit}) };`, 'FLAG'],
  [`#define THIS_ONE (1 << ${bit})`, 'THIS_ONE'],
  [`#define this_one (1 << ${bit})`, 'this_one'],
  [`#define that_one 1 << (${bit})`, 'that_one'],
  [`#define SHIFT (${bit})\n#define FLAG (1 << SHIFT)`, 'FLAG'],
]

const pairs = spellings(2).flatMap((before) => spellings(3).map((after) => [before, after] as const))

describe('a value that objects hold', () => {
  test.each(pairs)('%j is told when it becomes %j', (before, after) =>
    expect(found(before, after).filter((count) => count === 0)).toEqual([]),
  )

  // `v << 1 << 2` is another value.
  const closed = spellings(2).filter(([, used]) => !/^1 <</.test(used))
  const same = closed.flatMap((before) => closed.map((after) => [before, after] as const))
  test.each(same)('%j is the same as %j', (before, after) => expect(found(before, after)).toEqual(uses.map(() => 0)))
})
