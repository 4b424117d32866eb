// SPDX-License-Identifier: GPL-3.0-or-later
// Which changes of references, of waiting and of setting up are dangerous while objects of old and of new code exist.
import { describe, expect, test } from 'vitest'
import { referenceFindings } from '../../../../src/check/rules/concurrency/refcount-balance.ts'
import { wakeFindings } from '../../../../src/check/rules/concurrency/wake-up.ts'
import { keyFindings } from '../../../../src/check/rules/interfaces/static-key.ts'
import { setUpFindings } from '../../../../src/check/rules/state/set-up-by-old-code.ts'
import { changedFunctions } from '../../../../src/check/subject/changed-functions.ts'
import type { Found } from '../../../../src/check/subject/rule.ts'
import { changeOf } from '../../text.ts'

type Find = (functions: ReturnType<typeof changedFunctions>) => Found[]

function said(find: Find, before: string, after: string): string[] {
  return find(changedFunctions([changeOf(before, after)])).map(({ message }) => message)
}

const pair = (open: string, close: string) => `int some_open(struct some *s)
{
	${open}
	return 0;
}
void some_close(struct some *s)
{
	${close}
}
`

describe('a reference', () => {
  test('that one function takes and another one drops, both only now, is a danger', () => {
    const [message] = said(
      referenceFindings,
      pair('', 's->open = false;'),
      pair('kref_get(&s->kref);', 's->open = false;\n\tkref_put(&s->kref, some_free);'),
    )
    expect(message).toMatch(/taken in some_open and dropped in some_close/)
  })

  test('that is counted by a member of its own is one as well', () => {
    const found = said(referenceFindings, pair('', ''), pair('s->users++;', 's->users--;'))
    expect(found).toHaveLength(1)
  })

  test('that is only dropped where it was forgotten is no danger', () => {
    expect(
      said(referenceFindings, pair('dev_hold(s->dev);', ''), pair('dev_hold(s->dev);', 'dev_put(s->dev);')),
    ).toEqual([])
  })

  test('that one function takes and drops itself is no danger', () => {
    expect(
      said(referenceFindings, pair('use(s);', ''), pair('sock_hold(s->sk);\n\tuse(s);\n\tsock_put(s->sk);', '')),
    ).toEqual([])
  })

  test('that moves into a function which only the first one calls is no danger', () => {
    const text = (own: string, helper: string) => `static void helper(struct some *s)
{
	s->n = 1;
	${helper}
}
void f(struct some *s)
{
	get_device(s->dev);
	helper(s);
	${own}
}
`
    expect(said(referenceFindings, text('put_device(s->dev);', ''), text('', 'put_device(s->dev);'))).toEqual([])
  })

  test('that is dropped in another function than before is a danger', () => {
    const [message] = said(referenceFindings, pair('kfree(s->buffer);', ''), pair('', 'kfree(s->buffer);'))
    expect(message).toContain('released twice or never')
  })

  test('of which an object has one more from the start, dropped elsewhere, is a danger', () => {
    const found = said(
      referenceFindings,
      pair('refcount_set(&s->refs, 1);', ''),
      pair('refcount_set(&s->refs, 2);', 'if (refcount_dec_and_test(&s->refs))\n\t\tkfree(s);'),
    )
    expect(found).toHaveLength(1)
  })

  test('is told from what only looks like one', () => {
    expect(said(referenceFindings, pair('', ''), pair('skb_put(skb, 4);', 'get_user(x, p);'))).toEqual([])
  })
})

describe('a wait', () => {
  test('for what only the new code of another function says is a danger', () => {
    const [message] = said(wakeFindings, pair('', ''), pair('wait_for_completion(&s->done);', 'complete(&s->done);'))
    expect(message).toContain('may never end')
  })

  test('that ends by itself is none', () => {
    expect(
      said(wakeFindings, pair('', ''), pair('wait_for_completion_timeout(&s->done, HZ);', 'complete(&s->done);')),
    ).toEqual([])
  })

  test('for what was said before as well is none', () => {
    expect(
      said(
        wakeFindings,
        pair('', 'complete(&s->done);'),
        pair('wait_for_completion(&s->done);', 'complete(&s->done);'),
      ),
    ).toEqual([])
  })
})

describe('what is set up', () => {
  test('and used only since the patch is a danger for objects that exist', () => {
    const [message] = said(setUpFindings, pair('', ''), pair('INIT_LIST_HEAD(&s->waiters);', 'list_del(&s->waiters);'))
    expect(message).toContain('some_open now sets up waiters, and some_close now uses it')
  })

  test('is also what gets a value for the first time, in a new helper', () => {
    const helper = 'static void make(struct some *s)\n{\n\ts->state = kmalloc(8, 0);\n}\n'
    const found = said(setUpFindings, pair('', ''), helper + pair('make(s);', 's->state->n = 0;'))
    expect(found).toHaveLength(1)
  })

  test('and was used before is how a forgotten one is mended', () => {
    expect(
      said(
        setUpFindings,
        pair('', 'list_del(&s->waiters);'),
        pair('INIT_LIST_HEAD(&s->waiters);', 'list_del(&s->waiters);'),
      ),
    ).toEqual([])
  })
})

describe('a static key', () => {
  const keysSaid = (before: string, after: string) => {
    const changes = [changeOf(before, after)]
    return keyFindings(changedFunctions(changes), changes).map(({ message }) => message)
  }

  test('that is switched otherwise than before is a danger', () => {
    const found = keysSaid(pair('', ''), pair('static_branch_enable(&some_key);', ''))
    expect(found).toEqual([
      expect.stringContaining('some_open enables or disables some_key differently; some_key keeps'),
    ])
  })

  test('that is only asked is none', () => {
    expect(keysSaid(pair('', ''), pair('if (static_branch_unlikely(&some_key))\n\t\tf();', ''))).toEqual([])
  })

  test.each([
    'DEFINE_STATIC_KEY_FALSE(own_key);',
    'static DEFINE_STATIC_KEY_TRUE(own_key);',
    'struct static_key own_key;',
  ])('that the patch itself brings is none: %s', (definition) => {
    const after = pair('static_branch_enable(&own_key);', '')
    expect(keysSaid(pair('', ''), `${definition}\n${after}`)).toEqual([])
    expect(keysSaid(`${definition}\n${pair('', '')}`, `${definition}\n${after}`)).toHaveLength(1)
  })

  test('that the patch only announces is another file’s', () => {
    const announced = `extern struct static_key own_key;\n${pair('static_branch_enable(&own_key);', '')}`
    expect(keysSaid(pair('', ''), announced)).toHaveLength(1)
  })
})
