// SPDX-License-Identifier: GPL-3.0-or-later
// Variables of a file that are merged into another one, or of which a new one is split off.
import { describe, expect, test } from 'vitest'
import { elsewhereFindings } from '../../../../src/check/rules/state/kept-elsewhere.ts'
import { changedFunctions } from '../../../../src/check/subject/changed-functions.ts'
import { textFindings } from '../../../alive/text-findings.ts'
import { changeOf } from '../../text.ts'

function said(before: string, after: string): string[] {
  const changes = [changeOf(before, after)]
  return elsewhereFindings(changedFunctions(changes), changes).map(({ message }) => message)
}

/** A file with two things of one kind, of which the functions `a_*` use the first one. */
function twoThings(declare: (name: string) => string, bodies: (name: string) => readonly string[]) {
  const functions = (prefix: string, name: string) =>
    bodies(name).map((body, at) => `static int ${prefix}_${at}(struct one *it)\n{\n${body}\n}\n`)
  const rest = functions('b', 'b_it').join('')
  const both = `${declare('a_it')};\n${declare('b_it')};\n`
  return {
    apart: `${both}${functions('a', 'a_it').join('')}${rest}`,
    merged: `${declare('b_it')};\n${functions('a', 'b_it').join('')}${rest}`,
    /** Before `a_it` is split off. */
    one: `${declare('b_it')};\n${functions('a', 'b_it').join('')}${rest}`,
  }
}

const kinds: [string, (name: string) => string, (name: string) => string[]][] = [
  [
    'a list',
    (name) => `static LIST_HEAD(${name})`,
    (name) => [
      `list_add(&it->node, &${name});\nreturn 0;`,
      `struct one *x;\nlist_for_each_entry(x, &${name}, node)\nif (x->id == it->id) return 1;\nreturn 0;`,
    ],
  ],
  [
    'a counter',
    (name) => `static int ${name}`,
    (name) => [`if (${name}++ > 5) return -EBUSY;\nreturn 0;`, `${name}--;\nreturn 0;`],
  ],
  [
    'an atomic counter',
    (name) => `static atomic_t ${name} = ATOMIC_INIT(0)`,
    (name) => [`return atomic_inc_return(&${name});`, `atomic_dec(&${name});\nreturn 0;`],
  ],
  [
    'a bitmap',
    (name) => `static DECLARE_BITMAP(${name}, 32)`,
    (name) => [`return test_and_set_bit(it->id, ${name});`, `clear_bit(it->id, ${name});\nreturn 0;`],
  ],
  [
    'numbers that are given out',
    (name) => `static DEFINE_IDA(${name})`,
    (name) => [`it->id = ida_alloc(&${name}, GFP_KERNEL);\nreturn it->id;`, `ida_free(&${name}, it->id);\nreturn 0;`],
  ],
  [
    'a wait queue',
    (name) => `static DECLARE_WAIT_QUEUE_HEAD(${name})`,
    (name) => [`return wait_event_interruptible(${name}, it->done);`, `it->done = 1;\nwake_up(&${name});\nreturn 0;`],
  ],
  [
    'a pointer',
    (name) => `static struct one *${name}`,
    (name) => [`if (${name}) return -EBUSY;\n${name} = it;\nreturn 0;`, `return ${name} == it;`],
  ],
  [
    'a hook',
    (name) => `static int (*${name})(struct one *)`,
    (name) => [`WRITE_ONCE(${name}, it->hook);\nreturn 0;`, `return ${name} ? ${name}(it) : 0;`],
  ],
  [
    'a workqueue',
    (name) => `static struct workqueue_struct *${name} __read_mostly`,
    (name) => [`${name} = alloc_workqueue("x", 0, 0);\nreturn !${name};`, `flush_workqueue(${name});\nreturn 0;`],
  ],
  [
    'a hash table',
    (name) => `static DEFINE_HASHTABLE(${name}, 4)`,
    (name) => [`hash_add(${name}, &it->node, it->id);\nreturn 0;`, `return hash_empty(${name});`],
  ],
  [
    'a counter of each processor',
    (name) => `static DEFINE_PER_CPU(int, ${name})`,
    (name) => [`this_cpu_inc(${name});\nreturn 0;`, `return this_cpu_read(${name});`],
  ],
  [
    'a struct of the file',
    (name) => `static struct { struct list_head list; int count; } ${name} = { .list = LIST_HEAD_INIT(${name}.list) }`,
    (name) => [`list_add(&it->node, &${name}.list);\n${name}.count++;\nreturn 0;`, `return ${name}.count;`],
  ],
]

describe('what the old code has put somewhere is not found', () => {
  test.each(kinds)('when %s is merged into another one', (_, declare, bodies) => {
    const { apart, merged } = twoThings(declare, bodies)
    expect(said(apart, merged)).toEqual([
      'a_0 and a_1 now use b_it in place of a_it, which nothing uses any more; what the old code has ' +
        'left in a_it is lost to the new code',
    ])
  })

  test.each(kinds)('when %s is split off another one', (_, declare, bodies) => {
    const { apart, one } = twoThings(declare, bodies)
    expect(said(one, apart)).toEqual([
      'a_0 and a_1 now use the new a_it in place of b_it, which other code still uses; what the old ' +
        'code has left in b_it is not in a_it',
    ])
  })

  const lists = 'static LIST_HEAD(a_list);\nstatic LIST_HEAD(b_list);\n'
  const seen = 'static int seen(void)\n{\nreturn list_empty(&b_list);\n}\n'
  const file = (text: string, declared = lists) => `${declared}${seen}${text}`
  const merged = 'static LIST_HEAD(b_list);\n'

  test('when the statement is another one, too', () => {
    const before = 'void f(struct one *it)\n{\nlist_add(&it->node, &a_list);\n}\n'
    const after = 'void f(struct one *it)\n{\nif (it->ready)\nlist_add_tail(&it->node, &b_list);\n}\n'
    expect(said(file(before), file(after, merged))).toEqual([
      'f now uses b_list in place of a_list, which nothing uses any more; what the old code has left in ' +
        'a_list is lost to the new code',
    ])
  })

  test('when a function that uses it gives way to one that uses the other', () => {
    const put = (name: string) => `static void put_${name}(struct one *it)\n{\nlist_add(&it->node, &${name}_list);\n}\n`
    const caller = (name: string) => `int f(struct one *it)\n{\nput_${name}(it);\nreturn 0;\n}\n`
    expect(said(file(put('a') + put('b') + caller('a')), file(put('b') + caller('b'), merged))).toEqual([
      expect.stringMatching(/^f now uses b_list in place of a_list, /),
    ])
  })

  test('when a macro names the other one', () => {
    const text = (name: string) =>
      `#define HEAD (&${name}_list)\nvoid f(struct one *it)\n{\nlist_add(&it->node, HEAD);\n}\nint ` +
      `g(void)\n{\nreturn list_empty(HEAD);\n}\n`
    expect(said(file(text('a')), file(text('b'), merged))).toHaveLength(1)
  })

  test('when the other one belongs to the kernel', () => {
    const text = (name: string) => `void f(struct one *it)\n{\nqueue_work(${name}, &it->work);\n}\n`
    const make = 'static int __init start(void)\n{\na_wq = alloc_workqueue("a", 0, 0);\nreturn 0;\n}\n'
    expect(said(`static struct workqueue_struct *a_wq;\n${text('a_wq')}${make}`, text('system_wq'))).toEqual([
      expect.stringMatching(/^f now uses system_wq in place of a_wq, /),
    ])
  })
})

describe('there is nothing to ask', () => {
  const kept = (name: string) => `static int g(void)\n{\nreturn use(${name});\n}\n`
  const merge = (declare: (name: string) => string, body: (name: string) => string) => {
    const { apart, merged } = twoThings(declare, (name) => [body(name)])
    return [...said(apart, merged), ...said(merged, apart)]
  }

  test.each<[string, (name: string) => string, (name: string) => string]>([
    ['a constant table', (name) => `static const int ${name}[] = { 1, 2 }`, (name) => `return ${name}[it->id];`],
    ['a table that nobody writes', (name) => `static int ${name}[] = { 1, 2 }`, (name) => `return ${name}[1];`],
    ['a text', (name) => `static const char *${name} = "x"`, (name) => `return strlen(${name});`],
    ['operations', (name) => `static struct ops ${name} = { .f = g }`, (name) => `return reg(&${name});`],
    ['a rate', (name) => `static DEFINE_RATELIMIT_STATE(${name}, 5, 9)`, (name) => `return __ratelimit(&${name});`],
    ['a class of locks', (name) => `static struct lock_class_key ${name}`, (name) => `return set(&${name});`],
    [
      'a buffer of one call',
      (name) => `static char ${name}[9]`,
      (name) => `snprintf(${name}, sizeof(${name}), "x");\nreturn use(${name});`,
    ],
    ['what a call sets first', (name) => `static int ${name}`, (name) => `${name} = it->id;\nreturn use(${name});`],
    ['a message', (name) => `static int ${name}`, (name) => `pr_info("%d", ${name});\nreturn 0;`],
    ['what only the start uses', (name) => `static int ${name} __initdata`, (name) => `return ${name}++;`],
    ['a variable of the function', () => 'static int c_it', (name) => `int ${name} = 0;\nreturn ${name}++;`],
    ['a member', () => 'static int c_it', (name) => `return it->${name}++;`],
  ])('about %s', (_, declare, body) => {
    expect(merge(declare, body)).toEqual([])
  })

  test.each([
    ['DEFINE_SPINLOCK', 'spin_'],
    ['DEFINE_MUTEX', 'mutex_'],
    ['DECLARE_RWSEM', 'down_'],
  ])('about a lock (%s), which lock-balance reports', (declare, word) => {
    const [take, give] = word === 'down_' ? ['down_write', 'up_write'] : [`${word}lock`, `${word}unlock`]
    const { apart, merged } = twoThings(
      (name) => `static ${declare}(${name})`,
      (name) => [`${take}(&${name});\nit->n++;\n${give}(&${name});\nreturn 0;`],
    )
    const changes = [changeOf(apart, merged)]
    expect(textFindings(changedFunctions(changes), changes).map(({ rule }) => rule)).toEqual(['lock-balance'])
  })

  test('where both names are one by a macro', () => {
    const text = (name: string) =>
      `static LIST_HEAD(a_list);\n#define b_list a_list\nvoid f(struct one *it)\n{\nlist_add(&it->node, ` +
      `&${name});\n}\nvoid g(void)\n{\nflush(&b_list);\n}\n`
    expect(said(text('a_list'), text('b_list'))).toEqual([])
    expect(said(text('b_list'), text('a_list'))).toEqual([])
  })

  test('where a new variable only stands beside it', () => {
    const text = (body: string, more = '') =>
      `static struct workqueue_struct *wq;\n${more}void f(void)\n{\n${body}\n}\nvoid ` +
      `g(void)\n{\nflush_workqueue(wq);\nwq = NULL;\n}\n`
    const after = text('if (going)\nreturn;\nend();', 'static struct workqueue_struct *going;\n')
    expect(said(text('destroy_workqueue(wq);\nwq = NULL;'), after)).toEqual([])
  })

  test('where others still use both, or the variable is only renamed', () => {
    const text = (name: string) => `void f(struct one *it)\n{\nlist_add(&it->node, &${name});\n}\n`
    const both = `static LIST_HEAD(a_list);\nstatic LIST_HEAD(b_list);\n${kept('&a_list')}`
    expect(said(both + text('a_list'), both + text('b_list'))).toEqual([])
    const one = (name: string) => `static LIST_HEAD(${name});\n${text(name)}`
    expect(said(one('a_list'), one('b_list'))).toEqual([])
  })

  test('where a variable of the same name in another file is meant', () => {
    const path = 'drivers/net/other.c'
    const text = (name: string) => `static int ${name};\nint f_${name}(void)\n{\nreturn ${name}++;\n}\n`
    const use = (name: string) => `int use(void)\n{\nint ${name} = 0;\nreturn ${name}++;\n}\n`
    const changes = [changeOf(text('a'), text('a')), changeOf(use('a'), use('b'), path)]
    expect(elsewhereFindings(changedFunctions(changes), changes)).toEqual([])
  })
})
