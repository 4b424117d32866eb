// SPDX-License-Identifier: GPL-3.0-or-later
// The reader against what compilers write, against types written by hand, and against spoiled bytes.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareTypes } from '../../../../src/check/types/btf/compare.ts'
import { fieldsOf, sizeOf } from '../../../../src/check/types/btf/layout.ts'
import { reachOf } from '../../../../src/check/types/btf/reach.ts'
import { type Btf, Kind, readBtf } from '../../../../src/check/types/btf/read.ts'
import { spell } from '../../../../src/check/types/btf/spell.ts'
import { readObject } from '../../../../src/elf/read.ts'
import { Fault } from '../../../../src/ground/fault.ts'
import { compileWith } from '../../../objects.ts'
import { btfBytes, btfCompilers, btfOf } from './compiled.ts'

/** Types by hand: each a list of 32-bit words, its name first. */
function handmade(types: readonly (readonly (number | string)[])[]): Buffer {
  let strings = '\0'
  const place = (text: string) => {
    if (text === '') return 0
    const at = strings.length
    strings += `${text}\0`
    return at
  }
  const words = types.flat().map((word) => (typeof word === 'string' ? place(word) : word >>> 0))
  const header = Buffer.alloc(24)
  header.writeUInt16LE(0xeb9f, 0)
  header.writeUInt8(1, 2)
  const content = Buffer.from(new Uint32Array(words).buffer)
  for (const [i, word] of [24, 0, content.length, content.length, strings.length].entries())
    header.writeUInt32LE(word, 4 + 4 * i)
  return Buffer.concat([header, content, Buffer.from(strings, 'latin1')])
}

const info = (kind: number, items = 0, flag = false) => (kind << 24) | items | (flag ? 0x8000_0000 : 0)
const int32 = ['int', info(Kind.int), 4, (1 << 24) | 32]

function find(btf: Btf, kind: number, name: string): number {
  return btf.ofKind(kind).find((type) => btf.name(type) === name)!
}

const members: readonly string[] = [
  'char NAME',
  'unsigned short NAME',
  'int NAME',
  'long NAME',
  'void *NAME',
  'int NAME[3]',
  'char NAME[5]',
  'unsigned NAME : 3',
  'unsigned char NAME : 1',
  'unsigned long NAME : 40',
  'struct { char NAME; short NAME_ }',
  'union { int NAME; char NAME_[9] }',
]

describe.each(btfCompilers)('what %s writes', (program) => {
  test('has every member where the compiler has it', () => {
    const shapes = fc.sample(
      fc.array(fc.integer({ min: 0, max: members.length - 1 }), { minLength: 1, maxLength: 12 }),
      { numRuns: 60, seed: 5 },
    )
    const structs = shapes.map((shape, i) => {
      const named = shape.flatMap((which, j) => {
        const names = members[which]!.includes('NAME_') ? [`m${j}`, `m${j}_`] : [`m${j}`]
        return names.map((name) => ({ name, isBits: members[which]!.includes(':') }))
      })
      const body = shape.map((which, j) => `${members[which]!.replaceAll('NAME', `m${j}`)};`.replace('; }', '; }'))
      return { name: `s${i}`, named, text: `struct s${i} { ${body.join(' ').replaceAll(' };', '; };')} };` }
    })
    const plain = structs.map(({ name, named }) => ({ name, plain: named.filter(({ isBits }) => !isBits) }))
    const facts = plain.flatMap(({ name, plain: list }) => [
      `sizeof(struct ${name})`,
      ...list.map((one) => `__builtin_offsetof(struct ${name}, ${one.name})`),
    ])
    const bits = structs.flatMap(({ name, named }) =>
      named.filter(({ isBits }) => isBits).map((one) => ({ struct: name, member: one.name })),
    )
    const source = [
      ...structs.map(({ text }) => text),
      `const unsigned long facts[] = { ${facts.join(', ')} };`,
      ...bits.map(({ struct, member }) => `const struct ${struct} bits_${struct}_${member} = { .${member} = -1 };`),
    ].join('\n')
    const object = readObject(compileWith(program, source, ['-gbtf', '-fno-eliminate-unused-debug-types']), 'o')
    const dataOf = (name: string) => {
      const symbol = object.symbols.find((one) => one.name === name)!
      return symbol.section!.data.subarray(symbol.value, symbol.value + symbol.size)
    }
    const btf = readBtf(object.sections.find(({ name }) => name === '.BTF')!.data, 'o')
    const said = plain.flatMap(({ name, plain: list }) => {
      const type = find(btf, Kind.struct, name)
      const fields = new Map(fieldsOf(btf, type).map((field) => [field.name, field]))
      return [sizeOf(btf, type), ...list.map((one) => fields.get(one.name)!.offset / 8)]
    })
    const table = dataOf('facts')
    expect(said).toEqual(facts.map((_, i) => Number(table.readBigUInt64LE(8 * i))))
    for (const { struct, member } of bits) {
      const bytes = dataOf(`bits_${struct}_${member}`)
      const set = [...Array(bytes.length * 8).keys()].filter((bit) => (bytes[bit >> 3]! >> (bit & 7)) & 1)
      const field = fieldsOf(btf, find(btf, Kind.struct, struct)).find(({ name }) => name === member)!
      expect({ from: field.offset, bits: field.bits }).toEqual({ from: set[0], bits: set.length })
    }
  })

  test('is spelled as in C', () => {
    const words: Record<string, string> = {
      a: 'int',
      b: 'struct foo *',
      c: 'char (*)[4]',
      d: 'int (*)(struct foo *, ...)',
      e: 'const char *',
      f: 'number',
      g: 'void (*[3])(void)',
      h: 'volatile int',
    }
    const btf = btfOf(
      `struct foo; typedef long number; int a; struct foo *b; char (*c)[4]; int (*d)(struct foo *, ...);
       const char *e; number f; void (*g[3])(void); volatile int h;`,
      program,
    )
    const said = Object.keys(words).map((name) => [name, spell(btf, btf.target(find(btf, Kind.variable, name)))])
    expect(Object.fromEntries(said)).toEqual(words)
    expect(spell(btf, btf.target(find(btf, Kind.variable, 'f')), { plain: true })).toBe('long int')
  })

  test('leads from a variable to what it holds', () => {
    const btf = btfOf(
      'struct leaf { int x; }; struct alone { int x; }; struct node { struct leaf *leaves[2]; }; struct ' +
        'node root; struct alone f(void) { struct alone a = { 1 }; return a; }',
      program,
    )
    const reach = reachOf(btf)
    expect(reach.variableOf(find(btf, Kind.struct, 'leaf'))).toBe('root')
    expect(reach.isHeld(find(btf, Kind.struct, 'leaf'))).toBe(true)
    expect(reach.variableOf(find(btf, Kind.struct, 'alone'))).toBeUndefined()
    expect(reach.isHeld(find(btf, Kind.struct, 'alone'))).toBe(false)
  })
})

describe('types by hand', () => {
  test('of the kinds that compilers rarely write are read', () => {
    const btf = readBtf(
      handmade([
        int32,
        ['wide', info(Kind.enum64, 2, true), 8, 'LOW', 0xffff_ffff, 0xffff_ffff, 'HIGH', 1, 2],
        ['real', info(Kind.float), 8],
        ['user', info(Kind.typeTag), 1],
        ['mark', info(Kind.declarationTag), 6, 0xffff_ffff],
        // Bit fields as they were before there was a flag.
        ['old', info(Kind.struct, 2), 4, 'low', 7, 0, 'high', 7, 5],
        ['five', info(Kind.int), 4, 5],
        ['later', info(Kind.forward), 0],
        ['', info(Kind.pointer), 8],
        ['v', info(Kind.variable), 9, 1],
        ['.data', info(Kind.section, 1), 8, 10, 0, 8],
      ]),
      'by hand',
    )
    expect(btf.count).toBe(12)
    expect(btf.enumerators(2)).toEqual([
      { name: 'LOW', value: -1n },
      { name: 'HIGH', value: (2n << 32n) + 1n },
    ])
    expect(btf.members(6)).toEqual([
      { name: 'low', type: 7, offset: 0, width: 5 },
      { name: 'high', type: 7, offset: 5, width: 5 },
    ])
    expect(spell(btf, 4)).toBe('int')
    expect(spell(btf, btf.target(10))).toBe('struct later *')
    expect([btf.size(3), btf.size(11)]).toEqual([8, 8])
  })

  const pointers = (count: number) => Array.from({ length: count }, (_, i) => ['', info(Kind.pointer), i + 2])
  test.each([
    ['a header that is cut off', handmade([]).subarray(0, 20), 'cut off'],
    ['another format', Buffer.concat([Buffer.from([0, 0]), handmade([]).subarray(2)]), 'do not begin'],
    ['types that are cut off', handmade([int32]).subarray(0, 30), 'cut off'],
    ['a last type that is cut off', handmade([['s', info(Kind.struct, 9), 4]]), 'type 1 is cut off'],
    ['a kind that nobody knows', handmade([['s', info(20), 0]]), 'kind that is not known (20)'],
    ['a type that is not there', handmade([['', info(Kind.pointer), 9]]), 'refers to type 9'],
    ['a member whose type is not there', handmade([['s', info(Kind.struct, 1), 4, 'm', 7, 0]]), 'refers to type 7'],
    ['a name that is not there', handmade([[99, info(Kind.float), 4]]), 'a name of type 1'],
    ['a pointer to itself', handmade([['', info(Kind.pointer), 1]]), 'made of itself'],
    [
      'typedefs in a circle',
      handmade([
        ['a', info(Kind.typedef), 2],
        ['b', info(Kind.typedef), 1],
      ]),
      'made of itself',
    ],
    ['a struct that holds itself', handmade([['s', info(Kind.struct, 1), 4, 'm', 1, 0]]), 'made of itself'],
    ['pointers to pointers to pointers', handmade([...pointers(5000), int32]), 'nested too deeply'],
    ['a million members in a few bytes', handmade([['s', info(Kind.struct, 0xffff), 4]]), 'cut off'],
  ])('with %s are refused', (_what, bytes, why) => {
    expect(() => readBtf(bytes, 'by hand')).toThrow(expect.objectContaining({ code: 'unreadable-btf' }))
    expect(() => readBtf(bytes, 'by hand')).toThrow(why)
  })

  test('a struct that points to itself is as it should be', () => {
    const btf = readBtf(
      handmade([
        ['list', info(Kind.struct, 1), 8, 'next', 2, 0],
        ['', info(Kind.pointer), 1],
      ]),
      'by hand',
    )
    expect(spell(btf, 2)).toBe('struct list *')
  })
})

test('spoiled bytes are read to their end or refused, and nothing else', () => {
  const source = `struct a { int x; struct a *next; union { int y : 3; char z[4]; }; }; enum e { ONE = 1, TWO };
    typedef int (*call)(struct a *, enum e); call table[4]; struct a *f(struct a *one, call with) { return one; }`
  const good = btfBytes(source)
  const whole = readBtf(good, 'good')
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), {
        minLength: 1,
        maxLength: 8,
      }),
      fc.option(fc.nat(good.length)),
      (spoiled, length) => {
        const bytes = Buffer.from(good.subarray(0, length ?? undefined))
        for (const [at, value] of spoiled) if (at < bytes.length) bytes[at] = value
        try {
          const btf = readBtf(bytes, 'spoiled')
          for (let type = 0; type < btf.count; type++) spell(btf, type, { plain: true })
          reachOf(btf)
          compareTypes(whole, btf)
          compareTypes(btf, whole)
        } catch (error) {
          expect(error).toBeInstanceOf(Fault)
          expect((error as Fault).code).toBe('unreadable-btf')
        }
      },
    ),
    { numRuns: 2000 },
  )
})
