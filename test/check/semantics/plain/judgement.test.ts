// SPDX-License-Identifier: GPL-3.0-or-later
// A function is called plain because of what was compared: never "only its spelling differs" of two that do different
// things, and "another order" only of the same steps.
import { describe, expect, test } from 'vitest'
import { reviewOf } from '../../../../src/check/check.ts'
import { beyondLines } from '../../../../src/check/semantics/plain/description.ts'
import { type Beyond, beyondOf } from '../../../../src/check/semantics/plain/judgement.ts'
import { beyondOfReplaced } from '../../../../src/check/semantics/plain/replaced.ts'
import { changedFunctions } from '../../../../src/check/subject/changed-functions.ts'
import type { Found } from '../../../../src/check/subject/rule.ts'
import type { FileChange } from '../../../../src/patch/patch.ts'

const frame = `struct timer { int mode; struct list_head list; spinlock_t lock; };
struct port { void *membase; int iobase; int flags; struct kref kref; const struct ops *ops; struct timer timer; };
static int twice(int a) { return a * 2; }
static void arm(struct timer *t, int mode) { t->mode = mode; }
HEAD
{
BODY
}
`
const head = 'int f(struct port *port, struct port *other, int value, unsigned int size, int (*cb)(int, int))'
const sideOf = (body: string, top: string) => frame.replace('HEAD', top).replace('BODY', body)

function functionsOf(from: string, to: string, heads: readonly [string, string] = [head, head], more = '') {
  const change = {
    path: 'fs/a.c',
    before: sideOf(from, heads[0]) + more,
    after: sideOf(to, heads[1]) + more,
    origins: new Map(),
    lineage: [],
  } as FileChange
  return changedFunctions([change])
}

function judged(from: string, to: string, heads: readonly [string, string] = [head, head]): Beyond {
  const functions = functionsOf(from, to, heads)
  const one = functions.all.find(({ name }) => name === 'f')
  if (one === undefined) throw new Error('the function does not differ')
  const beyond = beyondOf(functions, one)
  if (beyond === undefined) throw new Error('the function is on one side only')
  return beyond
}

const lines = (beyond: Beyond) => beyondLines(beyond, true).join('\n')

describe('a call that does another thing lives', () => {
  test.each([
    [
      'a mode',
      'struct timer *t = &port->timer;\nhrtimer_start(t, value, MODE_REL);',
      'struct timer *t = &port->timer;\nhrtimer_start(t, value, MODE_ABS);',
    ],
    [
      'the bits of a wake-up',
      'wake_up_poll(&port->wqh, EPOLLIN | value);',
      'wake_up_poll(&port->wqh, EPOLLHUP | value);',
    ],
    ['a value that is written to a device', 'writew(value, port->membase);', 'writew(value ^ 1, port->membase);'],
    ['another port', 'outb(value, port->iobase);', 'outb(value, port->iobase + 1);'],
    ['another list', 'list_add(&new->list, &port->list);', 'list_add(&new->list, &other->list);'],
    ['two arguments, exchanged', 'hand_over(port, other);', 'hand_over(other, port);'],
    [
      'another lock of the same kind',
      'spin_lock(&port->lock);\nspin_unlock(&port->lock);',
      'spin_lock(&other->lock);\nspin_unlock(&other->lock);',
    ],
    [
      'another way to lock',
      'down_read(&port->sem);\nup_read(&port->sem);',
      'down_write(&port->sem);\nup_write(&port->sem);',
    ],
    ['interrupts that stay on', 'spin_lock_irq(&port->lock);', 'spin_lock(&port->lock);'],
    ['another object that is counted', 'kref_get(&port->kref);', 'kref_get(&other->kref);'],
    ['another object that is freed', 'kfree(port->membase);', 'kfree(other->membase);'],
    ['one woken instead of all', 'wake_up(&port->wqh);', 'wake_up_all(&port->wqh);'],
    ['flags of an allocation', 'p = kmalloc(size, GFP_KERNEL);', 'p = kmalloc(size, GFP_ATOMIC);'],
    [
      'the size of another type',
      'p = kmalloc(sizeof(struct timer), GFP_KERNEL);',
      'p = kmalloc(sizeof(struct port), GFP_KERNEL);',
    ],
    ['a cast that truncates', 'send_word(port, value);', 'send_word(port, (u8)value);'],
    ['one more', 'send_word(port, value++);', 'send_word(port, ++value);'],
    ['a string', 'request_firmware(&port->fw, "a.bin");', 'request_firmware(&port->fw, "b.bin");'],
    ['how many', 'send_all(port, table, ARRAY_SIZE(table));', 'send_all(port, table, ARRAY_SIZE(table) - 1);'],
    ['a call within an argument', 'send_word(port, next_word(port, 1));', 'send_word(port, next_word(port, 2));'],
    ['a callee whose text writes its argument', 'arm(&port->timer, 1);', 'arm(&port->timer, 2);'],
    [
      'a callee of which the answer is asked',
      'if (try_start(port, 1))\nreturn 1;',
      'if (try_start(port, 2))\nreturn 1;',
    ],
    ['a callee whose answer is returned', 'return start(port, 1);', 'return start(port, 2);'],
    ['a method', 'port->ops->start(port, 1);', 'port->ops->start(port, 2);'],
    ['a function that was handed over', 'cb(1, value);', 'cb(2, value);'],
    ['a function that was handed over, gone', 'cb(1, value);\nvalue++;', 'value++;'],
    ['a function of a table', 'handlers[value](port, 1);', 'handlers[value](port, 2);'],
    ['a function behind a star', '(*cb)(1, value);', '(*cb)(2, value);'],
    ['assembly', 'asm volatile("lfence" ::: "memory");', 'asm volatile("nop" ::: "memory");'],
    ['a counter of this processor', 'this_cpu_inc(port_count);', 'this_cpu_dec(port_count);'],
    ['a macro in capitals', 'SET_MODE(port, 1);', 'SET_MODE(port, 2);'],
    ['the same member of another object', 'port->flags = 1;', 'other->flags = 1;'],
    [
      'what stands behind sixty letters',
      'port->flags = the_first_word_of_it + the_second_word_of_it + the_third_word_of_it + 1;',
      'port->flags = the_first_word_of_it + the_second_word_of_it + the_third_word_of_it + 2;',
    ],
    ['what an assertion does', 'WARN_ON(port->flags++);', 'WARN_ON(port->flags--);'],
    [
      'a write that is moved, and differs',
      'port->flags = 1;\nport->iobase = 2;',
      'port->iobase = 2;\nother->flags = 1;',
    ],
  ])('%s', (_what, from, to) => {
    const beyond = judged(from, to)
    expect(lines(beyond)).toMatch(/^lives: /)
    if (beyond.verdict === 'lives') for (const { before, after } of beyond.living) expect(before).not.toBe(after)
  })
})

test('a value between braces ends in front of the one that closes', () => {
  const beyond = judged('port->timer = (struct timer) { .mode = 1 };', 'port->timer = (struct timer) { .mode = 2 };')
  expect(lines(beyond)).toMatch(/mode: = 1 → = 2$/m)
})

describe('a member in an initial value', () => {
  const given = (head: string, value: number) => `${head} = { .timer = { .mode = ${value} } };\nuse(&q);`

  test.each([
    ['struct port q'],
    ['struct odd { struct timer timer; int mode; } q'],
    ['struct { struct timer timer; } q'],
  ])('of %s is the function’s own', (head) =>
    expect(judged(given(head, 1), given(head, 2))).toMatchObject({ verdict: 'plain' }),
  )

  test('of a static variable lives', () => {
    const beyond = judged(given('static struct port q', 1), given('static struct port q', 2))
    expect(beyond.verdict).toBe('lives')
    expect(lines(beyond)).toMatch(/^lives: mode of struct port: = 1 → = 2$/m)
  })
})

describe('what could hide a difference is told', () => {
  const wrap = (inner: string) =>
    `${head}\n`.replace(head, `static void put(struct port *p, int v) { ${inner} }\n${head}`)

  test.each([
    [
      'an answer goes to another place of user space',
      'copy_to_user(port->membase, &value, 4);',
      'copy_to_user(other->membase, &value, 4);',
    ],
    [
      'a value for user space goes elsewhere',
      'put_user(value, (int *)port->membase);',
      'put_user(value, (int *)other->membase);',
    ],
    ['a wait asks another condition', 'wait_event(port->wqh, value);', 'wait_event(port->wqh, value && size);'],
  ])('where %s', (_what, from, to) => {
    expect(judged(from, to).verdict).toBe('lives')
  })

  test.each([
    ['another object', 'kref_put(&port->kref, free_port);', 'put(other, value);', 'kref_put(&p->kref, free_port);'],
    [
      'another function that frees',
      'kref_put(&port->kref, free_port);',
      'put(port, value);',
      'kref_put(&p->kref, free_all);',
    ],
    ['another value', 'kref_put_many(&port->kref, value);', 'put(port, size);', 'kref_put_many(&p->kref, v);'],
  ])('where a new function does the same to %s', (_what, from, to, inner) => {
    expect(judged(from, to, [head, wrap(inner)]).verdict).toBe('lives')
  })

  test('and not where a wait only reads its condition in another order', () => {
    const wait = (read: string) => `wait_var_event(&port->flags, ${read}(&port->flags) <= 2);`
    expect(judged(wait('atomic_read'), wait('atomic_read_acquire'))).toMatchObject({ verdict: 'plain' })
  })

  test('and not where it does the same', () => {
    const same = wrap('kref_put(&p->kref, free_port);')
    expect(judged('kref_put(&port->kref, free_port);', 'put(port, value);', [head, same])).toMatchObject({
      verdict: 'plain',
    })
    expect(judged('copy_to_user(cb, &value, 4);', 'copy_to_user(cb, &value, size);')).toMatchObject({
      verdict: 'plain',
    })
  })
})

describe('what a function decides or computes otherwise is called so', () => {
  test.each([
    [
      'and for both',
      'if (value & size)\nport->flags = 1;',
      'if (value && size)\nport->flags = 1;',
      'decides otherwise',
    ],
    ['a negation', 'if (busy(port))\nport->flags = 1;', 'if (!busy(port))\nport->flags = 1;', 'decides otherwise'],
    [
      'precedence',
      'if (value & (size | 1))\nport->flags = 1;',
      'if ((value & size) | 1)\nport->flags = 1;',
      'decides otherwise',
    ],
    [
      'a bound of a loop',
      'for (i = 0; i < size; i++)\nport->flags = 1;',
      'for (i = 0; i <= size; i++)\nport->flags = 1;',
      'decides otherwise',
    ],
    [
      'a case',
      'switch (value) {\ncase 1:\nport->flags = 1;\n}',
      'switch (value) {\ncase 2:\nport->flags = 1;\n}',
      'decides otherwise',
    ],
    [
      'a statement that is no longer below its condition',
      'if (value) {\nport->flags = 1;\nport->iobase = 1;\n}',
      'if (value)\nport->flags = 1;\nport->iobase = 1;',
      'decides otherwise',
    ],
    [
      'an else',
      'if (value)\nport->flags = 1;\nelse\nport->iobase = 1;',
      'if (value)\nport->flags = 1;\nport->iobase = 1;',
      'decides otherwise',
    ],
    [
      'another else',
      'if (value) {\nif (size)\nport->flags = 1;\nelse\nport->iobase = 1;\n}',
      'if (value) {\nif (size)\nport->flags = 1;\n} else\nport->iobase = 1;',
      'decides otherwise',
    ],
    [
      'a loop whose test comes first',
      'do {\nport->flags = 1;\n} while (value);',
      'while (value) {\nport->flags = 1;\n}',
      'decides otherwise',
    ],
    [
      'a step that is done before the test',
      'if (value) {\nreset(port);\n}',
      'reset(port);\nif (value) {\n}',
      'decides otherwise',
    ],
    ['a shift', 'value <<= 1;', 'value <<= 2;', 'computes a local value otherwise'],
    ['a quotient', 'value /= 2;', 'value %= 2;', 'computes a local value otherwise'],
    ['a local type', 'int a;\na = value;', 'u8 a;\na = value;', 'computes a local value otherwise'],
    ['a function that does nothing else', 'twice(1);', 'twice(2);', 'computes a local value otherwise'],
    [
      'an object of the stack',
      'struct port own;\nmemset(&own, 0, sizeof(own));',
      'struct port own;\nmemset(&own, 1, sizeof(own));',
      'computes a local value otherwise',
    ],
    ['a returned value', 'return value;', 'return -value;', 'returns another value'],
    [
      'a barrier that is moved',
      'port->flags = 1;\nsmp_wmb();\nport->iobase = 1;',
      'smp_wmb();\nport->flags = 1;\nport->iobase = 1;',
      'orders accesses to memory',
    ],
    [
      'a read that may be torn',
      'port->flags = READ_ONCE(other->flags);',
      'port->flags = other->flags;',
      'orders accesses to memory',
    ],
  ])('%s', (_what, from, to, why) => {
    const beyond = judged(from, to)
    expect(lines(beyond)).toContain(why)
    expect(lines(beyond)).not.toContain('spelling')
  })

  test('a type of a parameter', () => {
    expect(lines(judged('return value;', 'return value;', [head, head.replace('int value', 'u8 value')]))).toBe(
      'plain: it only takes or returns another type',
    )
  })
})

describe('what is the same is called so', () => {
  test.each([
    ['braces', 'if (value) {\nreset(port);\n}', 'if (value)\nreset(port);', 'plain: only its spelling differs'],
    [
      'a name of a local variable',
      'int a = value;\nsend_word(port, a);',
      'int b = value;\nsend_word(port, b);',
      undefined,
    ],
    [
      'two steps, exchanged',
      'reset(port);\nport->flags = 1;',
      'port->flags = 1;\nreset(port);',
      'plain: it only takes the same steps in another order',
    ],
    ['a message', 'pr_info("a %d", value);', 'pr_info("b %d", value);', 'plain: it only says something else'],
  ])('%s', (_what, from, to, line) => {
    const beyond = judged(from, to)
    expect(beyond.verdict).toBe('plain')
    if (line !== undefined) expect(lines(beyond)).toBe(line)
  })
})

describe('of what is replaced', () => {
  const [from, to] = ['return value;', 'return value + 1;']
  const verdict = (...found: Found[]) => {
    const { warned } = reviewOf([[{ name: 'refcount-balance', severity: 'warning', remedy: 'Look' }, found]])
    return beyondOfReplaced(functionsOf(from, to), warned)('f').verdict
  }

  test('nothing is plain of which a rule warns, by its symbol or among others', () => {
    const message = 'References to port are no longer given back by f()'
    expect(verdict()).toBe('plain')
    expect(verdict({ symbol: 'f', message: 'It is counted otherwise' })).toBe('lives')
    expect(verdict({ symbol: 'port', functions: ['f', 'g'], message })).toBe('lives')
    expect(verdict({ symbol: 'port', functions: ['ff'], message })).toBe('plain')
    expect(verdict({ symbol: 'f', severity: 'note', message })).toBe('plain')
  })

  test('the words of a message leave the verdict alone', () => {
    for (const message of ['f and g count otherwise', 'Two functions count otherwise', 'f'])
      for (const [functions, expected] of [
        [['f', 'g'], 'lives'],
        [['g'], 'plain'],
      ] as const)
        expect(verdict({ symbol: 'port', functions, message })).toBe(expected)
  })

  test('a function is what those are that were put into it', () => {
    const outer = 'int g(struct port *p)\n{\nreturn f(p, p, 1, 2, 0);\n}\n'
    const of = (one: string, other: string) =>
      lines(beyondOfReplaced(functionsOf(one, other, [head, head], outer), new Map())('g'))
    expect(of(from, to)).toBe('plain: of f, which is part of it, it only returns another value')
    // Nothing is known of what a label alone is for, so nothing is said of it.
    expect(of('out: return value;', 'done: return value;')).toBe(
      'not told: of f, which is part of it, its text does not tell what it does otherwise',
    )
  })
})
