// SPDX-License-Identifier: GPL-3.0-or-later
// A finished module with a fault put into its bytes: what a wrong build would have made.
import { relocationType } from '../../src/elf/format.ts'
import { readObject } from '../../src/elf/read.ts'

/** One relocation as it lies in the file. */
export interface RawRelocation {
  /** In the file, bytes. */
  readonly at: number
  /** The table's name. */
  readonly table: string
  /** The index of the section that is relocated. */
  readonly section: number
  readonly offset: number
  readonly type: number
  readonly symbol: number
  readonly addend: number
}

interface Header {
  readonly name: string
  readonly at: number
  readonly type: number
  readonly offset: number
  readonly size: number
  readonly info: number
}

export class Mutant {
  bytes: Buffer
  private readonly headers: readonly Header[]

  constructor(bytes: Buffer) {
    this.bytes = Buffer.from(bytes)
    const { sections } = readObject(bytes, 'mutant.ko')
    const table = Number(bytes.readBigUInt64LE(40))
    this.headers = sections.map(({ name, type, info }, index) => {
      const at = table + 64 * index
      const offset = Number(bytes.readBigUInt64LE(at + 24))
      return { name, at, type, offset, size: Number(bytes.readBigUInt64LE(at + 32)), info }
    })
  }

  relocations(): RawRelocation[] {
    return this.headers.flatMap(({ name, type, offset, size, info }) =>
      type !== 4
        ? []
        : Array.from({ length: size / 24 }, (_, index) => {
            const at = offset + 24 * index
            return {
              at,
              table: name,
              section: info,
              offset: Number(this.bytes.readBigUInt64LE(at)),
              type: this.bytes.readUInt32LE(at + 8),
              symbol: this.bytes.readUInt32LE(at + 12),
              addend: Number(this.bytes.readBigInt64LE(at + 16)),
            }
          }),
    )
  }

  /** Lets a relocation lead elsewhere. */
  lead({ at }: RawRelocation, addend: number, symbol?: number): this {
    this.bytes.writeBigInt64LE(BigInt(addend), at + 16)
    if (symbol !== undefined) this.bytes.writeUInt32LE(symbol, at + 12)
    return this
  }

  /** Lets a relocation of the other's kind lead to where the other one does, and the other way round. */
  exchange(one: RawRelocation, other: RawRelocation): this {
    return this.lead(one, other.addend, other.symbol).lead(other, one.addend, one.symbol)
  }

  /** Names a section as another one, or as text that is new to the file. */
  nameSection(section: string, name: string): this {
    const strings = this.header('.shstrtab')
    const known = this.bytes.indexOf(`\0${name}\0`, strings.offset, 'latin1')
    const inside = known >= 0 && known < strings.offset + strings.size
    let place = known + 1 - strings.offset
    if (!inside) {
      // The table moves to the end of the file, with the name behind it.
      const table = this.bytes.subarray(strings.offset, strings.offset + strings.size)
      place = strings.size
      const longer = Buffer.concat([table, Buffer.from(`${name}\0`, 'latin1')])
      this.bytes.writeBigUInt64LE(BigInt(this.bytes.length), strings.at + 24)
      this.bytes.writeBigUInt64LE(BigInt(longer.length), strings.at + 32)
      this.bytes = Buffer.concat([this.bytes, longer])
    }
    this.bytes.writeUInt32LE(place, this.header(section).at)
    return this
  }

  /** Writes into a section's bytes. */
  write(section: string, offset: number, bytes: Buffer): this {
    bytes.copy(this.bytes, this.header(section).offset + offset)
    return this
  }

  /** Spoils one field of an entry of the symbol table (gABI, struct Elf64_Sym). */
  symbol(index: number, field: 'value' | 'section' | 'info', random: (below: number) => number): this {
    const at = this.header('.symtab').offset + 24 * index
    if (field === 'value')
      this.bytes.writeBigUInt64LE(this.bytes.readBigUInt64LE(at + 8) ^ BigInt(1 << random(6)), at + 8)
    else if (field === 'info') this.bytes[at + 4]! ^= 1 << random(6)
    else {
      // Another one than it has.
      const own = this.bytes.readUInt16LE(at + 6)
      const other = 1 + random(this.headers.length - 2)
      this.bytes.writeUInt16LE(other < own ? other : other + 1, at + 6)
    }
    return this
  }

  header(section: string): Header {
    const found = this.headers.find(({ name }) => name === section)
    if (found === undefined) throw new Error(`there is no section ${section}`)
    return found
  }
}

/** True for a distance from the place, as calls have it. */
export function isDistance({ type }: RawRelocation): boolean {
  return type === relocationType.pc32 || type === relocationType.plt32
}
