// SPDX-License-Identifier: GPL-3.0-or-later
// Notes, as a linker writes them and as somebody spoilt them.
import { expect, test } from 'vitest'
import { notesIn } from '../../src/elf/notes.ts'

function note(owner: string, type: number, content: string): Buffer {
  const [name, bytes] = [Buffer.from(`${owner}\0`), Buffer.from(content)]
  const head = Buffer.alloc(12)
  head.writeUInt32LE(name.length, 0)
  head.writeUInt32LE(bytes.length, 4)
  head.writeUInt32LE(type, 8)
  const padded = (part: Buffer) => Buffer.concat([part, Buffer.alloc(-part.length & 3)])
  return Buffer.concat([head, padded(name), padded(bytes)])
}

test('notes follow one another, each from a multiple of four', () => {
  const notes = [...notesIn(Buffer.concat([note('Xen', 7, 'abcde'), note('GNU', 3, '12')]))]
  expect(notes.map(({ owner, type, content }) => [owner, type, content.toString()])).toEqual([
    ['Xen', 7, 'abcde'],
    ['GNU', 3, '12'],
  ])
})

test('one that claims to be longer than what is there ends them', () => {
  const good = note('GNU', 3, '12')
  const bad = note('GNU', 3, '34')
  for (const at of [0, 4]) {
    const spoilt = Buffer.from(bad)
    spoilt.writeUInt32LE(0xffff_fff0, at)
    expect([...notesIn(Buffer.concat([good, spoilt]))].length).toBe(1)
  }
  expect([...notesIn(good.subarray(0, good.length - 3))]).toEqual([])
})
