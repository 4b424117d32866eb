// SPDX-License-Identifier: GPL-3.0-or-later
// Formulas on which old and new code must agree: counts, sums, orders, ends of lists, cookies, and what readers without
// a lock rely on.
import { describe, expect, test } from 'vitest'
import { readerFindings } from '../../../../src/check/rules/concurrency/lockless-readers.ts'
import { countedFindings } from '../../../../src/check/rules/state/counted-otherwise.ts'
import { changedFunctions } from '../../../../src/check/subject/changed-functions.ts'
import { textFindings } from '../../../alive/text-findings.ts'
import { changeOf } from '../../text.ts'

const types = `struct box { int users; long bytes; spinlock_t lock; seqcount_t seq; struct list_head items; struct item *first; void *cookie; };
struct item { struct item *next; struct list_head node; int rank; struct rcu_head rcu; };
static struct box the_box;
`

/** The rules that warn. */
function rules(before: string, after: string): string[] {
  const change = changeOf(types + before, types + after)
  const found = textFindings(changedFunctions([change]), [change])
  return [...new Set(found.flatMap(({ rule, severity }) => (severity === 'note' ? [] : [rule])))]
}

describe('a count at which something turns', () => {
  const put = (test: string) =>
    `int box_put(struct box *b)\n{\n\tint left;\n\n\tif (${test})\n\t\tbox_free(b);\n\treturn 0;\n}\n`

  test.each([
    ['!--b->users', '!b->users--'],
    ['--b->users == 0', '--b->users == 1'],
    ['atomic_dec_and_test(&b->users)', 'atomic_dec_return(&b->users) == 1'],
    ['(left = atomic_dec_return(&b->users)) == 0 || left < 0', 'atomic_dec_return(&b->users) < 2'],
    ['atomic_inc_return(&the_box.users) == 1', 'atomic_inc_return(&the_box.users) == 2'],
  ])('is asked about when %s becomes %s', (before, after) => {
    expect(rules(put(before), put(after))).toContain('counted-otherwise')
  })

  test.each([
    ['!--b->users', '--b->users == 0'],
    ['atomic_dec_and_test(&b->users)', 'atomic_dec_return(&b->users) == 0'],
    ['b->users-- == 1', '!--b->users'],
    ['atomic_inc_return(&b->users) > 1', 'atomic_inc_return(&b->users) >= 2'],
    ['!--b->users', '!--b->users && b->first'],
  ])('is not when %s is written as %s', (before, after) => {
    expect(rules(put(before), put(after))).not.toContain('counted-otherwise')
  })
})

describe('a sum', () => {
  const charge = (up: string, down: string) =>
    `void box_charge(struct box *b, long size)\n{\n\t${up};\n}\nvoid box_uncharge(struct box *b, long ` +
    `size)\n{\n\t${down};\n}\n`

  test.each([
    ['b->bytes += size', 'b->bytes -= size', 'b->bytes += size >> 2', 'b->bytes -= size >> 2'],
    [
      'atomic_long_add(size, &b->bytes)',
      'atomic_long_sub(size, &b->bytes)',
      'atomic_long_add(1, &b->bytes)',
      'atomic_long_sub(1, &b->bytes)',
    ],
    [
      'page_counter_charge(b, size)',
      'page_counter_uncharge(b, size)',
      'page_counter_charge(b, size * 2)',
      'page_counter_uncharge(b, size * 2)',
    ],
    ['b->users++', 'b->users--', 'b->users += 2', 'b->users -= 2'],
    [
      'percpu_counter_inc(&b->bytes)',
      'percpu_counter_dec(&b->bytes)',
      'percpu_counter_add_batch(&b->bytes, 2)',
      'percpu_counter_sub(&b->bytes, 2)',
    ],
    [
      'atomic_inc(&b->users)',
      'if (atomic_dec_and_test(&b->users)) box_free(b)',
      'atomic_add(4, &b->users)',
      'if (atomic_sub_and_test(4, &b->users)) box_free(b)',
    ],
    [
      'local64_inc(&b->bytes)',
      'local64_dec(&b->bytes)',
      'local64_add(size, &b->bytes)',
      'local64_sub(size, &b->bytes)',
    ],
  ])('is asked about when both ways have another unit: %s', (up, down, newUp, newDown) => {
    expect(rules(charge(up, down), charge(newUp, newDown))).toContain('counted-otherwise')
  })

  test('is not when one way is mended, or a name is another one', () => {
    const before = charge('b->bytes += size', 'b->bytes -= size')
    expect(rules(before, charge('b->bytes += size', 'b->bytes -= size - 1'))).toEqual([])
    expect(rules(before, before.replaceAll('size', 'length'))).toEqual([])
  })

  test('is not when the same steps are written otherwise', () => {
    const plainly = charge('b->users++', 'b->users--')
    expect(rules(plainly, charge('b->users += 1', '--b->users'))).toEqual([])
    expect(rules(charge('atomic_inc(&b->users)', 'atomic_dec(&b->users)'), plainly)).toEqual([])
    expect(rules(plainly, charge('list_add(&b->items, &b->first)', 'b->users--'))).toEqual([])
  })

  const atomic = charge('atomic64_add(size, &b->bytes)', 'atomic64_sub(size, &b->bytes)')

  test.each([
    [atomic, charge('b->users += size', 'b->users -= size')],
    [charge('b->users++', 'b->users--'), charge('atomic_inc(&b->bytes)', 'atomic_dec(&b->bytes)')],
  ])('is asked about when a charge moves to another counter', (before, after) => {
    expect(rules(before, after)).toContain('counted-otherwise')
  })

  test('is not when a charge moves on one way only, is added to a second counter, or a counter is renamed', () => {
    expect(rules(atomic, charge('b->users += size', 'atomic64_sub(size, &b->bytes)'))).toEqual([])
    expect(
      rules(
        atomic,
        charge('atomic64_add(size, &b->bytes); b->users += size', 'atomic64_sub(size, &b->bytes); b->users -= size'),
      ),
    ).not.toContain('counted-otherwise')
    const before = types + atomic
    const change = changeOf(before, before.replaceAll('bytes', 'octets'))
    expect(countedFindings(changedFunctions([change]))).toEqual([])
  })
})

describe('an order that is kept by hand', () => {
  const add = (test: string) =>
    `void item_add(struct box *b, struct item *n)\n{\n\tstruct item **p = &b->first;\n\n\twhile (*p) ` +
    `{\n\t\tif (${test})\n\t\t\tbreak;\n\t\tp = &(*p)->next;\n\t}\n\tn->next = *p;\n\t*p = n;\n}\n`

  test('is asked about when it is turned', () => {
    expect(rules(add('n->rank > (*p)->rank'), add('n->rank < (*p)->rank'))).toEqual(['placed-otherwise'])
  })

  test('is not when it only puts equal ones elsewhere, or is written the other way round', () => {
    expect(rules(add('n->rank > (*p)->rank'), add('n->rank >= (*p)->rank'))).toEqual([])
    expect(rules(add('n->rank > b->users'), add('b->users < n->rank'))).toEqual([])
  })
})

describe('what readers without a lock rely on', () => {
  const drop = (body: string) => `void item_drop(struct box *b, struct item *n)\n{\n${body}}\n`

  test.each([
    ['a grace period', '\tlist_del_rcu(&n->node);\n\tkfree_rcu(n, rcu);\n', '\tlist_del_rcu(&n->node);\n\tkfree(n);\n'],
    [
      'a wait',
      '\tlist_del_rcu(&n->node);\n\tsynchronize_rcu();\n\tkfree(n);\n',
      '\tlist_del_rcu(&n->node);\n\tkfree(n);\n',
    ],
    ['an RCU list', '\tlist_add_rcu(&n->node, &b->items);\n', '\tlist_add(&n->node, &b->items);\n'],
    ['a release', '\tsmp_store_release(&b->first, n);\n', '\tb->first = n;\n'],
    ['a barrier', '\tn->rank = 1;\n\tsmp_wmb();\n\tb->first = n;\n', '\tn->rank = 1;\n\tb->first = n;\n'],
    [
      'a seqcount',
      '\twrite_seqcount_begin(&b->seq);\n\tb->first = n;\n\twrite_seqcount_end(&b->seq);\n',
      '\tb->first = n;\n',
    ],
    [
      'a wait, beside another object that was freed later before',
      '\tcall_rcu(&b->rcu, box_free);\n\tlist_del_rcu(&n->node);\n\tsynchronize_rcu();\n\tkfree(n);\n',
      '\tcall_rcu(&b->rcu, box_free);\n\tlist_del_rcu(&n->node);\n\tkfree(n);\n',
    ],
    [
      'a wait, and another object is freed later now',
      '\tkfree(b);\n\tlist_del_rcu(&n->node);\n\tsynchronize_rcu();\n\tkfree(n);\n',
      '\tkfree_rcu(b, rcu);\n\tlist_del_rcu(&n->node);\n\tkfree(n);\n',
    ],
    [
      'a wait, and another function frees another object later',
      '\tlist_del_rcu(&n->node);\n\tsynchronize_rcu();\n\tkfree(n);\n}\nvoid box_end(struct box *b)\n{\n\tkfree(b);\n',
      '\tlist_del_rcu(&n->node);\n\tkfree(n);\n}\nvoid box_end(struct box *b)\n{\n\tkfree_rcu(b, rcu);\n',
    ],
  ])('is asked about when %s goes', (_what, before, after) => {
    expect(rules(drop(before), drop(after))).toContain('lockless-readers')
  })

  test('is told of each thing that goes', () => {
    const before = '\tn->rank = 1;\n\tsmp_wmb();\n\tb->first = n;\n\tsynchronize_rcu();\n\tkfree(n->next);\n'
    const after = '\tn->rank = 1;\n\tb->first = n;\n\tkfree(n->next);\n'
    const change = changeOf(types + drop(before), types + drop(after))
    const found = readerFindings(changedFunctions([change])).map(({ message }) => message)
    expect(found).toHaveLength(2)
    expect(found.join(' ')).toMatch(/barrier smp_wmb.*waits by synchronize_rcu/)
  })

  test.each([
    ['a free waits now', '\tkfree(n);\n', '\tkfree_rcu(n, rcu);\n'],
    [
      'a wait becomes a callback of RCU',
      '\tlist_del_rcu(&n->node);\n\tsynchronize_rcu();\n\titem_end(n);\n',
      '\tlist_del_rcu(&n->node);\n\tcall_rcu(&n->rcu, item_end_rcu);\n',
    ],
    [
      'the caller frees later what it freed',
      '\tlist_del_rcu(&n->node);\n\tsynchronize_rcu();\n}\nvoid all(struct box *b, struct item *n)\n{\n' +
        '\titem_drop(b, n);\n\tkfree(n);\n',
      '\tlist_del_rcu(&n->node);\n}\nvoid all(struct box *b, struct item *n)\n{\n' +
        '\titem_drop(b, n);\n\tkfree_rcu(n, rcu);\n',
    ],
    ['a wait becomes a free that waits', '\tsynchronize_rcu();\n\tkfree(n);\n', '\tkfree_rcu(n, rcu);\n'],
    ['a barrier and a store become one', '\tsmp_wmb();\n\tb->first = n;\n', '\tsmp_store_release(&b->first, n);\n'],
    ['NULL is stored', '\trcu_assign_pointer(b->first, NULL);\n', '\tRCU_INIT_POINTER(b->first, NULL);\n'],
    [
      'another function that frees waits',
      '\tlist_del_rcu(&n->node);\n\tsynchronize_rcu();\n\titem_end(n);\n}\nvoid item_end(struct item ' +
        '*n)\n{\n\tkfree(n);\n',
      '\tlist_del_rcu(&n->node);\n\titem_end(n);\n}\nvoid item_end(struct item *n)\n{\n\tkfree_rcu(n, rcu);\n',
    ],
    ['all of it goes', '\tn->rank = 1;\n\tsmp_wmb();\n\tb->first = n;\n', '\tkfree(b);\n'],
  ])('is not when %s', (_what, before, after) => {
    expect(rules(drop(before), drop(after))).not.toContain('lockless-readers')
  })
})

describe('what changes besides is told as well', () => {
  const told = (before: string, after: string) => {
    const change = changeOf(types + before, types + after)
    const found = textFindings(changedFunctions([change]), [change])
    return found.flatMap(({ rule, severity, message }) => (severity === 'note' ? [] : [`${rule}: ${message}`]))
  }
  const functions = (...bodies: string[]) =>
    bodies.map((body, index) => `int f${index}(struct box *b, struct item *n)\n{\n${body}\treturn 0;\n}\n`).join('')

  test('a second place at which a count turns, and a second function', () => {
    const turns = (one: string, other: string) =>
      `\tif (--b->users == ${one}) box_free(b);\n\tif (--n->rank == ${other}) x(n);\n`
    const found = told(functions(turns('0', '0'), turns('0', '0')), functions(turns('1', '1'), turns('1', '2')))
    const counted = found.filter((one) => one.startsWith('counted-otherwise'))
    expect(counted).toHaveLength(3)
    expect(counted[0]).toMatch(/: Each of f0 and f1 now decides at another count of .*users/)
    expect(counted[1]).toMatch(/: f0 now decides at another count of .*rank/)
    expect(counted[2]).toMatch(/: f1 now decides at another count of .*rank/)
  })

  test('another struct that a second function casts to', () => {
    const cast = (type: string) => `\tstruct ${type} *it = (struct ${type} *)b->cookie;\n\tit->x = 1;\n`
    const same = told(functions(cast('one'), cast('one')), functions(cast('two'), cast('two')))
    expect(same).toEqual([
      expect.stringMatching(/^held-otherwise: Each of f0 and f1 now casts .* to struct two instead/),
    ])
    const others = told(functions(cast('one'), cast('one')), functions(cast('two'), cast('three')))
    expect(others).toHaveLength(2)
    expect(others[1]).toMatch(
      /^held-otherwise: f1 now casts .* to struct three instead of struct one; .*hold a struct one/,
    )
  })

  test('a second function that frees by another allocator, and a second way', () => {
    const make = '\tb->first = kmalloc(8, GFP_KERNEL);\n'
    const free = (one: string) => `\t${one}(b->first);\n`
    const before = functions(make, free('kfree'), free('kfree'))
    const found = told(before, functions(make, free('vfree'), free('vfree')))
    expect(found).toEqual([
      expect.stringMatching(/^given-back-otherwise: Each of f1 and f2 now gives .* back by vfree/),
    ])
    const others = told(before, functions(make, free('vfree'), free('kvfree_const')))
    expect(others[0]).toMatch(/^given-back-otherwise: f1 now gives .* back by vfree/)
  })

  test('a count that is trusted, of the struct that keeps it and of no other one', () => {
    const count = '\tatomic_inc(&n->rank);\n'
    const ask = (thing: string) => `\tif (atomic_read(&${thing}) > 9)\n\t\treturn 1;\n`
    const found = told(functions('', '', ''), functions(count, ask('n->rank'), ask('b->rank')))
    const trusted = found.filter((one) => one.startsWith('count-trusted'))
    expect(trusted).toEqual([expect.stringMatching(/^count-trusted: f1 now leaves when struct item.rank/)])
  })
})

describe('a count that goes the other way', () => {
  const file = (begin: string, test: string, step: string) => `
void box_open(struct box *b, long most)
{
	b->bytes = ${begin};
}
int box_take(struct box *b, long size, long most)
{
	if (${test})
		return -ENOSPC;
	b->bytes ${step} size;
	return 0;
}
`
  const left = file('most', 'b->bytes < size', '-=')

  test('is asked about where it begins otherwise as well', () => {
    expect(rules(left, file('0', 'b->bytes + size > most', '+='))).toContain('counted-otherwise')
    expect(rules(file('0', 'b->bytes + size > most', '+='), left)).toContain('counted-otherwise')
  })

  test('is not where a wrong sign is mended, or where it goes both ways', () => {
    expect(rules(left, file('most', 'b->bytes < size', '+='))).toEqual([])
    const both = left.replace('b->bytes -= size;', 'b->bytes -= size;\n\tif (most)\n\t\tb->bytes += size;')
    expect(rules(left, both.replace('b->bytes = most', 'b->bytes = most - 1'))).not.toContain('counted-otherwise')
  })
})
