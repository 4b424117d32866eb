// SPDX-License-Identifier: GPL-3.0-or-later
// The structures of an ELF-64 file: its header, and where the members of its tables' entries stand. The tables of an
// object are seen as 32-bit words, so that nothing is made for an entry that nobody asks for.
// Format: System V gABI, chapters 4 and 5.

/** Words of an entry and where in it a member begins, which has one word or two. */
export const headerWord = {
  /** Elf64_Shdr. */
  count: 16,
  name: 0,
  type: 1,
  flags: 2,
  address: 4,
  offset: 6,
  size: 8,
  link: 10,
  info: 11,
  align: 12,
  entrySize: 14,
} as const

export const symbolWord = {
  /** Elf64_Sym. */
  count: 6,
  name: 0,
  /** st_info, st_other and st_shndx share a word: see `bindingIn` and the others. */
  shared: 1,
  value: 2,
  size: 4,
} as const

export const relocationWord = {
  /** Elf64_Rela. */
  count: 6,
  offset: 0,
  type: 2,
  symbol: 3,
  addend: 4,
} as const

/** Where in a program header (Elf64_Phdr) a member stands, in bytes. */
export const segmentMember = { type: 0, offset: 8, address: 16, size: 32 } as const

/** Bytes of a file's header (Elf64_Ehdr) and of the entries of its tables. */
export const headerSize = 64
export const segmentHeaderSize = 56
export const sectionHeaderSize = headerWord.count * 4
export const symbolSize = symbolWord.count * 4
export const relaSize = relocationWord.count * 4

/** What the shared word of a symbol says: its binding, its type, its visibility, and the number of its section. */
export const bindingIn = (shared: number) => (shared >>> 4) & 0xf
export const typeIn = (shared: number) => shared & 0xf
export const visibilityIn = (shared: number) => (shared >>> 8) & 3
export const sectionIn = (shared: number) => shared >>> 16

/** An unsigned 64-bit number at a word; above 2^53 it is not exact, and refused by who asks. */
export function u64(words: Uint32Array, word: number): number {
  return words[word]! + words[word + 1]! * 0x1_0000_0000
}

/** The same, signed. */
export function i64(words: Uint32Array, word: number): number {
  return words[word]! + (words[word + 1]! | 0) * 0x1_0000_0000
}

/**
 * The 32-bit words of a part of a file. Tables are aligned in every object that a compiler made, and are
 * seen as they lie there; one that is not is copied. (The processor must be little-endian, like the file.)
 */
export function wordsOf(bytes: Buffer, at: number, size: number): Uint32Array {
  const start = bytes.byteOffset + at
  if (start % 4 === 0) return new Uint32Array(bytes.buffer, start, size >>> 2)
  return new Uint32Array(Uint8Array.from(bytes.subarray(at, at + size - (size % 4))).buffer)
}

/** A table, as the file's header tells of it. */
export interface TableHeader {
  /** In the file. */
  readonly at: bigint
  /** Entries; of sections, 0 may mean that there are too many for this field. */
  readonly count: number
  /** Bytes. */
  readonly entrySize: number
}

export interface FileHeader {
  /** ET_*: `fileType`. */
  readonly type: number
  /** EM_*: `machine`. */
  readonly machine: number
  readonly segments: TableHeader
  readonly sections: TableHeader
  /** The index of the section with the sections' names. */
  readonly names: number
}

const magic = 0x7f454c46
const class64 = 2
const littleEndian = 1

/**
 * The header of a file, where there is one that can be read here.
 * @param bytes the file, or its beginning; undefined when there is none
 * @returns what is wrong, where it can't
 */
export function readFileHeader(bytes: Buffer | undefined): FileHeader | string {
  if (bytes === undefined || bytes.length < headerSize || bytes.readUInt32BE(0) !== magic)
    return 'it is not an ELF file'
  if (bytes[4] !== class64 || bytes[5] !== littleEndian) return 'it is not a little-endian 64-bit ELF file'
  const table = (at: number, sizes: number): TableHeader => ({
    at: bytes.readBigUInt64LE(at),
    entrySize: bytes.readUInt16LE(sizes),
    count: bytes.readUInt16LE(sizes + 2),
  })
  return {
    type: bytes.readUInt16LE(16),
    machine: bytes.readUInt16LE(18),
    segments: table(32, 54),
    sections: table(40, 58),
    names: bytes.readUInt16LE(62),
  }
}
