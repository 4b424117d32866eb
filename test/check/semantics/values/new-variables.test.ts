// SPDX-License-Identifier: GPL-3.0-or-later
// Variables of a file that only the new code has, and lists that only the new code keeps sorted.
import { describe, expect, test } from 'vitest'
import { newVariableFindings } from '../../../../src/check/semantics/values/new-variables.ts'
import { sortedListFindings } from '../../../../src/check/semantics/values/sorted-lists.ts'
import { changedFunctions } from '../../../../src/check/subject/changed-functions.ts'
import { changeOf } from '../../text.ts'

const both = (before: string, after: string) => changedFunctions([changeOf(before, after)])
const asked = (before: string, after: string) =>
  newVariableFindings(both(before, after), [changeOf(before, after)]).map(({ message }) => message)

/** A register, a way back and a look-up, with what the patch adds to each. */
const table = ({ declare = '', add = '', remove = '', find = walk, more = '' }) => `static LIST_HEAD(formats);
${declare}
int format_register(struct format *fmt)
{
	spin_lock(&formats_lock);
	${add}
	list_add_tail(&fmt->node, &formats);
	spin_unlock(&formats_lock);
	return 0;
}
void format_unregister(struct format *fmt)
{
	${remove}
	list_del(&fmt->node);
}
struct format *format_find(u32 id)
{
	struct format *fmt;

	${find}
	return NULL;
}
${more}`
const walk = 'list_for_each_entry(fmt, &formats, node)\n\t\tif (fmt->id == id)\n\t\t\treturn fmt;'

describe('a new variable is asked about that one function fills, and by which another one decides', () => {
  test.each([
    [
      'an index in place of a walk',
      {
        declare: 'static DEFINE_XARRAY(by_id);',
        add: 'xa_store(&by_id, fmt->id, fmt, GFP_ATOMIC);',
        remove: 'xa_erase(&by_id, fmt->id);',
        find: 'return xa_load(&by_id, id);',
      },
    ],
    [
      'a hash table that is gone through instead',
      {
        declare: 'static DEFINE_HASHTABLE(by_hash, 4);',
        add: 'hash_add(by_hash, &fmt->hnode, fmt->id);',
        find: 'hash_for_each_possible(by_hash, fmt, hnode, id)\n\t\tif (fmt->id == id)\n\t\t\treturn fmt;',
      },
    ],
    [
      'numbers, by which a look-up gives up',
      {
        declare: 'static DEFINE_IDR(numbers);',
        add: 'idr_alloc(&numbers, fmt, fmt->id, fmt->id + 1, GFP_ATOMIC);',
        find: `if (!idr_find(&numbers, id))\n\t\treturn NULL;\n\t${walk}`,
      },
    ],
    [
      'a count',
      {
        declare: 'static unsigned int nr;',
        add: 'WRITE_ONCE(nr, nr + 1);',
        remove: 'nr--;',
        find: `if (!READ_ONCE(nr))\n\t\treturn NULL;\n\t${walk}`,
      },
    ],
    [
      'an atomic count, by which what was done is left out',
      {
        declare: 'static atomic_t nr = ATOMIC_INIT(0);',
        add: 'atomic_inc(&nr);',
        find: `if (atomic_read(&nr) > 0)\n\t\t${walk}`,
      },
    ],
    [
      'bits of what is registered',
      {
        declare: 'static DECLARE_BITMAP(known, 64);',
        add: 'set_bit(fmt->id, known);',
        find: `if (!test_bit(id, known))\n\t\treturn NULL;\n\t${walk}`,
      },
    ],
    [
      'a flag that something is registered',
      { declare: 'static bool any;', add: 'any = true;', find: `if (!any)\n\t\treturn NULL;\n\t${walk}` },
    ],
    [
      'a pointer to what is registered, by a helper of its own',
      {
        declare: 'static struct format *first;\nstatic void note(struct format *fmt)\n{\n\tWRITE_ONCE(first, fmt);\n}',
        add: 'note(fmt);',
        find: `if (first == NULL)\n\t\treturn NULL;\n\t${walk}`,
      },
    ],
  ])('%s', (_what, parts) => {
    expect(asked(table({}), table(parts))).toEqual([
      expect.stringMatching(/^format_register now fills the new variable \w+, and format_find now decides by it/),
    ])
    // A variable that was there is filled already.
    const filled = { ...parts, find: walk }
    expect(asked(table(filled), table(parts))).toEqual([])
  })
})

describe('a new variable is not asked about', () => {
  const flag = { declare: 'static bool quiet;' }
  test.each([
    [
      'that is only looked into first',
      {
        declare: 'static DEFINE_XARRAY(by_id);',
        add: 'xa_store(&by_id, fmt->id, fmt, GFP_ATOMIC);',
        find: `fmt = xa_load(&by_id, id);\n\tif (fmt)\n\t\treturn fmt;\n\t${walk}`,
      },
    ],
    ['that says once', { ...flag, find: `if (!quiet) {\n\t\tquiet = true;\n\t\tpr_warn("old");\n\t}\n\t${walk}` }],
    [
      'of a ratelimit',
      {
        declare: 'static DEFINE_RATELIMIT_STATE(rs, HZ, 1);',
        find: `if (!__ratelimit(&rs))\n\t\treturn NULL;\n\t${walk}`,
      },
    ],
    [
      'that the user sets',
      {
        ...flag,
        find: `if (quiet)\n\t\treturn NULL;\n\t${walk}`,
        more: 'ssize_t quiet_store(const char *buf)\n{\n\treturn kstrtobool(buf, &quiet);\n}\n',
      },
    ],
    [
      'that counts events',
      { declare: 'static int misses;', find: `if (misses > 9)\n\t\treturn NULL;\n\t${walk}\n\tmisses++;` },
    ],
    [
      'by which only a message is decided',
      {
        declare: 'static int nr;',
        add: 'nr++;',
        remove: 'nr--;',
        find: `${walk}\n\tif (!nr)\n\t\tpr_debug("none");`,
      },
    ],
    [
      'that locks',
      {
        declare: 'static DEFINE_MUTEX(find_lock);',
        find: `if (!mutex_trylock(&find_lock))\n\t\treturn NULL;\n\t${walk}`,
      },
    ],
    [
      'that a constant is',
      { declare: 'static const int most = 9;', find: `if (id > most)\n\t\treturn NULL;\n\t${walk}` },
    ],
  ])('%s', (_what, parts) => {
    expect(asked(table({}), table(parts))).toEqual([])
  })

  test('where the same function fills it and decides', () => {
    const find = `if (!READ_ONCE(last))\n\t\treturn NULL;\n\t${walk}\n\tlast = fmt;`
    expect(asked(table({}), table({ declare: 'static struct format *last;', find }))).toEqual([])
  })
})

describe('a list that is kept sorted now', () => {
  const find = (stop: string) =>
    `struct rule *rule_find(struct set *s, u32 prio)\n{\n\tstruct rule *r;\n\n\tlist_for_each_entry(r, ` +
    `&s->rules, node) {\n\t\t${stop}if (r->prio == prio)\n\t\t\treturn r;\n\t}\n\treturn NULL;\n}\n`
  const add = (body: string) => `void rule_add(struct set *s, struct rule *new)\n{\n\tstruct rule *r;\n\n${body}}\n`
  const stops = find('if (r->prio > prio)\n\t\t\tbreak;\n\t\t')
  const inFront = add('\tlist_add(&new->node, &s->rules);\n')
  const sorted = add(
    '\tlist_for_each_entry(r, &s->rules, node)\n\t\tif (r->prio > ' +
      'new->prio)\n\t\t\tbreak;\n\tlist_add_tail(&new->node, &r->node);\n',
  )
  const chain = add('\tnew->next = s->first;\n\ts->first = new;\n')
  const sortedChain = add(
    '\tstruct rule **p = &s->first;\n\n\twhile ((r = *p) && r->prio < new->prio)\n\t\tp = ' +
      '&r->next;\n\tnew->next = *p;\n\t*p = new;\n',
  )
  const chained = (head: string, stop = '') =>
    `struct rule *rule_find(struct set *s, u32 prio)\n{\n\tstruct rule *r;\n\n\tfor (${head}) ` +
    `{\n\t\t${stop}if (r->prio == prio)\n\t\t\treturn r;\n\t}\n\treturn NULL;\n}\n`
  const all = 'r = s->first; r; r = r->next'
  const said = (before: string, after: string) => sortedListFindings(both(before, after)).map(({ message }) => message)

  test.each([
    ['and left at a larger one', inFront + find(''), sorted + stops],
    [
      'by a search that fails there',
      inFront + find(''),
      sorted + find('if (r->prio > prio)\n\t\t\treturn NULL;\n\t\t'),
    ],
    ['by hand', chain + chained(all), sortedChain + chained(all, 'if (r->prio > prio)\n\t\t\tbreak;\n\t\t')],
    [
      'by hand, in the head of a loop',
      chain + chained(all),
      sortedChain + chained('r = s->first; r && r->prio <= prio; r = r->next'),
    ],
  ])('is asked about: %s', (_how, before, after) => {
    expect(said(before, after)).toEqual([
      'rule_add now inserts entries in the order of struct rule.prio, and rule_find now ends a search by ' +
        'that order; existing entries are not in that order',
    ])
  })

  test.each([
    ['nobody stops looking', inFront + find(''), sorted + find('')],
    ['it was sorted before', sorted + find(''), sorted.replace('r->prio >', 'READ_ONCE(r->prio) >') + stops],
    ['another member ends the search', inFront + find(''), sorted + find('if (r->dead > 1)\n\t\t\tbreak;\n\t\t')],
    [
      'a larger one is only passed over',
      inFront + find(''),
      sorted + find('if (r->prio > prio)\n\t\t\tcontinue;\n\t\t'),
    ],
  ])('is not asked about where %s', (_why, before, after) => {
    expect(said(before, after)).toEqual([])
  })
})
