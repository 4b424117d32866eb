// SPDX-License-Identifier: GPL-3.0-or-later
// What a module says of its kernel and of the places that it reaches by distance, written and read again.
import { describe, expect, test } from 'vitest'
import { readObject } from '../../../src/elf/read.ts'
import { undefinedSymbol, writeObject } from '../../../src/elf/write.ts'
import { buildIdIn } from '../../../src/kernel/image/build-id.ts'
import { imageDifference } from '../../../src/match/identity.ts'
import { anchor, type Distance } from '../../../src/module/bind/distance.ts'
import { distancesIn, imageIn, referenceTables } from '../../../src/module/link/kernel-references.ts'

const identity = { release: '6.1.0-1-amd64', version: '#1 SMP Debian 6.1.1-1', buildId: 'ab'.repeat(20) }

function written(image: Parameters<typeof referenceTables>[0], distances: readonly Distance[]) {
  const from = undefinedSymbol(anchor)
  const { sections, symbols } = referenceTables(image, from, distances)
  return readObject(writeObject({ sections, symbols: [from, ...symbols] }), 'module.ko')
}

describe('a module', () => {
  test('knows its image', () => {
    expect(imageIn(written(identity, []))).toEqual(identity)
    expect(imageIn(written({ ...identity, buildId: undefined }, []))).toEqual({
      ...identity,
      buildId: undefined,
    })
    const long = 'x'.repeat(100)
    expect(imageIn(written({ ...identity, version: long }, []))?.version).toBe(long.slice(0, 64))
  })

  test('lists what it reaches by distance, in the order of the addresses, with all names', () => {
    const [near, far, before] = [
      { bytes: 16, names: ['b'] },
      { bytes: 0x100_0000, names: ['c', '__do_c', '__se_c'] },
      { bytes: -0x180_0000, names: ['a'] },
    ] as const
    const module = written(identity, [near, far, before])
    expect(distancesIn(module)).toEqual([before, near, far])
    // An entry without a name ends the list.
    const table = module.sections.find(({ name }) => name.endsWith('inarch_references'))
    expect(table?.data.length).toBe(4 * 16)
    expect(distancesIn(written(identity, []))).toEqual([])
  })

  test('has the same bytes whatever the order in which the references came', () => {
    const list = [3, 1, 2].map((bytes) => ({ bytes, names: [`f${bytes}`] }))
    const bytesOf = (distances: readonly Distance[]) => {
      const from = undefinedSymbol(anchor)
      const { sections, symbols } = referenceTables(identity, from, distances)
      return writeObject({ sections, symbols: [from, ...symbols] })
    }
    expect(bytesOf(list).equals(bytesOf(list.toReversed()))).toBe(true)
  })
})

describe('two images', () => {
  test('are told apart by their version and by their build-id', () => {
    expect(imageDifference(identity, identity)).toBeUndefined()
    expect(imageDifference(identity, { ...identity, version: '#2' })).toContain('#2')
    const rebuilt = `${identity.buildId.slice(0, -1)}c`
    expect(imageDifference(identity, { ...identity, buildId: rebuilt })).toContain(rebuilt)
    expect(imageDifference(identity, { ...identity, buildId: undefined })).toContain('none')
  })
})

describe('the build-id among notes', () => {
  const note = (name: string, type: number, description: string) => {
    const header = Buffer.alloc(12)
    const id = Buffer.from(description, 'hex')
    header.writeUInt32LE(name.length + 1, 0)
    header.writeUInt32LE(id.length, 4)
    header.writeUInt32LE(type, 8)
    const pad = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)])
    return Buffer.concat([header, pad(Buffer.from(`${name}\0`)), pad(id)])
  }
  const own = note('GNU', 3, identity.buildId)

  test('is found behind others, and only under its owner and type', () => {
    const others = [note('Xen', 3, '0011223344'), note('GNU', 5, 'ff'), note('Linux', 0x101, '00')]
    expect(buildIdIn(Buffer.concat([...others, own]))).toBe(identity.buildId)
    expect(buildIdIn(Buffer.concat(others))).toBeUndefined()
  })

  test('is not read beyond their end', () => {
    for (let size = 0; size < own.length; size++) expect(buildIdIn(own.subarray(0, size))).toBeUndefined()
    const lie = Buffer.from(own)
    lie.writeUInt32LE(0xffff_fff0, 4)
    expect(buildIdIn(lie)).toBeUndefined()
  })
})
