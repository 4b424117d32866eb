// SPDX-License-Identifier: GPL-3.0-or-later
// That the decoder is right about real kernels is shown in test/e2e/kernels.test.ts.
import { describe, expect, test } from 'vitest'
import { base, encode, entries, entriesFor } from '../../../bench/fuzz/kallsyms-table.ts'
import { decodeKallsyms, systemMapText } from '../../../src/kernel/image/kallsyms.ts'

describe.each(['old', 'new', 'newest'] as const)('a symbol table in the %s order', (order) => {
  const list = entriesFor(entries(3000), order)

  test('is decoded: names, types, addresses, per-CPU symbols and names longer than 127 tokens', () => {
    const decoded = decodeKallsyms(encode(list, order))
    expect(decoded.count).toBe(list.length)
    const lines = systemMapText(decoded).split('\n')
    expect(lines.at(-1)).toBe('')
    for (const [i, { address, type, name }] of list.entries())
      expect(lines[i]).toBe(`${address.toString(16).padStart(16, '0')} ${type} ${name}`)
  })

  test.each([255, 256, 257].map((count) => count * 4 - 3))('is decoded when it has %i symbols and some', (count) => {
    const some = entriesFor(entries(count), order)
    expect(decodeKallsyms(encode(some, order)).count).toBe(some.length)
  })

  test('is refused when a part of it is damaged', () => {
    const whole = encode(list, order)
    const digits = whole.indexOf(Buffer.from('0\x001\x002\x003\x00', 'latin1'))
    for (const at of [digits, digits + 60, digits - 1500]) {
      const damaged = Buffer.from(whole)
      damaged.fill(0xee, at, at + 40)
      let decoded: string | undefined
      try {
        decoded = systemMapText(decodeKallsyms(damaged))
      } catch (error) {
        expect(error).toMatchObject({ code: 'kallsyms-unreadable', kind: 'environment' })
        continue
      }
      // What lies before the table in this order may be something that the decoder does not use.
      expect(decoded).toBe(systemMapText(decodeKallsyms(whole)))
    }
  })

  test('is refused at whatever place the file is cut off', () => {
    const whole = encode(list, order)
    const end = whole.length - 4096 - (order === 'old' ? 0 : list.length * 3 + 16)
    for (let length = 0; length < end - 8; length += 997)
      expect(() => decodeKallsyms(Buffer.from(whole.subarray(0, length)))).toThrow('symbol table can’t be read')
  })
})

test('what lies among the data is no code, whatever nm makes of an executable section', () => {
  const at = (offset: number) => base + BigInt(offset)
  const list = entries(3000).filter(({ address }) => address >= base && address < at(0x9000))
  const data = [
    '_sdata',
    'first',
    '__relocate_kernel_start',
    'jump',
    '__relocate_kernel_end',
    'last',
    '_edata',
    'behind',
  ]
  const all = [...list, ...data.map((name, i) => ({ address: at(0x9000 + i * 16), type: 't', name }))]
  const { names, types } = decodeKallsyms(encode(all, 'newest'))
  const typeOf = (name: string) => String.fromCharCode(types[names.indexOf(name)]!)
  expect(data.map(typeOf).join('')).toBe('ddttddtt')
  expect(types.slice(0, list.length)).toEqual(Uint8Array.from(list.map(({ type }) => type.charCodeAt(0))))
})
