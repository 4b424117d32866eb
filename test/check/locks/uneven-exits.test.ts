// SPDX-License-Identifier: GPL-3.0-or-later
// A way out on which a changed function keeps a lock, gives it up twice, or does the like with a section, a reference
// or memory: it is asked about, and the function is not called plain. What a fix does on its ways out is not.
import { describe, expect, test } from 'vitest'
import { lockFindings } from '../../../src/check/locks/lock-usage.ts'
import { referenceFindings } from '../../../src/check/rules/concurrency/refcount-balance.ts'
import { beyondOf } from '../../../src/check/semantics/plain/judgement.ts'
import { changedFunctions } from '../../../src/check/subject/changed-functions.ts'
import { changeOf } from '../text.ts'

const types = `struct q { spinlock_t lock; struct mutex m; struct semaphore sem; struct rw_semaphore rw; int n; struct kref ref; };
`
const fileOf = (body: string, helpers = '') => `${types}${helpers}int f(struct q *q, int flags)
{
	int err;
	unsigned long irq;
	${body}
	return 0;
}
`

function judged(before: string, after: string, helpers: readonly [string, string] = ['', '']) {
  const functions = changedFunctions([changeOf(fileOf(before, helpers[0]), fileOf(after, helpers[1]))])
  const found = [...lockFindings(functions), ...referenceFindings(functions)]
  return {
    asked: found.filter(({ severity = 'warning' }) => severity === 'warning').map(({ message }) => message),
    verdict: beyondOf(functions, functions.all.find(({ name }) => name === 'f')!)?.verdict,
  }
}

/** Two ways out, each of which ends what `begin` begins. */
const twoWays = (begin: string, end: string) => `${begin}; if (g(q)) { ${end}; return 1; } q->n = 1; ${end};`
/** The same, and the first one does not. */
const oneWay = (begin: string, end: string) => `${begin}; if (g(q)) { return 1; } q->n = 1; ${end};`
/** The same, and the first one does it twice. */
const thrice = (begin: string, end: string) => `${begin}; if (g(q)) { ${end}; ${end}; return 1; } q->n = 1; ${end};`

const pairs: readonly (readonly [string, string, string])[] = [
  ['a spinlock', 'spin_lock(&q->lock)', 'spin_unlock(&q->lock)'],
  ['a spinlock with interrupts', 'spin_lock_irqsave(&q->lock, irq)', 'spin_unlock_irqrestore(&q->lock, irq)'],
  ['a mutex', 'mutex_lock(&q->m)', 'mutex_unlock(&q->m)'],
  ['a semaphore', 'down(&q->sem)', 'up(&q->sem)'],
  ['a semaphore of readers', 'down_read(&q->rw)', 'up_read(&q->rw)'],
  ['a section of RCU', 'rcu_read_lock()', 'rcu_read_unlock()'],
  ['interrupts', 'local_irq_disable()', 'local_irq_enable()'],
  ['preemption', 'preempt_disable()', 'preempt_enable()'],
  ['a reference', 'kref_get(&q->ref)', 'kref_put(&q->ref, gone)'],
  ['a reference that is got', 'struct device *d = get_device(q->d)', 'put_device(d)'],
]

describe('one way out', () => {
  test.each(pairs)('that keeps %s is asked about, and is not plain', (_what, begin, end) => {
    const { asked, verdict } = judged(twoWays(begin, end), oneWay(begin, end))
    expect(asked).toHaveLength(1)
    expect(asked[0]).toMatch(/^f can now return/)
    expect(verdict).toBe('lives')
  })

  test.each(pairs)('that gives up %s twice is asked about, and is not plain', (_what, begin, end) => {
    const { asked, verdict } = judged(twoWays(begin, end), thrice(begin, end))
    expect(asked).toHaveLength(1)
    expect(verdict).toBe('lives')
  })

  test.each(pairs)('that gives up %s, which it kept before, is how a leak is fixed', (_what, begin, end) => {
    expect(judged(oneWay(begin, end), twoWays(begin, end))).toEqual({ asked: [], verdict: 'plain' })
  })

  test.each([
    [
      'frees memory twice',
      'void *p = kmalloc(9, GFP_KERNEL); if (g(p)) { kfree(p); return 2; } kfree(p);',
      'void *p = kmalloc(9, GFP_KERNEL); if (g(p)) { kfree(p); kfree(p); return 2; } kfree(p);',
    ],
    [
      'frees memory in front of the label that frees it',
      'void *p = kmalloc(9, GFP_KERNEL); if (g(p)) goto out; q->n = 1; out: kfree(p);',
      'void *p = kmalloc(9, GFP_KERNEL); if (g(p)) { kfree(p); goto out; } q->n = 1; out: kfree(p);',
    ],
    [
      'no longer goes by way of the label that unlocks',
      'spin_lock(&q->lock); if (g(q)) goto out; q->n = 1; out: spin_unlock(&q->lock);',
      'spin_lock(&q->lock); if (g(q)) return -1; q->n = 1; spin_unlock(&q->lock);',
    ],
    [
      'begins a section and does not end it',
      'if (!g(q)) return 1;',
      'rcu_read_lock(); if (!g(q)) return 1; rcu_read_unlock();',
    ],
    [
      'takes a lock that it holds',
      'mutex_lock(&q->m); q->n = 1; mutex_unlock(&q->m);',
      'mutex_lock(&q->m); if (q->n) { mutex_lock(&q->m); g(q); mutex_unlock(&q->m); } q->n = 1; mutex_unlock(&q->m);',
    ],
    [
      'releases another lock',
      'spin_lock(&q->lock); spin_lock(&q->n_lock); spin_unlock(&q->n_lock); spin_unlock(&q->lock);',
      'spin_lock(&q->lock); spin_lock(&q->n_lock); spin_unlock(&q->n_lock); spin_unlock(&q->n_lock);',
    ],
    [
      'leaves a loop',
      'spin_lock(&q->lock); while (q->n) { if (g(q)) break; } spin_unlock(&q->lock);',
      'spin_lock(&q->lock); while (q->n) { if (g(q)) return 1; } spin_unlock(&q->lock);',
    ],
    [
      'leaves a switch',
      'mutex_lock(&q->m); switch (flags) { case 1: g(q); break; default: q->n = 1; } mutex_unlock(&q->m);',
      'mutex_lock(&q->m); switch (flags) { case 1: return 1; default: q->n = 1; } mutex_unlock(&q->m);',
    ],
    [
      'leaves a loop of a macro',
      'spin_lock(&q->lock); list_for_each_entry(e, &q->list, node) { if (g(e)) break; } spin_unlock(&q->lock);',
      'spin_lock(&q->lock); list_for_each_entry(e, &q->list, node) { if (g(e)) return 1; } spin_unlock(&q->lock);',
    ],
    [
      'unlocks though it did not get the lock',
      'if (!spin_trylock(&q->lock)) return 1; q->n = 1; spin_unlock(&q->lock);',
      'if (!spin_trylock(&q->lock)) { spin_unlock(&q->lock); return 1; } q->n = 1; spin_unlock(&q->lock);',
    ],
    [
      'returns though it got the lock',
      'err = mutex_lock_interruptible(&q->m); if (err) return err; q->n = 1; mutex_unlock(&q->m);',
      'err = mutex_lock_interruptible(&q->m); if (!err) return err; q->n = 1; mutex_unlock(&q->m);',
    ],
  ])('that %s is asked about, and is not plain', (_what, before, after) => {
    const { asked, verdict } = judged(before, after)
    expect(asked).not.toEqual([])
    expect(verdict).toBe('lives')
  })
})

test('a function that is new and keeps a lock keeps it for who calls it', () => {
  const before = 'spin_lock(&q->lock); q->n = 1; spin_unlock(&q->lock);'
  const begin = 'static void begin(struct q *q)\n{\n\tspin_lock(&q->lock);\n\tq->n = 1;\n}\n'
  expect(judged(before, 'begin(q); spin_unlock(&q->lock);', ['', begin]).asked).toEqual([])
  expect(judged(before, 'begin(q);', ['', begin]).asked).toHaveLength(1)
})

describe('ways out that are as even as before:', () => {
  const locked = 'mutex_lock(&q->m); q->n = 1; mutex_unlock(&q->m);'

  test.each([
    [
      'one more, with its unlock',
      locked,
      'mutex_lock(&q->m); if (q->n) { mutex_unlock(&q->m); return 3; } q->n = 1; mutex_unlock(&q->m);',
    ],
    ['a lock that may not be got', locked, 'if (!mutex_trylock(&q->m)) return -EBUSY; q->n = 1; mutex_unlock(&q->m);'],
    [
      'one that may be interrupted',
      locked,
      'err = mutex_lock_interruptible(&q->m); if (err < 0) return err; q->n = 1; mutex_unlock(&q->m);',
    ],
    ['one that may be killed', locked, 'if (mutex_lock_killable(&q->m)) return -EINTR; q->n = 1; mutex_unlock(&q->m);'],
    [
      'two conditions',
      locked,
      'if (flags && !mutex_trylock(&q->m)) return 2; if (!flags) mutex_lock(&q->m); q->n = 1; mutex_unlock(&q->m);',
    ],
    [
      'a condition that is asked twice',
      locked,
      'if (flags & 1) mutex_lock(&q->m); q->n = 1; if (flags & 1) mutex_unlock(&q->m);',
    ],
    [
      'an address that is asked for twice',
      locked,
      'if (q != &other) mutex_lock(&q->m); g(&other); if (q != &other) mutex_unlock(&q->m);',
    ],
    [
      'a variable that tells',
      locked,
      'bool locked = false; if (g(q)) { mutex_lock(&q->m); locked = true; } q->n = 1; if (locked) mutex_unlock(&q->m);',
    ],
    [
      'a guard',
      'mutex_lock(&q->m); if (q->n) { mutex_unlock(&q->m); return 1; } mutex_unlock(&q->m);',
      'guard(mutex)(&q->m); if (q->n) return 1;',
    ],
    [
      'a lock that is given up for a while',
      locked,
      'mutex_lock(&q->m); while (q->n) { mutex_unlock(&q->m); g(q); mutex_lock(&q->m); } mutex_unlock(&q->m);',
    ],
    ['a pointer to the lock', locked, 'struct mutex *lock = &q->m; mutex_lock(lock); q->n = 2; mutex_unlock(&q->m);'],
    ['a bug that ends the task', locked, 'mutex_lock(&q->m); if (q->n > 9) { BUG(); } q->n = 1; mutex_unlock(&q->m);'],
    [
      'what a lookup found is put',
      'struct device *d = find(q); if (g(d)) return 1; put_device(d);',
      'struct device *d = find(q); if (g(d)) { put_device(d); return 1; } put_device(d);',
    ],
    [
      'a reference that may not be got',
      'if (!kref_get_unless_zero(&q->ref)) return 1; q->n = 1; kref_put(&q->ref, gone);',
      'if (!kref_get_unless_zero(&q->ref)) return 2; q->n = 2; kref_put(&q->ref, gone);',
    ],
    [
      'more that is freed in a loop',
      'for (err = 0; err < 3; err++) kfree(q->a[err]);',
      'for (err = 0; err < 4; err++) { kfree(q->a[err]); kfree(q->b[err]); }',
    ],
    ['one variable for two objects', 'void *p = q->a; kfree(p);', 'void *p = q->a; kfree(p); p = q->b; kfree(p);'],
  ])('%s', (_what, before, after) => expect(judged(before, after).asked).toEqual([]))
})
