// SPDX-License-Identifier: GPL-3.0-or-later
// The entries of debug information, read one after the other.
// Format: DWARF 4 (dwarfstd.org), section 7.5.

/** Thrown when something is not understood; nothing is known then. */
export class Unreadable extends Error {}

export interface Abbreviation {
  readonly tag: number
  /** Whether entries follow inside of it. */
  readonly hasChildren: boolean
  readonly attributes: readonly (readonly [name: number, form: number])[]
}

/** An abbreviation has some ten attributes, and a path is no longer than the kernel takes. */
const [mostAttributes, longestPath] = [256, 4096]

export class Cursor {
  constructor(
    readonly data: Buffer,
    public at: number,
    private readonly end = data.length,
  ) {}

  private take(size: number): number {
    const start = this.at
    this.at += size
    if (start < 0 || size < 0 || this.at > this.end) throw new Unreadable()
    return start
  }

  u8 = (): number => this.data.readUInt8(this.take(1))
  u16 = (): number => this.data.readUInt16LE(this.take(2))
  u32 = (): number => this.data.readUInt32LE(this.take(4))

  leb(): number {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.u8()
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
  }

  text(): string {
    const bytes = this.data.subarray(this.at, Math.min(this.at + longestPath, this.end))
    const end = bytes.indexOf(0)
    if (end < 0) throw new Unreadable()
    this.at += end + 1
    return bytes.toString('latin1', 0, end)
  }

  skip(size: number): void {
    this.take(size)
  }
}

export function readAbbreviations(data: Buffer, at: number): Map<number, Abbreviation> {
  const cursor = new Cursor(data, at)
  const table = new Map<number, Abbreviation>()
  for (let code = cursor.leb(); code !== 0; code = cursor.leb()) {
    const kind = cursor.leb()
    const hasChildren = cursor.u8() !== 0
    const attributes: (readonly [number, number])[] = []
    for (;;) {
      const pair = [cursor.leb(), cursor.leb()] as const
      if (pair[0] === 0 && pair[1] === 0) break
      if (attributes.length === mostAttributes) throw new Unreadable()
      attributes.push(pair)
    }
    table.set(code, { tag: kind, hasChildren, attributes })
  }
  return table
}

/** Passes over a value. @returns it, when it is a number */
export function readValue(cursor: Cursor, form: number): number {
  switch (form) {
    case 0x01: // addr
    case 0x07: // data8
    case 0x14: // ref8
    case 0x20: // ref_sig8
      cursor.skip(8)
      return 0
    case 0x03: // block2
      cursor.skip(cursor.u16())
      return 0
    case 0x04: // block4
      cursor.skip(cursor.u32())
      return 0
    case 0x05: // data2
    case 0x12: // ref2
      return cursor.u16()
    case 0x06: // data4
    case 0x13: // ref4
    case 0x0e: // strp
    case 0x10: // ref_addr
    case 0x17: // sec_offset
      return cursor.u32()
    case 0x08: // string
      cursor.text()
      return 0
    case 0x09: // block
    case 0x18: // exprloc
      cursor.skip(cursor.leb())
      return 0
    case 0x0a: // block1
      cursor.skip(cursor.u8())
      return 0
    case 0x0b: // data1
    case 0x0c: // flag
    case 0x11: // ref1
      return cursor.u8()
    case 0x0d: // sdata
    case 0x0f: // udata
    case 0x15: // ref_udata
      return cursor.leb()
    case 0x19: // flag_present
      return 0
    default:
      throw new Unreadable()
  }
}
