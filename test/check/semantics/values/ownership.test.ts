// SPDX-License-Identifier: GPL-3.0-or-later
// What one function gave back before the patch and another one does after it: dangerous where no single call runs both.
import { describe, expect, test } from 'vitest'
import { referenceFindings } from '../../../../src/check/rules/concurrency/refcount-balance.ts'
import { changedFunctions } from '../../../../src/check/subject/changed-functions.ts'
import { changeOf } from '../../text.ts'

const said = (before: string, after: string) =>
  referenceFindings(changedFunctions([changeOf(before, after)])).map(({ message }) => message)

/** Who queues, and what runs later. */
type Later = readonly [take: string, queue: string, head: string]
const text = ([take, queue, head]: Later, early: string, late: string) => `struct some { int id; };
static void some_free_later(${head})
{
	struct some *s = some_of(${head.split('*')[1]});

	${late}
	kfree(s);
}
int some_open(struct some *s)
{
	${take}
	return 0;
}
void some_close(struct some *s)
{
	s->open = 0;
	${early}
	${queue}
}
`
const rcu: Later = ['s->id = 1;', 'call_rcu(&s->rcu, some_free_later);', 'struct rcu_head *head']
const work: Later = [
  's->id = ida_alloc(&ids, GFP_KERNEL);',
  'INIT_WORK(&s->work, some_free_later);\n\tschedule_work(&s->work);',
  'struct work_struct *work',
]
const timer: Later = [
  'timer_setup(&s->timer, some_free_later, 0);\n\tlist_add(&s->node, &all);',
  'mod_timer(&s->timer, jiffies + HZ);',
  'struct timer_list *timer',
]
const thread: Later = [
  's->users = percpu_counter_sum(&total);',
  'kthread_run(some_free_later, s, "some");',
  'void *data',
]
const notifier: Later = [
  's->open = 1;',
  'raw_notifier_chain_register(&chain, &s->block);',
  'struct notifier_block *block',
]

const gives: readonly (readonly [what: string, how: Later, give: string])[] = [
  ['a reference, from an RCU callback', rcu, 'put_pid(s->owner.pid);'],
  ['an id, from a work', work, 'ida_free(&ids, s->id);'],
  ['an index, from a work', work, 'idr_remove(&table, s->id);'],
  ['an entry of a list, from a timer', timer, 'list_del(&s->node);'],
  ['an entry of a tree, from a timer', timer, 'rb_erase(&s->node, &tree);'],
  ['a counter, from a thread', thread, 'percpu_counter_dec(&total);'],
  ['a sum, from a thread', thread, 's->parent->bytes -= 1;'],
  ['what is registered, from an RCU callback', rcu, 'unregister_netdevice_notifier(&s->block);'],
  ['a clock, from a notifier', notifier, 'clk_disable_unprepare(s->clk);'],
  ['memory, from an RCU callback', rcu, 'kfree(s->options);'],
]

describe('what is given back by another function than before', () => {
  test('is told whole, where the same functions change hands with several things', () => {
    const two = 'ida_free(&ids, s->id);\n\tidr_remove(&table, s->id);'
    const [message, ...others] = said(text(work, '', two), text(work, two, ''))
    expect(others).toEqual([])
    expect(message).toMatch(/gave back \(ida_free\(.*\) and idr_remove\(.*\)\)/)
  })

  test.each(gives)('asks about %s, in both directions', (_, how, give) => {
    for (const [before, after] of [
      [text(how, '', give), text(how, give, '')],
      [text(how, give, ''), text(how, '', give)],
    ] as const) {
      const messages = said(before, after)
      expect(messages).toHaveLength(1)
      expect(messages[0]).toMatch(/some_free_later.*some_close|some_close.*some_free_later/)
    }
  })

  test('tells what runs later', () => {
    const [message] = said(text(work, '', 'ida_free(&ids, s->id);'), text(work, 'ida_free(&ids, s->id);', ''))
    expect(message).toContain('some_free_later can run later, in the other patch state than what queued it:')
  })

  test('a work that is also called at once runs later, too', () => {
    const file = (inner: string, outer: string) => `static void release(struct some *s)
{
	s->zc = false;
	${inner}
}
static void release_later(struct work_struct *work)
{
	release(container_of(work, struct some, work));
}
void put(struct some *s, bool later)
{
	${outer}
	if (later) {
		INIT_WORK(&s->work, release_later);
		schedule_work(&s->work);
	} else {
		release(s);
	}
}
`
    expect(said(file('ida_free(&ids, s->id);', ''), file('', 'ida_free(&ids, s->id);'))).toHaveLength(1)
  })

  test('and not where one call runs both', () => {
    const file = (inner: string, outer: string) => `static void close_part(struct some *s)
{
	s->part = 0;
	${inner}
}
void some_close(struct some *s)
{
	close_part(s);
	${outer}
}
`
    for (const [, , give] of gives) expect(said(file(give, ''), file('', give))).toEqual([])
  })

  test('and not where each caller of a function does it now in its place', () => {
    const file = (inner: string, one: string, other: string) => `void close_part(struct some *s)
{
	s->part = 0;
	${inner}
}
void some_close(struct some *s)
{
	close_part(s);
	${one}
}
void some_fail(struct some *s)
{
	close_part(s);
	${other}
}
`
    for (const [, , give] of gives.slice(0, -1)) expect(said(file(give, '', ''), file('', give, give))).toEqual([])
  })

  test.each([
    ['it is made fit to be taken out again', 'list_del_init(&s->node);'],
    ['a device is only switched off', 'some_disable(s);'],
    ['it is an order of accesses', 'smp_store_release(&s->ready, 1);'],
    ['it only says something', 'pr_info("free %d", s->id);'],
    ['it is a buffer of one call', 'cpumask_var_t mask;\n\tfree_cpumask_var(mask);'],
  ])('and not where %s', (_, give) => {
    expect(said(text(rcu, '', give), text(rcu, give, ''))).toEqual([])
  })

  test('and not where what is given back was taken there as well', () => {
    const both = 's->tmp = ida_alloc(&ids, GFP_KERNEL);\n\tida_free(&ids, s->tmp);'
    expect(said(text(rcu, '', both), text(rcu, both, ''))).toEqual([])
  })

  test('and not where a function that clears what it frees moves', () => {
    const file = (early: string, late: string) => `static void free_zones(struct some *s)
{
	unmap_zones(s->zones);
	s->zones = NULL;
}
${text(rcu, early, late)}`
    expect(said(file('', 'free_zones(s);'), file('free_zones(s);', ''))).toEqual([])
  })
})
