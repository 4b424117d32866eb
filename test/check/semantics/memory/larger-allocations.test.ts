// SPDX-License-Identifier: GPL-3.0-or-later
// Allocations that become larger, and code that reaches into the room that only new objects have.
import { describe, expect, test } from 'vitest'
import { largerAllocationFindings } from '../../../../src/check/semantics/memory/larger-allocations.ts'
import { changedFunctions } from '../../../../src/check/subject/changed-functions.ts'
import { changeOf } from '../../text.ts'

const types = `struct slot { u32 id; u32 owner; };
struct table { spinlock_t lock; unsigned int count; struct slot *cache; u8 *buf; struct slot slots[]; };
struct stats { u64 hits; u64 misses; };
`
function asked(before: string, after: string, file = 'drivers/net/some.c'): string[] {
  const change = changeOf(types + before, types + after, file)
  return largerAllocationFindings(changedFunctions([change]), [change]).map(({ message }) => message)
}

const makes = (size: string, more = '\tt->count = n;\n') =>
  `struct table *table_make(unsigned int n)\n{\n\tstruct table *t;\n\n\tt = kzalloc(${size}, ` +
  `GFP_KERNEL);\n\tif (!t)\n\t\treturn NULL;\n${more}\treturn t;\n}\n`
const uses = (body: string) => `void table_use(struct table *t, unsigned int n)\n{\n${body}}\n`
const buffer = (size: string) =>
  `int buf_open(struct table *t, unsigned int n)\n{\n\tt->buf = kmalloc(${size}, GFP_KERNEL);\n\treturn ` +
  `t->buf ? 0 : -ENOMEM;\n}\n`

describe('a larger allocation is asked about when another function', () => {
  test.each([
    [
      'takes what lies behind the object',
      makes('sizeof(*t)') + uses('\tt->count++;\n'),
      makes('sizeof(*t) + sizeof(struct stats)') +
        uses('\tstruct stats *s = (struct stats *)(t + 1);\n\n\tt->count++;\n\ts->hits++;\n'),
    ],
    [
      'goes there by a cast and an offset',
      makes('sizeof(*t)') + uses('\tt->count++;\n'),
      makes('sizeof(*t) + n') + uses('\tmemset((void *)t + sizeof(*t), 0, n);\n\tt->count++;\n'),
    ],
    [
      'writes one element more of its end',
      makes('struct_size(t, slots, n)') + uses('\tt->count = n;\n'),
      makes('struct_size(t, slots, n + 1)') + uses('\tt->count = n;\n\tt->slots[n].id = 0;\n'),
    ],
    [
      'goes on with a loop for longer',
      makes('struct_size(t, slots, 16)') + uses('\tfor (n = 0; n < 16; n++)\n\t\tt->slots[n].id = 0;\n'),
      makes('struct_size(t, slots, 32)') + uses('\tfor (n = 0; n < 32; n++)\n\t\tt->slots[n].id = 0;\n'),
    ],
    [
      'copies more of it to where an index leads',
      buffer('64') + uses('\tmemcpy(names[n], t->buf, 64);\n'),
      buffer('128') + uses('\tmemcpy(names[n], t->buf, 128);\n'),
    ],
    [
      'lets a larger index pass',
      buffer('64') + uses('\tif (n >= 64)\n\t\treturn;\n\tt->buf[n] = 1;\n'),
      buffer('256') + uses('\tif (n >= 256)\n\t\treturn;\n\tt->buf[n] = 1;\n'),
    ],
    [
      'copies more into a buffer that the object keeps',
      buffer('n') + uses('\tmemcpy(t->buf, source, 8);\n'),
      buffer('n + ETH_HLEN') + uses('\tmemcpy(t->buf, source, n + ETH_HLEN);\n'),
    ],
    [
      'has a pointer to the buffer',
      buffer('n') + uses('\tu8 *end = t->buf;\n\n\tend[n - 1] = 0;\n'),
      buffer('n + 1') + uses('\tu8 *end = t->buf;\n\n\tend[n] = 0;\n'),
    ],
    [
      'gives memory back by the new size',
      'int ring_open(struct table *t)\n{\n\tt->buf = dma_alloc_coherent(dev, PAGE_SIZE, &addr, ' +
        'GFP_KERNEL);\n\treturn 0;\n}\n' +
        uses('\tdma_free_coherent(dev, PAGE_SIZE, t->buf, addr);\n'),
      'int ring_open(struct table *t)\n{\n\tt->buf = dma_alloc_coherent(dev, 2 * PAGE_SIZE, &addr, ' +
        'GFP_KERNEL);\n\treturn 0;\n}\n' +
        uses('\tdma_free_coherent(dev, 2 * PAGE_SIZE, t->buf, addr);\n'),
    ],
  ])('%s', (_what, before, after) => {
    expect(asked(before, after)).toEqual([
      expect.stringMatching(/now allocates more for .*table_use now accesses the added part/),
    ])
    // The same objects with less room than before: the new code stays within what there is.
    expect(asked(after, before)).toEqual([])
  })

  test('tells both sizes', () => {
    expect(
      asked(
        makes('sizeof(*t) + n') + uses(''),
        makes('sizeof(*t) + n + 4') + uses('\tput_unaligned(n, (u8 *)(t + 1) + n);\n'),
      ),
    ).toEqual([
      'table_make now allocates more for objects of struct table (sizeof(struct table) + n + 4 ' +
        'instead of sizeof(struct table) + n), and table_use now accesses the added part; what the old ' +
        'code has allocated ends before it',
    ])
  })
})

test('it is told of the file in which the maker stands, although only a constant changed there', () => {
  const other = (value: number) => `int other(void)\n{\n\treturn ${value};\n}\n`
  const using = `${buffer('MOST')}${uses('\tif (n < MOST)\n\t\tt->buf[n] = 1;\n')}`
  const changes = [
    changeOf(other(1), other(2), 'drivers/net/first.c'),
    changeOf(`${types}#define MOST 64\n${using}`, `${types}#define MOST 128\n${using}`, 'drivers/net/second.c'),
  ]
  const [found] = largerAllocationFindings(changedFunctions(changes), changes)
  expect(found).toMatchObject({ symbol: 'buf_open', unit: 'drivers/net/second.c' })
})

describe('the size is followed', () => {
  const grown = uses('\tt->slots[n].id = 0;\n')
  test.each([
    [
      'through a constant, where no function’s own text changes',
      `#define MOST 64\n${buffer('MOST')}${uses('\tif (n < MOST)\n\t\tt->buf[n] = 1;\n')}`,
      `#define MOST 128\n${buffer('MOST')}${uses('\tif (n < MOST)\n\t\tt->buf[n] = 1;\n')}`,
    ],
    [
      'through an enumerator, and a constant that is made of it',
      `enum { RX, TX, NR };\n#define ROOM (NR * ` +
        `8)\n${buffer('ROOM')}${uses('\tfor (n = 0; n < ROOM; n++)\n\t\tt->buf[n] = 1;\n')}`,
      `enum { RX, TX, XDP, NR };\n#define ROOM (NR * ` +
        `8)\n${buffer('ROOM')}${uses('\tfor (n = 0; n < ROOM; n++)\n\t\tt->buf[n] = 1;\n')}`,
    ],
    [
      'through a local variable',
      makes('size', '\tt->count = n;\n').replace('\tt = ', '\tsize_t size = sizeof(*t);\n\n\tt = ') + uses(''),
      makes('size', '\tt->count = n;\n').replace(
        '\tt = ',
        '\tsize_t size = sizeof(*t);\n\n\tsize += 2 * sizeof(struct slot);\n\tt = ',
      ) + grown,
    ],
    [
      'through a wrapper that is given it',
      `static void *table_alloc(size_t extra)\n{\n\treturn kzalloc(sizeof(struct table) + extra, ` +
        `GFP_KERNEL);\n}\n${makes('n').replace('kzalloc(n, GFP_KERNEL)', 'table_alloc(n)')}${uses('')}`,
      `static void *table_alloc(size_t extra)\n{\n\treturn kzalloc(sizeof(struct table) + extra, ` +
        `GFP_KERNEL);\n}\n${makes('n').replace('kzalloc(n, GFP_KERNEL)', 'table_alloc(n + 8)')}${grown}`,
    ],
    [
      'to a cache',
      `void __init caches(void)\n{\n\ttables = kmem_cache_create("t", sizeof(struct table), 0, 0, ` +
        `NULL);\n}\n${uses('')}`,
      `void __init caches(void)\n{\n\ttables = kmem_cache_create("t", struct_size_t(struct table, ` +
        `slots, 1), 0, 0, NULL);\n}\n${grown}`,
    ],
    [
      'to the private area of a device',
      `int probe(void)\n{\n\tstruct net_device *dev = alloc_etherdev(sizeof(struct table));\n\n\treturn ` +
        `register_netdev(dev);\n}\n${uses('')}`,
      `int probe(void)\n{\n\tstruct net_device *dev = alloc_etherdev(sizeof(struct table) + 4 * ` +
        `sizeof(struct slot));\n\n\treturn ` +
        `register_netdev(dev);\n}\n${uses('\tstruct table *own = netdev_priv(dev);\n\n\town->slots[n].id = 0;\n')}`,
    ],
    [
      'to a packet’s headroom',
      `struct sk_buff *get(int len)\n{\n\tstruct sk_buff *skb = alloc_skb(len, GFP_ATOMIC);\n\n\treturn ` +
        `skb;\n}\n${uses('')}`,
      `struct sk_buff *get(int len)\n{\n\tstruct sk_buff *skb = alloc_skb(len + 8, ` +
        `GFP_ATOMIC);\n\n\treturn skb;\n}\n${uses('\tskb_push(skb, 8);\n')}`,
    ],
    [
      'to requests of a cipher',
      `int init(struct crypto_ahash *tfm)\n{\n\tcrypto_ahash_set_reqsize(tfm, sizeof(struct ` +
        `table));\n\treturn 0;\n}\n${uses('')}`,
      `int init(struct crypto_ahash *tfm)\n{\n\tcrypto_ahash_set_reqsize(tfm, sizeof(struct table) + ` +
        `crypto_ahash_reqsize(child));\n\treturn 0;\n}\n${grown}`,
    ],
  ])('%s', (_how, before, after) => {
    expect(asked(before, after)).toHaveLength(1)
    expect(asked(before, after)[0]).toMatch(/table_use now accesses the added part/)
  })

  test('to a buffer that is made where it is missing, by the same function', () => {
    const text = (size: string) =>
      uses(
        `\tif (!t->buf)\n\t\tt->buf = kmalloc(${size}, GFP_KERNEL);\n\tif (t->buf)\n\t\tmemset(t->buf, 0, ${size});\n`,
      )
    expect(asked(text('64'), text('96'))).toHaveLength(1)
  })
})

describe('it is not asked about when', () => {
  const [small, large] = ['struct_size(t, slots, n)', 'struct_size(t, slots, n + 1)']
  test.each([
    [
      'nobody reaches further',
      makes(small) + uses('\tt->slots[0].id = n;\n'),
      makes(large) + uses('\tt->slots[0].id = 0;\n'),
    ],
    [
      'only the allocation changes',
      makes(small) + uses('\tt->slots[n].id = n;\n'),
      makes(large) + uses('\tt->slots[n].id = n;\n'),
    ],
    [
      'the user gains a check',
      makes(small) + uses('\tt->slots[n].id = n;\n'),
      makes(large) + uses('\tif (n > t->count)\n\t\treturn;\n\tt->slots[n].id = n;\n'),
    ],
    [
      'the count that bounds it lies in the object',
      makes(small) + uses(''),
      makes(large, '\tt->count = n + 1;\n') + uses('\tfor (n = 0; n < t->count; n++)\n\t\tt->slots[n].id = 0;\n'),
    ],
    [
      'the new place is one that old objects have',
      buffer('64') + uses(''),
      buffer('128') + uses('\tmemcpy(t->buf, source, 32);\n\tt->buf[63] = 0;\n'),
    ],
    [
      'the object ends with the call that made it',
      `int once(unsigned int n)\n{\n\tu8 *buf = kmalloc(n, GFP_KERNEL);\n\tstruct table *t = ` +
        `kmalloc(${small}, GFP_KERNEL);\n\n\ttable_use(t, n);\n\tkfree(t);\n\tkfree(buf);\n\treturn 0;\n}\n${uses('')}`,
      `int once(unsigned int n)\n{\n\tu8 *buf = kmalloc(n + 1, GFP_KERNEL);\n\tstruct table *t = ` +
        `kmalloc(${large}, GFP_KERNEL);\n\n\ttable_use(t, n);\n\tkfree(t);\n\tkfree(buf);\n\treturn ` +
        `0;\n}\n${uses('\tt->slots[n].id = 0;\n')}`,
    ],
    [
      'the other function runs only below the one that makes it',
      makes(small, '\ttable_use(t, n);\n') + `static ${uses('')}`,
      makes(large, '\ttable_use(t, n);\n') + `static ${uses('\tt->slots[n].id = 0;\n')}`,
    ],
    [
      'the size is only written otherwise',
      makes('sizeof(*t) + n * sizeof(struct slot)') + uses(''),
      makes(small) + uses('\tt->slots[n - 1].id = 0;\n'),
    ],
    ['another object’s room is reached into', buffer('64') + uses(''), buffer('128') + uses('\tt->cache[n].id = 0;\n')],
    [
      'the packet gets its room where it is needed',
      `struct sk_buff *get(int len)\n{\n\treturn alloc_skb(len, GFP_ATOMIC);\n}\n${uses('')}`,
      `struct sk_buff *get(int len)\n{\n\treturn alloc_skb(len + 8, ` +
        `GFP_ATOMIC);\n}\n${uses('\tif (skb_cow_head(skb, 8))\n\t\treturn;\n\tskb_push(skb, 8);\n')}`,
    ],
    [
      'the buffer is only freed and told of',
      buffer('64') + uses(''),
      buffer('128') + uses('\tpr_debug("%p %u\\n", t->buf, n);\n\tkfree(t->buf);\n'),
    ],
  ])('%s', (_what, before, after) => {
    expect(asked(before, after)).toEqual([])
  })
})

describe('a size that a subsystem is told counts as well', () => {
  const behind = uses('\t*(u64 *)(t + 1) = ktime_get_ns();\n')
  const tells = (statement: string) => `int tell(struct some *q)\n{\n\t${statement}\n\treturn 0;\n}\n`
  const both = (statement: (size: string) => string, constants = '') => [
    tells(statement('sizeof(struct table)')) + uses(''),
    constants + tells(statement(constants === '' ? 'sizeof(struct table) + sizeof(u64)' : 'ROOM')) + behind,
  ]
  test.each([
    ['as a member', ...both((size) => `q->per_io_data_size = ${size};`)],
    [
      'as a member, by a constant that only the new code has',
      ...both((size) => `q->set.cmd_size = ${size};`, '#define ROOM (sizeof(struct table) + sizeof(u64))\n'),
    ],
    [
      'in an initialiser beside others',
      ...both((size) => `struct params p = { .priv_size = ${size}, .flags = 0, };\n\n\tsome_register(q, &p);`),
    ],
    ['in front of each bio', ...both((size) => `return bioset_init(&q->bios, 4, ${size}, 0);`)],
    ['for a pool', ...both((size) => `return mempool_init_kmalloc_pool(&q->pool, 4, ${size});`)],
  ])('%s', (_how, before, after) => {
    expect(asked(before!, after!)).toEqual([
      expect.stringMatching(/^tell now allocates more for objects of struct table .* and table_use now/),
    ])
    expect(asked(after!, before!)).toEqual([])
  })

  test.each([
    ['the size is the same by another name', '#define ROOM sizeof(struct table)\n', 'q->cmd_size = ROOM;'],
    ['the size is that of another struct', '', 'q->cmd_size = sizeof(struct stats);'],
    ['it is the length of a message', '', 'q->iov_len = sizeof(struct table) + sizeof(u64);'],
    ['the member is no size', '', 'q->first = sizeof(struct table) + sizeof(u64);'],
  ])('but not when %s', (_what, constants, statement) => {
    const [before] = both((size) => statement.replace(/= .*;/, `= ${size};`))
    expect(asked(before!, constants + tells(statement) + behind)).toEqual([])
  })
})

describe('a pointer that is set several times is followed', () => {
  const user = (more: string, end = '') =>
    uses(`\tu8 *p = t->buf;\n\n\tif (!p)\n\t\tp = kmalloc(n + 2, GFP_KERNEL);\n${more}\tp[n] = 0;\n${end}`)
  test('to the buffer that it may be', () => {
    expect(asked(buffer('n + 1') + user(''), buffer('n + 2') + user('', '\tp[n + 1] = 0;\n'))).toHaveLength(1)
  })
  test('not where it goes on by itself, or is another one', () => {
    const other = (text: string) => text.replace('u8 *p = t->buf', 'u8 *p = (u8 *)t->cache')
    expect(asked(buffer('n + 1') + other(user('')), buffer('n + 2') + other(user('', '\tp[n + 1] = 0;\n')))).toEqual([])
    const moved = '\tp++;\n'
    expect(asked(buffer('n + 1') + user(moved), buffer('n + 2') + user(moved, '\tp[n + 1] = 0;\n'))).toEqual([])
  })
})
