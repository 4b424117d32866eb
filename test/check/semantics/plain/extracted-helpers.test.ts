// SPDX-License-Identifier: GPL-3.0-or-later
// What only moves into a function of its own is done as before, and a condition that is only written otherwise is no
// other check.
import { describe, expect, test } from 'vitest'
import { beyondLines } from '../../../../src/check/semantics/plain/description.ts'
import { beyondOf } from '../../../../src/check/semantics/plain/judgement.ts'
import { changedFunctions } from '../../../../src/check/subject/changed-functions.ts'
import { changeOf } from '../../text.ts'

function told(before: string, after: string): string {
  const functions = changedFunctions([changeOf(before, after)])
  const one = functions.all.find(({ name }) => name === 'f')
  const beyond = one && beyondOf(functions, one)
  if (beyond === undefined) throw new Error('f does not differ')
  return beyondLines(beyond, true).join('\n')
}

const f = (body: string) => `int f(struct port *p, void *from, int n)\n{\n${body}\nreturn 0;\n}\n`
const helper = (head: string, body: string) => `static ${head}\n{\n${body}\n}\n`

describe('code that is cut out into a new function', () => {
  const cuts: readonly (readonly [string, string, string, string])[] = [
    [
      'which calls its parameters otherwise',
      'memcpy(p->buf, from, n);\np->len = n;\nask_device(p);',
      helper(
        'void fill(struct port *port, void *data, int size)',
        'memcpy(port->buf, data, size);\nport->len = size;\nask_device(port);',
      ),
      'fill(p, from, n);',
    ],
    [
      'which gets only the member',
      'memcpy(p->buf, from, n);',
      helper('void fill(char *to, void *data, int size)', 'memcpy(to, data, size);'),
      'fill(p->buf, from, n);',
    ],
    [
      'which gets addresses of members',
      'p->timer.mode = n;\np->len = 3;\nlist_add(&p->list, &ports);',
      helper(
        'void fill(struct timer *t, int mode, int *len, struct list_head *list)',
        't->mode = mode;\n*len = 3;\nlist_add(list, &ports);',
      ),
      'fill(&p->timer, n, &p->len, &p->list);',
    ],
    [
      'which returns what it was told',
      'int err = ask_device(p, from);\nif (err)\nreturn err;\np->len = n;',
      helper('int ask(struct port *p, void *data)', 'return ask_device(p, data);'),
      'int err = ask(p, from);\nif (err)\nreturn err;\np->len = n;',
    ],
    [
      'under a condition without braces',
      'if (n > 2)\nask_device(p);',
      helper('void ask(struct port *port)', 'ask_device(port);'),
      'if (n > 2)\nask(p);',
    ],
  ]
  test.each(cuts)('%s, is as it was, and so it is when it is put back', (_, own, cut, call) => {
    expect(told(f(own), cut + f(call))).toMatch(/^plain/)
    expect(told(cut + f(call), f(own))).toMatch(/^plain/)
  })

  test.each(cuts)('%s, is told where the new function does something else', (_, own, cut, call) => {
    const other = cut.replace('memcpy(', 'memmove(').replace('ask_device(', 'tell_device(').replace('= 3', '= 4')
    expect(told(f(own), other + f(call))).toMatch(/^lives/)
  })

  test('into one that was there, is as it was for the caller', () => {
    const before = helper('void fill(struct port *p, int n)', 'p->len = n;')
    const after = helper('void fill(struct port *p, int n)', 'kfree(p->old);\np->len = n;')
    expect(told(before + f('kfree(p->old);\nfill(p, n);'), after + f('fill(p, n);'))).toMatch(/^plain/)
    expect(told(before + f('kfree(p->other);\nfill(p, n);'), after + f('fill(p, n);'))).toMatch(/^lives/)
  })

  test('is told where nobody calls it any more', () => {
    const cut = helper('void fill(struct port *port)', 'ask_device(port);')
    expect(told(f('ask_device(p);'), cut + f('p->n++;'))).toContain('ask_device(): is called → no longer')
  })
})

describe('a condition', () => {
  const check = (condition: string) => f(`if (${condition})\nreturn -EIO;\np->len = n;`)
  test.each([
    ['!p->ready', 'unlikely(!p->ready)'],
    ['p->ready', '!!(p->ready)'],
    ['p->ready && n > 3', 'likely(p->ready) && unlikely((n > 3))'],
    ['!p || IS_ERR(p)', 'IS_ERR_OR_NULL(p)'],
    ['p && !IS_ERR(p)', '!IS_ERR_OR_NULL(p)'],
    ['p->next == NULL', '!p->next'],
    ['!(n == 3 || p->dead)', 'n != 3 && !p->dead'],
    ['may_go(p)', 'unlikely(may_go(p))'],
  ])('is the same one: %s and %s', (one, other) => {
    for (const [before, after] of [
      [one, other],
      [other, one],
    ] as const)
      expect(told(check(before), check(after))).toBe('plain: only its spelling differs')
  })

  test.each([
    ['!p->ready', 'unlikely(p->ready)'],
    ['p->ready && n > 3', 'likely(p->ready) || n > 3'],
    ['!p || IS_ERR(p)', 'IS_ERR_OR_NULL(from)'],
    ['!p && IS_ERR(p)', 'IS_ERR_OR_NULL(p)'],
    ['(n & 4) == 0', 'n & (4 == 0)'],
    ['!(p->a && p->b)', '!p->a && !p->b'],
    ['a == b', '!(a == b)'],
    ['!n == 3', '!(n == 3)'],
  ])('is another one: %s and %s', (before, after) => {
    expect(told(check(before), check(after))).toMatch(/check|decides/)
  })

  test('is told with what else changes', () => {
    const after = f('if (unlikely(!p->ready))\nreturn -EIO;\nif (n > 9)\nreturn -EINVAL;\np->len = n;')
    expect(told(check('!p->ready'), after)).toBe(
      'plain: it only adds a check and leaves early and returns another value',
    )
  })
})
