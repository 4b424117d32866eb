// SPDX-License-Identifier: GPL-3.0-or-later
// Which changes of a function's locks are dangerous while old and new code run at once, and which are not.
import { describe, expect, test } from 'vitest'
import { lockFindings } from '../../../src/check/locks/lock-usage.ts'
import { changedFunctions } from '../../../src/check/subject/changed-functions.ts'
import { changeOf } from '../text.ts'

function lockings(before: string, after: string) {
  return lockFindings(changedFunctions([changeOf(before, after)])).map(({ severity = 'warning', message }) => ({
    severity,
    message,
  }))
}

const locked = (lock: string, body: string) => `int f(struct q *q)
{
	mutex_lock(&q->${lock});
	${body}
	mutex_unlock(&q->${lock});
	return 0;
}
`

describe('a lock', () => {
  test('in place of another one is a danger: neither keeps old and new code apart', () => {
    const [found, ...others] = lockings(locked('a', 'q->n = 1;'), locked('b', 'q->n = 1;'))
    expect(others).toEqual([])
    expect(found).toMatchObject({ severity: 'warning' })
    expect(found?.message).toContain('f took q->a, and now takes q->b instead')
  })

  test('that is asked for in another manner is the same lock', () => {
    const before = 'void f(void)\n{\n\tspin_lock(&l);\n\tg();\n\tspin_unlock(&l);\n}\n'
    const after = before
      .replace('spin_lock(&l)', 'spin_lock_irqsave(&l, flags)')
      .replace('spin_unlock(&l)', 'spin_unlock_irqrestore(&l, flags)')
    expect(lockings(before, after)).toEqual([])
  })

  test('whose variable is only called otherwise is the same lock', () => {
    const before = 'void f(struct q *q)\n{\n\tmutex_lock(&q->lock);\n\tmutex_unlock(&q->lock);\n}\n'
    expect(lockings(before, before.replaceAll('q->', 'queue->').replace('*q', '*queue'))).toEqual([])
  })

  test('that becomes a guard is the same lock', () => {
    const after = 'int f(struct q *q)\n{\n\tguard(mutex)(&q->a);\n\tq->n = 1;\n\treturn 0;\n}\n'
    expect(lockings(locked('a', 'q->n = 1;'), after)).toEqual([])
  })

  test('that is taken in addition leaves open what was open, which is noted', () => {
    const found = lockings('int f(struct q *q)\n{\n\tq->n = 1;\n\treturn 0;\n}\n', locked('a', 'q->n = 1;'))
    expect(found).toHaveLength(1)
    expect(found[0]).toMatchObject({ severity: 'note' })
    expect(found[0]?.message).toContain('f now takes q->a')
  })

  test('that is no longer taken is a danger when the code changes with it', () => {
    const after = 'int f(struct q *q)\n{\n\tWRITE_ONCE(q->n, 2);\n\treturn 0;\n}\n'
    const [found] = lockings(locked('a', 'q->n = 1;'), after)
    expect(found).toMatchObject({ severity: 'warning' })
    expect(found?.message).toContain('f no longer takes q->a')
  })

  test('that is no longer taken is only noted when nothing else changes', () => {
    const after = 'int f(struct q *q)\n{\n\tq->n = 1;\n\treturn 0;\n}\n'
    expect(lockings(locked('a', 'q->n = 1;'), after)).toMatchObject([{ severity: 'note' }])
  })

  test('that moves to the caller is no danger: both are below one another', () => {
    const before = `static void inner(struct q *q)
{
	mutex_lock(&q->a);
	q->n++;
	mutex_unlock(&q->a);
}
void outer(struct q *q)
{
	inner(q);
}
`
    const after = `static void inner(struct q *q)
{
	q->n += 2;
}
void outer(struct q *q)
{
	mutex_lock(&q->a);
	inner(q);
	mutex_unlock(&q->a);
}
`
    expect(lockings(before, after).filter(({ severity }) => severity !== 'note')).toEqual([])
  })

  test('whose forgotten release is added on an error path is no danger', () => {
    const text = (release: string) => `int f(struct q *q)
{
	mutex_lock(&q->a);
	if (bad(q)) {
		${release}
		return -EINVAL;
	}
	mutex_unlock(&q->a);
	return 0;
}
`
    expect(lockings(text(''), text('mutex_unlock(&q->a);'))).toEqual([])
  })

  test('that one function now holds for another one is a danger', () => {
    const text = (one: string, other: string) => `void begin(struct q *q)
{
	mutex_lock(&q->a);
	q->n++;
	${one}
}
void end(struct q *q)
{
	${other}
	q->n--;
	mutex_unlock(&q->a);
}
`
    const [found] = lockings(text('mutex_unlock(&q->a);', 'mutex_lock(&q->a);'), text('', ''))
    expect(found).toMatchObject({ severity: 'warning' })
    expect(found?.message).toMatch(/begin .*returns with it held.*end .*must switch together/s)
  })

  test('that is taken before and no longer after another one is a danger', () => {
    const text = (outer: string, inner: string) => `void f(struct q *q)
{
	spin_lock(&q->${outer});
	spin_lock(&q->${inner});
	q->n++;
	spin_unlock(&q->${inner});
	spin_unlock(&q->${outer});
}
`
    const [found] = lockings(text('a', 'b'), text('b', 'a'))
    expect(found).toMatchObject({ severity: 'warning' })
    expect(found?.message).toContain('the other way round')
  })

  test('in a comment, a string or a part that is not compiled is none', () => {
    const before = 'void f(void)\n{\n\tg();\n}\n'
    const after =
      'void f(void)\n{\n\t/* mutex_lock(&a); */\n\tg("mutex_lock(&a)");\n#if 0\n\tmutex_lock(&a);\n#endif\n}\n'
    expect(lockings(before, after)).toEqual([])
  })
})
