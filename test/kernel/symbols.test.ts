// SPDX-License-Identifier: GPL-3.0-or-later
// Looking symbols up, held against a plain walk over the same table.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseSymbols } from '../../src/kernel/symbols.ts'

const map = `0000000000000000 A fixed_percpu_data
ffffffff81000000 T _text
ffffffff81000000 T startup_64
ffffffff81000100 t show
ffffffff81000200 T show_all
ffffffff81000300 t show
ffffffff81000400 d show.1
`
const symbols = parseSymbols(Buffer.from(map))

describe('the symbols of a kernel', () => {
  test('are found by their whole name, in the order in which livepatch counts them', () => {
    expect(symbols.lookup('show')).toEqual([
      { name: 'show', address: 0xffffffff81000100n, type: 't', sympos: 1 },
      { name: 'show', address: 0xffffffff81000300n, type: 't', sympos: 2 },
    ])
    for (const none of ['sho', 'how', 'show_al', '', ' ', 't', 'show\nffffffff81000400 d show.1'])
      expect(symbols.lookup(none)).toEqual([])
  })

  test('are found by address: exactly, with aliases, or the nearest before', () => {
    expect(symbols.at(0xffffffff81000000n).map(({ name }) => name)).toEqual(['_text', 'startup_64'])
    expect(symbols.at(0xffffffff81000001n)).toEqual([])
    expect(symbols.nearest(0xffffffff810003ffn)).toMatchObject({
      symbol: { name: 'show', sympos: 2 },
      offset: 0xffn,
    })
    expect(symbols.nearest(0xffffffff81000010n)).toMatchObject({ symbol: { name: '_text' }, offset: 0x10n })
    expect(parseSymbols(Buffer.from(map.slice(map.indexOf('\n') + 1))).nearest(5n)).toBeUndefined()
    expect(parseSymbols(Buffer.alloc(0)).nearest(5n)).toBeUndefined()
  })

  test('are the same one by one, many at once, and in a plain walk', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', '_', '.'), minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.nat(4)), { maxLength: 60 }), (list) => {
        let address = 0xffffffff81000000n
        const lines = list.map(([name, step]) => {
          address += BigInt(step)
          return { address, name }
        })
        const text = lines.map(({ address, name }) => `${address.toString(16)} t ${name}\n`).join('')
        const table = parseSymbols(Buffer.from(text))
        const names = new Set([...lines.map(({ name }) => name), 'absent'])
        const expected = new Map(
          [...names]
            .map((name) => [name, lines.filter((line) => line.name === name).map((line) => line.address)] as const)
            .filter(([, found]) => found.length > 0),
        )
        const plain = (found: ReadonlyMap<string, readonly { address: bigint; sympos: number }[]>) =>
          new Map([...found].map(([name, list]) => [name, list.map(({ address }) => address)]))
        expect(plain(table.lookupAll(names))).toEqual(expected)
        expect(plain(new Map([...expected.keys()].map((name) => [name, table.lookup(name)])))).toEqual(expected)
        for (const { address } of lines) {
          expect(table.at(address)).toHaveLength(lines.filter((line) => line.address === address).length)
          expect(table.nearest(address)?.offset).toBe(0n)
        }
      }),
    )
  })
})

test('many look-ups find what a few find, in the same order', () => {
  const names = Array.from({ length: 3000 }, (_, index) => `name_${index % 700}${index % 3 === 0 ? '.cold' : ''}`)
  const text = Buffer.from(
    names
      .map(
        (name, index) =>
          `${(0xffffffff81000000n + BigInt(index * 16)).toString(16)} ${index % 2 ? 't' : 'T'} ${name}\n`,
      )
      .join(''),
  )
  const many = parseSymbols(text)
  for (const name of [...new Set(names), 'name_', 'cold', 'name_7000', ''])
    expect(many.lookup(name)).toEqual(parseSymbols(text).lookup(name))
  expect(many.lookup('name_1')).toHaveLength(names.filter((name) => name === 'name_1').length)
})
