// SPDX-License-Identifier: GPL-3.0-or-later
// Makes hostile objects of good ones: cut off, with bits flipped, with fields that lie, with entries that
// were moved, repeated or led in circles. Every forgery is told in words, for whoever repeats the case.
import type { Random } from './random.ts'
import { type Field, type Range, type Shape, shapeOf, type Table } from './shape.ts'

export interface Forged {
  readonly bytes: Buffer
  /** What was done, in order. */
  readonly deeds: readonly string[]
}

/** An object while it is forged. */
interface Work {
  bytes: Buffer
  readonly shape: Shape
  readonly random: Random
}

const boundaries: readonly bigint[] = [
  ...[0n, 1n, 2n, 3n, 4n, 5n, 7n, 8n, 9n, 16n, 23n, 24n, 25n, 63n, 64n, 255n, 0xff00n, 0xff20n, 0xfff1n],
  ...[0xfff2n, 0xfffen, 0xffffn, 0x10000n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_fffcn, 0xffff_ffffn],
  ...[1n << 32n, 1n << 47n, 1n << 48n, 1n << 51n, 1n << 53n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n],
]

function get({ bytes }: Work, at: number, width: Field['width']): bigint {
  if (at < 0 || at + width > bytes.length) return 0n
  return width === 8 ? bytes.readBigUInt64LE(at) : BigInt(bytes.readUIntLE(at, width))
}

function put({ bytes }: Work, at: number, width: Field['width'], value: bigint): void {
  if (at < 0 || at + width > bytes.length) return
  const kept = BigInt.asUintN(8 * width, value)
  if (width === 8) bytes.writeBigUInt64LE(kept, at)
  else bytes.writeUIntLE(Number(kept), at, width)
}

/** A place of one field in one entry. */
interface Spot {
  readonly at: number
  readonly field: Field
  readonly label: string
}

function spotOf({ random }: Work, table: Table, name?: string): Spot {
  const index = random.below(table.count)
  const field = table.fields.find((one) => one.name === name) ?? random.pick(table.fields)
  return {
    at: table.at + index * table.stride + field.at,
    field,
    label: `${table.name} ${index} ${field.name}`,
  }
}

function anyTable({ random, shape }: Work): Table {
  const relocations = shape.relocations.length > 0 ? [random.pick(shape.relocations)] : []
  const tables = [shape.header, shape.sections, shape.sections, shape.symbols, ...relocations]
  return random.pick(tables.filter(({ count }) => count > 0))
}

/** A number that hurts: a limit of the format, or one that something else in the object has. */
function hurting(work: Work, table: Table, spot: Spot): bigint {
  const { random, bytes, shape } = work
  const old = get(work, spot.at, spot.field.width)
  const other = () => get(work, spotOf(work, table, spot.field.name).at, spot.field.width)
  const near = () => BigInt(random.below(5) - 2)
  switch (random.below(8)) {
    case 0:
    case 1:
      return random.pick(boundaries)
    case 2:
      return old + random.pick([-24n, -8n, -1n, 1n, 4n, 8n, 24n])
    case 3:
      return old ^ (1n << BigInt(random.below(8 * spot.field.width)))
    case 4:
      return other()
    case 5:
      return other() + near()
    case 6: {
      const counts = [bytes.length, shape.sections.count, shape.symbols.count, shape.sections.at]
      return BigInt(random.pick(counts)) + near()
    }
    default: {
      const within = get(work, spotOf(work, shape.sections, random.pick(['sh_size', 'sh_offset'])).at, 8)
      return random.oneIn(4) ? -within : within + near()
    }
  }
}

function forgeField(work: Work, table: Table, name?: string): string {
  const spot = spotOf(work, table, name)
  const value = hurting(work, table, spot)
  const old = get(work, spot.at, spot.field.width)
  put(work, spot.at, spot.field.width, value)
  return `${spot.label}: 0x${old.toString(16)} becomes 0x${get(work, spot.at, spot.field.width).toString(16)}`
}

/** Bytes of one entry, as a copy. */
function entry({ bytes }: Work, table: Table, index: number): Buffer {
  return Buffer.from(bytes.subarray(table.at + index * table.stride, table.at + (index + 1) * table.stride))
}

function anyRange({ random }: Work, ranges: readonly Range[]): Range {
  return ranges.length > 0 ? random.pick(ranges) : { at: 0, size: 64 }
}

/** Section header `index` is one of these. */
function sectionsOfType(work: Work, type: bigint): number[] {
  const { sections } = work.shape
  return Array.from({ length: sections.count }, (_, index) => index).filter(
    (index) => get(work, sections.at + 64 * index + 4, 4) === type,
  )
}

/** Moves a table to the end of the file with more entries, and lets its section say so. */
function grow(work: Work, type: bigint, stride: number, copies: number, edit: (entry: Buffer, n: number) => void) {
  const { random, shape } = work
  const indices = sectionsOfType(work, type)
  if (indices.length === 0) return 'nothing'
  const index = random.pick(indices)
  const header = shape.sections.at + 64 * index
  const at = Number(get(work, header + 24, 8))
  const size = Number(get(work, header + 32, 8))
  if (at + size > work.bytes.length || size < stride) return 'nothing'
  const old = Buffer.from(work.bytes.subarray(at, at + size))
  const chosen = random.below(Math.floor(size / stride)) * stride
  const more = Buffer.alloc(copies * stride)
  for (let n = 0; n < copies; n++) {
    const copy = more.subarray(n * stride, (n + 1) * stride)
    old.copy(copy, 0, chosen, chosen + stride)
    edit(copy, n)
  }
  put(work, header + 24, 8, BigInt(work.bytes.length))
  put(work, header + 32, 8, BigInt(old.length + more.length))
  work.bytes = Buffer.concat([work.bytes, old, more])
  return `section ${index} gets ${copies} more entries like that at ${chosen}`
}

/** Moves the section headers to the end of the file and repeats one of them. */
function growSections(work: Work, copies: number): string {
  const { shape, bytes, random } = work
  const { at, count } = shape.sections
  if (at + 64 * count > bytes.length) return 'nothing'
  const index = random.below(count)
  const one = entry(work, shape.sections, index)
  const table = Buffer.from(bytes.subarray(at, at + 64 * count))
  put(work, 40, 8, BigInt(bytes.length))
  // The count stands in section header 0 when it is too large for the file's header.
  const total = count + copies
  put(work, 60, 2, total >= 0xff00 ? 0n : BigInt(total))
  table.writeBigUInt64LE(total >= 0xff00 ? BigInt(total) : 0n, 32)
  work.bytes = Buffer.concat([bytes, table, ...Array.from({ length: copies }, () => one)])
  return `${copies} more sections like ${index}`
}

type Deed = (work: Work) => string

const field: Deed = (work) => forgeField(work, anyTable(work))

/** Each aims at something else; those that stand twice are done twice as often. */
const deeds: readonly Deed[] = [
  field,
  field,
  field,
  (work) => forgeField(work, work.shape.sections),
  (work) => forgeField(work, work.shape.sections, work.random.pick(['sh_link', 'sh_info', 'sh_entsize'])),
  (work) => forgeField(work, work.shape.symbols),
  (work) => forgeField(work, work.shape.symbols, work.random.pick(['st_value', 'st_size', 'st_shndx'])),
  (work) =>
    work.shape.relocations.length === 0 ? field(work) : forgeField(work, work.random.pick(work.shape.relocations)),
  function flipBits(work) {
    const places = Array.from({ length: 1 + work.random.below(8) }, () => work.random.below(work.bytes.length))
    for (const at of places) put(work, at, 1, get(work, at, 1) ^ (1n << BigInt(work.random.below(8))))
    return `a bit flips at ${places.join(', ')}`
  },
  function writeContents(work) {
    const { at, size } = anyRange(work, work.shape.contents)
    const place = at + work.random.below(size)
    const length = Math.min(1 + work.random.below(16), work.bytes.length - place)
    for (let n = 0; n < length; n++) put(work, place + n, 1, BigInt(work.random.below(256)))
    return `${length} bytes of contents at ${place} are random`
  },
  function writeStrings(work) {
    const { at, size } = anyRange(work, work.shape.strings)
    const place = at + work.random.below(size)
    // A terminator that goes or comes, or what a terminal would obey.
    const value = work.random.pick([0n, 0x2en, 0x41n, 0x1bn, 0x0an, 0xffn])
    put(work, place, 1, value)
    return `the byte at ${place} of a string table becomes ${value}`
  },
  function joinStrings(work) {
    const { at, size } = anyRange(work, work.shape.strings)
    const from = work.random.below(size)
    for (let n = from; n < size; n++) if (get(work, at + n, 1) === 0n) put(work, at + n, 1, 0x5fn)
    return `the string table at ${at} has no terminator from ${from} on`
  },
  function rename(work) {
    const table = work.random.pick([work.shape.sections, work.shape.sections, work.shape.symbols])
    if (table.count === 0) return 'nothing'
    const from = work.random.below(table.count)
    const to = work.random.below(table.count)
    put(work, table.at + to * table.stride, 4, get(work, table.at + from * table.stride, 4))
    return `${table.name} ${to} is called like ${from}`
  },
  function copyEntry(work) {
    const table = anyTable(work)
    const from = work.random.below(table.count)
    const to = work.random.below(table.count)
    entry(work, table, from).copy(work.bytes, table.at + to * table.stride)
    return `${table.name} ${from} is also ${to}`
  },
  function swapEntries(work) {
    const table = anyTable(work)
    const [one, two] = [work.random.below(table.count), work.random.below(table.count)]
    const kept = entry(work, table, one)
    entry(work, table, two).copy(work.bytes, table.at + one * table.stride)
    kept.copy(work.bytes, table.at + two * table.stride)
    return `${table.name} ${one} and ${two} change places`
  },
  function overlap(work) {
    const { sections } = work.shape
    const [from, to] = [work.random.below(sections.count), work.random.below(sections.count)]
    for (const at of [24, 32]) put(work, sections.at + 64 * to + at, 8, get(work, sections.at + 64 * from + at, 8))
    return `section ${to} lies on section ${from}`
  },
  function circle(work) {
    const { sections } = work.shape
    const [one, two] = [work.random.below(sections.count), work.random.below(sections.count)]
    const at = work.random.pick([40, 44])
    put(work, sections.at + 64 * one + at, 4, BigInt(two))
    put(work, sections.at + 64 * two + at, 4, BigInt(one))
    return `sections ${one} and ${two} lead to each other`
  },
  function retype(work) {
    const { sections } = work.shape
    const index = work.random.below(sections.count)
    const type = work.random.pick([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 14, 15, 16, 17, 18, 0x60000000, 0x70000001])
    put(work, sections.at + 64 * index + 4, 4, BigInt(type))
    return `section ${index} is of type ${type}`
  },
  function reflag(work) {
    const { sections } = work.shape
    const index = work.random.below(sections.count)
    const flag = work.random.pick([1, 2, 4, 0x10, 0x20, 0x30, 0x40, 0x80, 0x200, 0x400, 0x800, 0x100000])
    const at = sections.at + 64 * index + 8
    put(work, at, 8, get(work, at, 8) ^ BigInt(flag))
    return `section ${index}: flag 0x${flag.toString(16)} changes`
  },
  function mergeable(work) {
    const { sections } = work.shape
    const index = work.random.below(sections.count)
    const at = sections.at + 64 * index
    put(work, at + 8, 8, get(work, at + 8, 8) | BigInt(work.random.pick([0x10, 0x30])))
    put(work, at + 56, 8, work.random.pick([0n, 1n, 2n, 3n, 4n, 8n, 16n, 1n << 31n, 1n << 48n]))
    return `section ${index} is mergeable, with entries of ${get(work, at + 56, 8)} bytes`
  },
  function elsewhere(work) {
    const { symbols, sections } = work.shape
    if (symbols.count === 0) return 'nothing'
    const index = work.random.below(symbols.count)
    const at = symbols.at + 24 * index
    const section = work.random.below(sections.count)
    put(work, at + 6, 2, BigInt(section))
    const size = get(work, sections.at + 64 * section + 32, 8)
    put(work, at + 8, 8, work.random.pick([0n, size, size - 1n, size / 2n]))
    if (work.random.oneIn(2)) put(work, at + 16, 8, 0n)
    if (work.random.oneIn(2)) put(work, at + 4, 1, BigInt(16 * work.random.below(3) + work.random.below(5)))
    return `symbol ${index} is in section ${section}`
  },
  function numberedElsewhere(work) {
    const { symbols } = work.shape
    if (symbols.count === 0) return 'nothing'
    const at = symbols.at + 24 * work.random.below(symbols.count)
    put(work, at + 6, 2, 0xffffn)
    return `the symbol at ${at} has its section in an extended table`
  },
  function fill(work) {
    const at = work.random.below(work.bytes.length)
    const length = 1 + work.random.below(Math.min(256, work.bytes.length - at))
    const value = work.random.pick([0, 0xff, 0x41])
    work.bytes.fill(value, at, at + length)
    return `${length} bytes at ${at} become ${value}`
  },
  function cut(work) {
    const { random, shape, bytes } = work
    const { at, count, stride } = anyTable(work)
    const ends = [random.below(bytes.length), at, at + count * stride, at + count * stride - 1, shape.sections.at]
    const end = Math.min(random.pick(ends), bytes.length)
    work.bytes = Buffer.from(bytes.subarray(0, end))
    return `the file ends at ${end}`
  },
  function shift(work) {
    const at = work.random.below(work.bytes.length)
    const count = 1 + work.random.below(64)
    const gone = work.random.oneIn(2)
    work.bytes = Buffer.concat([
      work.bytes.subarray(0, at),
      gone ? Buffer.alloc(0) : Buffer.alloc(count),
      work.bytes.subarray(gone ? at + count : at),
    ])
    return `${count} bytes at ${at} ${gone ? 'are gone' : 'are new'}`
  },
]

/** What makes an object much larger: whatever takes a list's length squared shows here. */
const growth: readonly Deed[] = [
  (work) => growSections(work, 1 + work.random.below(4000)),
  (work) => {
    const step = work.random.pick([0, 1, 8])
    return grow(work, 2n, 24, 1 + work.random.below(20_000), (copy, n) =>
      copy.writeBigUInt64LE(BigInt.asUintN(64, copy.readBigUInt64LE(8) + BigInt(step * n)), 8),
    )
  },
  (work) => {
    const step = work.random.pick([0, 0, 4])
    return grow(work, 4n, 24, 1 + work.random.below(20_000), (copy, n) =>
      copy.writeBigUInt64LE(BigInt.asUintN(64, copy.readBigUInt64LE(0) + BigInt(step * n)), 0),
    )
  },
  (work) => grow(work, 1n, 1, 1 + work.random.below(200_000), () => {}),
]

/**
 * Forges an object.
 * @param good a well-formed object; it stays as it is
 */
export function forge(good: Buffer, random: Random): Forged {
  const work: Work = { bytes: Buffer.from(good), shape: shapeOf(good), random }
  const list = random.oneIn(400) ? growth : deeds
  const told: string[] = []
  const times = random.oneIn(12) ? 4 + random.below(13) : random.oneIn(2) ? 1 : 1 + random.below(4)
  for (let time = 0; time < times && work.bytes.length > 0; time++) {
    told.push(random.pick(time === 0 ? list : deeds)(work))
  }
  return { bytes: work.bytes, deeds: told }
}

/**
 * The same object with the numbering that more than 65,279 sections need: counts in section header 0,
 * and every symbol's section in a table of its own.
 * @param good a well-formed object with ordinary numbering
 */
export function numberExtended(good: Buffer): Buffer {
  const { sections, symbols } = shapeOf(good)
  const bytes = Buffer.from(good)
  const indices = Buffer.alloc(4 * symbols.count)
  for (let index = 0; index < symbols.count; index++) {
    const at = symbols.at + 24 * index + 6
    const section = bytes.readUInt16LE(at)
    if (section === 0 || section >= 0xff00) continue
    indices.writeUInt32LE(section, 4 * index)
    bytes.writeUInt16LE(0xffff, at)
  }
  const table = Buffer.from(bytes.subarray(sections.at, sections.at + 64 * sections.count))
  const symbolTable = Array.from({ length: sections.count }, (_, index) => index).find(
    (index) => table.readUInt32LE(64 * index + 4) === 2,
  )
  const header = Buffer.alloc(64)
  header.writeUInt32LE(18, 4)
  header.writeBigUInt64LE(BigInt(bytes.length), 24)
  header.writeBigUInt64LE(BigInt(indices.length), 32)
  header.writeUInt32LE(symbolTable ?? 0, 40)
  header.writeBigUInt64LE(4n, 48)
  header.writeBigUInt64LE(4n, 56)
  table.writeBigUInt64LE(BigInt(sections.count + 1), 32)
  table.writeUInt32LE(bytes.readUInt16LE(62), 40)
  bytes.writeBigUInt64LE(BigInt(bytes.length + indices.length), 40)
  bytes.writeUInt16LE(0, 60)
  bytes.writeUInt16LE(0xffff, 62)
  return Buffer.concat([bytes, indices, table, header])
}
