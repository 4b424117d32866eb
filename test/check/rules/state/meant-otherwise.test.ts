// SPDX-License-Identifier: GPL-3.0-or-later
// Two functions that change together, each right with the other: where what they mean lives, the old code has left it
// otherwise.
import { describe, expect, test } from 'vitest'
import { meantFindings } from '../../../../src/check/rules/state/meant-otherwise.ts'
import { storedFindings } from '../../../../src/check/rules/state/stored-otherwise.ts'
import { changedFunctions } from '../../../../src/check/subject/changed-functions.ts'
import { changeOf } from '../../text.ts'

const types = `struct box { long pages; long linger; char *back; struct list_head node; };
static DEFINE_IDA(box_ids);
static DEFINE_XARRAY(boxes);
`
type Pair = readonly [put: string, take: string]

const pair = ([put, take]: Pair, more = '') => `${types}${more}
int box_open(struct box *b, struct owner *o, int id, long way)
{
	${put}
	return 0;
}
int box_close(struct box *b, struct owner *o, int id, long way)
{
	${take}
	return 0;
}
`
function found(before: string, after: string): string[] {
  const change = changeOf(before, after)
  return meantFindings(changedFunctions([change])).map(({ message }) => message)
}
const said = (before: Pair, after: Pair) => found(pair(before), pair(after))

describe('what one function leaves and another one finds is meant otherwise', () => {
  test.each<readonly [string, Pair, Pair]>([
    [
      'the index in a tree',
      ['radix_tree_insert(&o->tree, b->id, b);', 'radix_tree_delete(&o->tree, b->id);'],
      ['radix_tree_insert(&o->tree, b->id + 1, b);', 'radix_tree_delete(&o->tree, b->id + 1);'],
    ],
    [
      'where numbers begin',
      ['b->id = ida_alloc_max(&box_ids, 7, GFP_KERNEL);', 'ida_free(&box_ids, id);'],
      ['b->id = ida_alloc_max(&box_ids, 6, GFP_KERNEL);', 'ida_free(&box_ids, id - 1);'],
    ],
    [
      'what a function charges, first up and then down',
      ['charge_pages(o, 0, id);', 'charge_pages(o, b->pages, 0);'],
      ['charge_pages(o, 0, id + 1);', 'charge_pages(o, b->pages + 1, 0);'],
    ],
    [
      'the order of pages',
      ['b->page = alloc_pages(GFP_KERNEL, way);', '__free_pages(b->page, way);'],
      ['b->page = alloc_pages(GFP_KERNEL, way - 1);', '__free_pages(b->page, way - 1);'],
    ],
    [
      'a condition above what is counted',
      [
        'if (b->shared || b->opt)\n\t\tstatic_branch_inc(&box_key);',
        'if (b->shared || b->opt)\n\t\tstatic_branch_dec(&box_key);',
      ],
      ['if (b->shared)\n\t\tstatic_branch_inc(&box_key);', 'if (b->shared)\n\t\tstatic_branch_dec(&box_key);'],
    ],
    [
      'a condition that only the new code has, above one function that goes both ways',
      ['inuse_add(o, &box_proto, 1);', 'inuse_add(o, &box_proto, -1);'],
      ['if (id != 3)\n\t\tinuse_add(o, &box_proto, 1);', 'if (b->id != 3)\n\t\tinuse_add(o, &box_proto, -1);'],
    ],
    [
      'the places of two values in a word',
      [
        'way = (way << ID_SHIFT) | id;\n\tway = (way << OWNER_SHIFT) | o->nr;\n\txa_store_word(o, way);',
        'o->nr = way & ((1UL << OWNER_SHIFT) - 1);\n\tway >>= OWNER_SHIFT;\n\tid = way & ((1UL << ID_SHIFT) - 1);',
      ],
      [
        'way = (way << OWNER_SHIFT) | o->nr;\n\tway = (way << ID_SHIFT) | id;\n\txa_store_word(o, way);',
        'id = way & ((1UL << ID_SHIFT) - 1);\n\tway >>= ID_SHIFT;\n\to->nr = way & ((1UL << OWNER_SHIFT) - 1);',
      ],
    ],
    [
      'a bit of a word',
      ['way = (way << BIT_SHIFT) | id;', 'id = way & ((1UL << BIT_SHIFT) - 1);'],
      ['way = (way << BIT_SHIFT) | !id;', 'id = !(way & ((1UL << BIT_SHIFT) - 1));'],
    ],
    [
      'which half of a word is which',
      ['return ((u64)id << COOKIE_BITS) | o->nr;', 'return (u32)(way >> COOKIE_BITS);'],
      ['return ((u64)o->nr << COOKIE_BITS) | id;', 'return (u32)way;'],
    ],
    [
      'the unit of a time',
      ['set_linger(b, way * HZ);', 'way = jiffies + b->linger;'],
      ['set_linger(b, way);', 'way = jiffies + b->linger * HZ;'],
    ],
  ])('%s, and back', (_, before, after) => {
    for (const messages of [said(before, after), said(after, before)]) {
      expect(messages).toHaveLength(1)
      expect(messages[0]).toMatch(/box_open .*box_close|box_close .*box_open/)
    }
  })

  test('by way of one function, or one constant, that both use', () => {
    const size = (by: string) => `static long box_size(struct box *b)\n{\n\treturn ${by};\n}\n`
    const charge: Pair = [
      'b->v = dma_alloc_coherent(o, box_size(b), &b->dma, GFP_KERNEL);',
      'long size = box_size(b);\n\n\tdma_free_coherent(o, size, b->v, b->dma);',
    ]
    expect(found(pair(charge, size('b->pages * 8')), pair(charge, size('(b->pages + 64) * 8')))).toHaveLength(1)
    const packs: Pair = ['return (id << BOX_SHIFT) | way;', 'return way >> BOX_SHIFT;']
    const shift = (by: number) => `#define BOX_SHIFT ${by}\n`
    expect(found(pair(packs, shift(22)), pair(packs, shift(21)))).toHaveLength(1)
    const before: Pair = ['held = o->held + b->pages;\n\to->held = held;', 'atomic_long_sub(b->pages, &o->held);']
    const after: Pair = ['held = o->held + box_size(b);\n\to->held = held;', 'atomic_long_sub(box_size(b), &o->held);']
    expect(found(pair(before), pair(after, size('b->pages + 1')))).toHaveLength(1)
  })

  test('a member that is empty otherwise is stored otherwise', () => {
    const show = (test: string) => `int box_show(struct box *b)\n{\n\treturn print(${test} ? "" : b->back);\n}\n`
    const of = (empty: string, test: string) =>
      `${types}void box_close(struct box *b)\n{\n\tb->back = ${empty};\n}\n${show(test)}`
    const findings = (before: string, after: string) => {
      const change = changeOf(before, after)
      return storedFindings(changedFunctions([change]))
    }
    const [nothing, error] = [of('NULL', '!b->back'), of('ERR_PTR(-ENOENT)', 'IS_ERR(b->back)')]
    expect(findings(nothing, error)).toHaveLength(1)
    expect(findings(error, nothing)).toHaveLength(1)
    expect(findings(nothing, of('NULL', 'IS_ERR_OR_NULL(b->back)'))).toHaveLength(0)
  })
})

describe('nothing is asked', () => {
  const tree: Pair = ['radix_tree_insert(&o->tree, id, b);', 'radix_tree_delete(&o->tree, id);']
  const words: Pair = ['return (id << BOX_SHIFT) | way;', 'return way >> BOX_SHIFT;']

  test.each<readonly [string, Pair, Pair]>([
    ['only one side changes', tree, [tree[0], 'radix_tree_delete(&o->tree, id + 1);']],
    [
      'the same value comes another way',
      tree,
      ['radix_tree_insert(&o->tree, b->id, b);', 'radix_tree_delete(&o->tree, b->id);'],
    ],
    [
      'it is read by READ_ONCE and cast',
      tree,
      ['radix_tree_insert(&o->tree, READ_ONCE(id), b);', 'radix_tree_delete(&o->tree, (unsigned long)id);'],
    ],
    [
      'both only get a check that leaves',
      tree,
      [`if (id + 1 > 7)\n\t\treturn -EINVAL;\n\t${tree[0]}`, `if (id + 1 > 7)\n\t\treturn -EINVAL;\n\t${tree[1]}`],
    ],
    [
      'both things are others',
      ['radix_tree_insert(&o->tree, id, b);', 'radix_tree_delete(&o->other, id);'],
      ['radix_tree_insert(&o->tree, id + 1, b);', 'radix_tree_delete(&o->other, id + 2);'],
    ],
    [
      'memory is got in another context',
      ['b->v = kmalloc_pages(id, GFP_KERNEL);', 'b->w = kmalloc_pages(id, GFP_KERNEL);'],
      ['b->v = kmalloc_pages(id, GFP_ATOMIC);', 'b->w = kmalloc_pages(id, GFP_ATOMIC);'],
    ],
    [
      'both go the same way',
      ['ida_alloc_max(&box_ids, 7, GFP_KERNEL);', 'ida_alloc_min(&box_ids, 7, GFP_KERNEL);'],
      ['ida_alloc_max(&box_ids, 6, GFP_KERNEL);', 'ida_alloc_min(&box_ids, 6, GFP_KERNEL);'],
    ],
    [
      'likely() comes above what is counted',
      ['if (b->opt)\n\t\tstatic_branch_inc(&box_key);', 'if (b->opt)\n\t\tstatic_branch_dec(&box_key);'],
      [
        'if (likely(b->opt))\n\t\tstatic_branch_inc(&box_key);',
        'if (unlikely(b->opt))\n\t\tstatic_branch_dec(&box_key);',
      ],
    ],
    [
      'variables of a word are renamed',
      words,
      ['int nr = id;\n\n\treturn (id << BOX_SHIFT) | way;', 'unsigned long word = way;\n\n\treturn way >> BOX_SHIFT;'],
    ],
    [
      'both say it in another unit',
      ['pr_info("%ld", way / HZ);', 'b->linger = way;'],
      ['pr_info("%ld", way);', 'b->linger = way + HZ;'],
    ],
    [
      'both use another unit of a time of their own',
      ['wait_for(way * HZ);', 'wait_for(way / HZ);'],
      ['wait_for(way);', 'wait_for(way);'],
    ],
  ])('where %s', (_, before, after) => {
    expect(said(before, after)).toEqual([])
    expect(said(after, before)).toEqual([])
  })

  test('where one function runs only below the other one, or both below a third one', () => {
    const of = (
      by: string,
      more = '',
    ) => `${types}static long pack(long id, long way)\n{\n\treturn (${by}id << BOX_SHIFT) | way;\n}
static long unpack(long way)\n{\n\treturn ${by}(way >> BOX_SHIFT);\n}\nlong turn(long id)\n{\n\treturn unpack(pack(id, 0));\n}\n${more}`
    expect(found(of(''), of('!'))).toEqual([])
    const more = 'long kept(struct box *b)\n{\n\treturn unpack(b->linger);\n}\n'
    expect(found(of('', more), of('!', more))).toHaveLength(1)
  })
})
