// SPDX-License-Identifier: GPL-3.0-or-later
// Variables of a file that only the old code set again and again.
import { describe, expect, test } from 'vitest'
import { onceWrittenFindings } from '../../../../src/check/semantics/values/once-written.ts'
import { changedFunctions } from '../../../../src/check/subject/changed-functions.ts'
import { changeOf } from '../../text.ts'

const asked = (before: string, after: string) => {
  const change = changeOf(before, after)
  return onceWrittenFindings(changedFunctions([change]), [change]).map(({ message }) => message)
}

/** A switch that spreads trees over the nodes, with what is done when they are made, always, and elsewhere. */
const text = ({ made = '', always = '', elsewhere = '', entered = 'trees == one_tree' }) => `
static struct rb_root one_tree[1];
static struct rb_root *trees = one_tree;
static int nr_trees = 1;
static int is_spread;
int spread_store(int knob)
{
	int err = 0;

	if (is_spread != knob) {
		if (busy())
			err = -EBUSY;
		else if (${entered}) {
			struct rb_root *buf = kcalloc(nr_node_ids, sizeof(*buf), GFP_KERNEL);

			if (!buf)
				err = -ENOMEM;
			else {
				trees = buf;
				${made}
			}
		}
		if (!err) {
			is_spread = knob;
			${always}
		}
	}
	return err;
}
void trees_reset(void)
{
	for (int nid = 0; nid < nr_trees; nid++)
		trees[nid] = RB_ROOT;
	${elsewhere}
}
`

const always = 'nr_trees = knob ? nr_node_ids : 1;'

describe('a variable that was set again and again, and is now set only once, with another one', () => {
  test('is asked about: the old code may have passed that already', () => {
    expect(asked(text({ always }), text({ made: 'nr_trees = nr_node_ids;' }))).toEqual([
      'spread_store now sets nr_trees only when it also sets trees, which it does once; where that is set already, ' +
        'nr_trees keeps what the old code left in it',
    ])
    expect(asked(text({ always }), text({ made: 'WRITE_ONCE(nr_trees, nr_node_ids);' }))).toHaveLength(1)
  })

  test.each([
    ['it is still set each time as well', text({ made: 'nr_trees = nr_node_ids;', always })],
    ['another function sets it, too', text({ made: 'nr_trees = nr_node_ids;', elsewhere: 'nr_trees = 1;' })],
    ['what is set with it does not decide', text({ made: 'nr_trees = nr_node_ids;', entered: 'knob' })],
    ['it is not set at all any more', text({})],
  ])('is not asked about when %s', (_, after) => {
    expect(asked(text({ always }), after)).toEqual([])
  })

  test('is not asked about when the old code gave it the same value each time', () => {
    const before = text({ always: 'nr_trees = nr_node_ids;' })
    expect(asked(before, text({ made: 'nr_trees = nr_node_ids;' }))).toEqual([])
  })
})
