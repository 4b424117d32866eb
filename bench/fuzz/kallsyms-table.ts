// SPDX-License-Identifier: GPL-3.0-or-later
// The kernel's own symbol table, encoded as scripts/kallsyms.c lays it out: before Linux 6.4, from then on, and in 7.2.

export interface Entry {
  readonly address: bigint
  readonly type: string
  readonly name: string
}

export const base = 0xffffffff81000000n

export function entries(count: number): Entry[] {
  const list: Entry[] = [
    { address: 0n, type: 'A', name: 'fixed_percpu_data' },
    { address: 0x1000n, type: 'A', name: 'cpu_debug_store' },
  ]
  for (let i = 0; i < count; i++)
    list.push({ address: base + BigInt(i * 16), type: i % 3 === 0 ? 'T' : 't', name: `function_${i % 50}` })
  list.push({ address: base + BigInt(count * 16), type: 'd', name: `_RN${'v'.repeat(300)}` })
  return list
}

/** The entries that such a table can hold: the newest has no absolute ones. */
export function entriesFor(list: readonly Entry[], order: TableOrder): readonly Entry[] {
  return order === 'newest' ? list.filter(({ address }) => address >= base) : list
}

/** A token for every byte, and some that stand for more, as the compressor makes them. */
const tokens = Array.from({ length: 256 }, (_, i) => (i > 0x20 && i < 0x7f ? String.fromCharCode(i) : `u${i}`))
tokens[0x80] = 'function_'
tokens[0x81] = 'tfunction_'

function encodeName(text: string): Buffer {
  const bytes: number[] = []
  for (let i = 0; i < text.length; ) {
    const long = [0x81, 0x80].find((token) => text.startsWith(tokens[token]!, i))
    bytes.push(long ?? text.charCodeAt(i))
    i += long === undefined ? 1 : tokens[long]!.length
  }
  const length = bytes.length < 0x80 ? [bytes.length] : [(bytes.length & 0x7f) | 0x80, bytes.length >> 7]
  return Buffer.from([...length, ...bytes])
}

export type TableOrder = 'old' | 'new' | 'newest'

/** An ELF file's header with one segment, which has the whole file at the kernel's base (gABI, chapters 4 and 5). */
function elfHeader(size: number): Buffer {
  const header = Buffer.alloc(4096)
  Buffer.from('7f454c46020101', 'hex').copy(header)
  header.writeUInt16LE(2, 16)
  header.writeUInt16LE(62, 18)
  header.writeBigUInt64LE(64n, 32)
  header.writeUInt16LE(56, 54)
  header.writeUInt16LE(1, 56)
  header.writeUInt32LE(1, 64)
  header.writeBigUInt64LE(base, 80)
  header.writeBigUInt64LE(BigInt(size), 96)
  return header
}

/** The parts of the table, each padded to 8 bytes, or 4, in the order of the series. */
export function encode(all: readonly Entry[], order: TableOrder, seed = 1): Buffer {
  const list = entriesFor(all, order)
  const u32 = (values: readonly number[]) => {
    const buffer = Buffer.alloc(values.length * 4)
    for (const [i, value] of values.entries()) buffer.writeInt32LE(value | 0, i * 4)
    return buffer
  }
  const markers: number[] = []
  const encoded: Buffer[] = []
  let at = 0
  for (const [i, { type, name }] of list.entries()) {
    if (i % 256 === 0) markers.push(at)
    const bytes = encodeName(type + name)
    encoded.push(bytes)
    at += bytes.length
  }
  const relative = Buffer.alloc(8)
  relative.writeBigUInt64LE(base)
  const starts: number[] = []
  let next = 0
  for (const token of tokens) {
    starts.push(next)
    next += token.length + 1
  }
  const index = Buffer.alloc(512)
  for (const [i, start] of starts.entries()) index.writeUInt16LE(start, i * 2)
  const parts = {
    offsets: u32(list.map(({ address }) => (address < base ? Number(address) : Number(base - address - 1n)))),
    relative,
    count: u32([list.length]),
    names: Buffer.concat(encoded),
    markers: u32(markers),
    seqs: Buffer.from(list.flatMap((_, i) => [(i >> 16) & 255, (i >> 8) & 255, i & 255])),
    table: Buffer.from(`${tokens.join('\0')}\0`, 'latin1'),
    index,
  }
  const { offsets, count, names, seqs, table } = parts
  const step = order === 'newest' ? 4 : 8
  const padded = (part: Buffer) => Buffer.concat([part, Buffer.alloc(-part.length & (step - 1))])
  const noise = Buffer.alloc(4096)
  for (let i = 0, x = seed; i < noise.length; i++) {
    x = (x * 1103515245 + 12345) >>> 0
    noise[i] = x >>> 16
  }
  if (order !== 'newest') {
    const sequence =
      order === 'old'
        ? [offsets, relative, count, names, parts.markers, seqs, table, index]
        : [count, names, parts.markers, table, index, offsets, relative, seqs]
    return Buffer.concat([noise, ...sequence.map(padded), noise])
  }
  const before = Buffer.concat([count, names, parts.markers, table, index].map(padded))
  const place = 4096 + before.length
  const own = u32(list.map(({ address }, i) => Number(address - base) - place - i * 4))
  const after = Buffer.concat([own, padded(seqs), noise])
  return Buffer.concat([elfHeader(place + after.length), before, after])
}

/** A table with so many functions. */
export function kallsymsTable(count: number, order: TableOrder): Buffer {
  return encode(entries(count), order)
}
