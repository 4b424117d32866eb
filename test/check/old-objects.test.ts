// SPDX-License-Identifier: GPL-3.0-or-later
// Objects that the old code has made, and what the new code finds in them: members that belonged together and no longer
// do, objects of which the new code mends one half, and code that never reaches what is there.
import { describe, expect, test } from 'vitest'
import { changedFunctions } from '../../src/check/subject/changed-functions.ts'
import { textFindings } from '../alive/text-findings.ts'
import { changeOf } from './text.ts'

const pool = `struct pool { spinlock_t lock; struct mutex mutex; struct list_head jobs; int count; int min; struct task_struct *worker; };
struct job { struct list_head node; };
`

/** The warnings of one rule, and in `notes` what is only told. */
function told(before: string, after: string, rule: string) {
  const change = changeOf(pool + before, pool + after)
  const own = textFindings(changedFunctions([change]), [change]).filter((one) => one.rule === rule)
  return {
    warnings: own.filter(({ severity }) => severity !== 'note').map(({ message }) => message),
    notes: own.filter(({ severity }) => severity === 'note').map(({ message }) => message),
  }
}

describe('members that were set in one section of a lock', () => {
  const start = (body: string, more = '') =>
    `${more}int start(struct pool *p, struct job ` +
    `*j)\n{\n\tspin_lock(&p->lock);\n${body}\tspin_unlock(&p->lock);\n\treturn 0;\n}\n`
  const both = '\tlist_add(&j->node, &p->jobs);\n\tp->count++;\n'

  test.each([
    [
      'with the lock free in between',
      start(
        '\tlist_add(&j->node, ' +
          '&p->jobs);\n\tspin_unlock(&p->lock);\n\tcond_resched();\n\tspin_lock(&p->lock);\n\tp->count++;\n',
      ),
      both,
    ],
    [
      'in a new function that takes the lock itself',
      start(
        '\tp->min = 4;\n',
        'int launch(struct pool *p)\n{\n\tscoped_guard(spinlock, &p->lock) ' +
          '{\n\t\trcu_assign_pointer(p->worker, make());\n\t}\n\treturn 0;\n}\n',
      ).replace('return 0;\n}\n', 'return 0;\n}\n') +
        'int all(struct pool *p, struct job *j)\n{\n\tstart(p, j);\n\treturn launch(p);\n}\n',
      '\tp->min = 4;\n\trcu_assign_pointer(p->worker, make());\n',
    ],
    [
      'by an order that is written and one that is called',
      `static void grow(struct pool *p)\n{\n\tp->count = p->count + ` +
        `1;\n}\n${start('\tWRITE_ONCE(p->min, 1);\n\tspin_unlock(&p->lock);\n\tspin_lock(&p->lock);\n\tgrow(p);\n')}`,
      '\tWRITE_ONCE(p->min, 1);\n\tp->count = p->count + 1;\n',
    ],
  ])('are asked about when they are set %s', (_how, after, old) => {
    const all = 'int all(struct pool *p, struct job *j)\n{\n\treturn start(p, j);\n}\n'
    const before = after.includes('int all(') ? start(old) + all : start(old)
    expect(told(before, after, 'lock-balance').warnings).toEqual([
      expect.stringMatching(/^start set .* together with .*, in one section of struct pool\.lock; now/),
    ])
  })

  test('are told of each section', () => {
    const drain = (body: string) =>
      `int drain(struct pool *p)\n{\n\tspin_lock(&p->lock);\n${body}\tspin_unlock(&p->lock);\n\treturn 0;\n}\n`
    const parted = (one: string, other: string) => `${one}\tspin_unlock(&p->lock);\n\tspin_lock(&p->lock);\n${other}`
    const [count, min] = ['\tp->count = 1;\n', '\tp->min = 1;\n']
    const [max, idle] = ['\tp->max = 1;\n', '\tp->idle = 1;\n']
    const before = start(count + min) + drain(max + idle)
    const after = start(parted(count, min)) + drain(parted(max, idle))
    expect(told(before, after, 'lock-balance').warnings).toEqual([
      expect.stringMatching(/^start set count together with min/),
      expect.stringMatching(/^drain set idle together with max|^drain set max together with idle/),
    ])
  })

  test.each([
    [
      'by a helper under the same lock',
      start('\tlist_add(&j->node, &p->jobs);\n\tgrow(p);\n', 'static void grow(struct pool *p)\n{\n\tp->count++;\n}\n'),
    ],
    ['in the other sequence', start('\tp->count++;\n\tlist_add(&j->node, &p->jobs);\n')],
    ['and one of them no longer', start('\tlist_add(&j->node, &p->jobs);\n')],
    [
      'where a way out releases the lock',
      start(
        '\tlist_add(&j->node, &p->jobs);\n\tif (p->min) {\n\t\tspin_unlock(&p->lock);\n\t\treturn ' +
          '-EIO;\n\t}\n\tp->count++;\n',
      ),
    ],
  ])('are not when they are set %s', (_how, after) => {
    expect(told(start(both), after, 'lock-balance').warnings).toEqual([])
  })
})

describe('what an object is made with', () => {
  const device = (init: string, update: string, table = '.ndo_init = dev_init') => `
static int dev_init(struct net_device *dev)
{
	${init}
	return 0;
}
void dev_update(struct net_device *dev)
{
	${update}
}
static const struct net_device_ops ops = { ${table}, };
`
  const warnings = (before: string, after: string) => told(before, after, 'set-up-by-old-code').warnings

  test.each([
    ['a network device', '.ndo_init = dev_init', 'needed_headroom'],
    ['a driver', '.probe = dev_init', 'mtu'],
    ['a file system', '.fill_super = dev_init', 'flags'],
  ])('is asked about when %s that exists gets one half of it', (_what, table, member) => {
    expect(
      warnings(
        device(`dev->${member} = 4; dev->header_ops = &plain_ops;`, `dev->${member} = 4;`, table),
        device(`dev->${member} = 8; dev->header_ops = &tagged_ops;`, `dev->${member} = 8;`, table),
      ),
    ).toEqual([
      expect.stringContaining(
        `dev_update now gives struct net_device.${member} another value in existing objects; dev_init now ` +
          'gives struct net_device.header_ops',
      ),
    ])
  })

  test.each([
    [
      'all of it is given to what exists as well',
      device('dev->mtu = 4; dev->type = 1;', 'dev->mtu = 4; dev->type = 1;'),
      device('dev->mtu = 8; dev->type = 2;', 'dev->mtu = 8; dev->type = 2;'),
    ],
    [
      'what exists gets something else',
      device('dev->mtu = 4; dev->type = 1;', 'dev->flags = 1;'),
      device('dev->mtu = 8; dev->type = 2;', 'dev->flags = 2;'),
    ],
    [
      'the other function runs only below the one that makes',
      device('dev->mtu = 4; dev->type = 1; dev_update(dev);', 'dev->mtu = 4;').replace(
        'void dev_update',
        'static void dev_update',
      ),
      device('dev->mtu = 8; dev->type = 2; dev_update(dev);', 'dev->mtu = 8;').replace(
        'void dev_update',
        'static void dev_update',
      ),
    ],
  ])('is not when %s', (_what, before, after) => {
    expect(warnings(before, after)).toEqual([])
  })
})

describe('code that runs only when a processor comes', () => {
  const body = (check: string) => `\n{\n\t${check}\n\treturn 0;\n}\n`
  const on = (text: (body: string) => string) =>
    told(text(body('feature(c);')), text(body('if (!c)\n\t\treturn -1;\n\tfeature(c);')), 'reaches-only-new')

  test.each([
    [
      'a table of its maker',
      (text: string) => `static int up(void *c)${text}static const struct cpu_dev dev = { .c_init = up, };`,
    ],
    [
      'a state of the hotplug machine',
      (text: string) =>
        `static int up(void *c)${text}static int __init start(void)\n{\n\treturn ` +
        `cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "x:online", up, NULL);\n}\n`,
    ],
    [
      'a helper of such code',
      (text: string) =>
        `static int detect(void *c)${text}static int up(void *c)\n{\n\treturn detect(c);\n}\nstatic ` +
        'const struct cpu_dev dev = { .c_early_init = up, };',
    ],
  ])('is asked about, by %s: in those that are online the fix has no effect', (_what, text) => {
    expect(on(text).warnings).toEqual([
      expect.stringMatching(/processors that are online keep .*, so for them the fix has no effect/),
    ])
  })

  test.each([
    [
      'it is only a part of the fix',
      (text: string) =>
        `static int up(void *c)${text}int use(void *c)${text}static const struct cpu_dev dev = { .c_init = up, };`,
    ],
    [
      'devices can be bound again',
      (text: string) => `static int up(void *c)${text}static struct pci_driver driver = { .probe = up, };`,
    ],
  ])('is only told when %s', (_what, text) => {
    const { warnings, notes } = on(text)
    expect(warnings).toEqual([])
    expect(notes).toHaveLength(1)
  })

  test('is not when the code is called elsewhere as well', () => {
    expect(
      on(
        (text) =>
          `int up(void *c)${text}static const struct cpu_dev dev = { .c_init = up, };\nint use(void ` +
          `*c)\n{\n\treturn up(c);\n}\n`,
      ),
    ).toEqual({ warnings: [], notes: [] })
  })
})
