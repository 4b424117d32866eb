// SPDX-License-Identifier: GPL-3.0-or-later
// Reads what a linker or a kernel wrote: executables and core files, of which only parts are wanted. An object file is
// read by `read.ts`. Every offset is checked here.
// Format: System V gABI, chapter 4 (Sections) and chapter 5 (Program Header).
import { fstatSync, readSync } from 'node:fs'
import { fileType, machine } from './format.ts'
import type { Bad } from './read.ts'
import { namesOf } from './strings.ts'
import {
  type FileHeader,
  headerSize,
  headerWord,
  readFileHeader,
  sectionHeaderSize,
  segmentHeaderSize,
  segmentMember,
} from './structures.ts'

/** The bytes at an offset of a file; undefined when they are not all there, or can't be read. */
export type ReadAt = (offset: bigint, length: number) => Buffer | undefined

/** A part of the file that lies in memory, or tells something. */
export interface Segment {
  /** PT_*: `segmentType`. */
  readonly type: number
  /** In the file. Those of /proc/kcore go beyond what a double can hold. */
  readonly offset: bigint
  readonly address: bigint
  /** Bytes in the file. */
  readonly size: bigint
}

export interface LinkedSection {
  readonly name: string
  readonly type: number
  readonly flags: number
  readonly address: bigint
  /** In the file. */
  readonly offset: number
  /** Bytes in memory; in the file as well, unless the section has none there (NOBITS). */
  readonly size: number
}

/** Bytes; a kernel's names of sections have some thousand. */
const mostNames = 1 << 20

/** Reads a file that is in memory. */
export function bytesAt(bytes: Buffer): ReadAt {
  return (offset, length) =>
    offset + BigInt(length) > BigInt(bytes.length) ? undefined : bytes.subarray(Number(offset), Number(offset) + length)
}

/** Reads a file that is open. */
export function fileAt(fd: number): ReadAt {
  const { size } = fstatSync(fd, { bigint: true })
  return (offset, length) => {
    // No buffer is made for what a header only claims.
    if (offset + BigInt(length) > size) return undefined
    const bytes = Buffer.alloc(length)
    let done = 0
    try {
      while (done < length) {
        const count = readSync(fd, bytes, done, length - done, offset + BigInt(done))
        if (count === 0) return undefined
        done += count
      }
    } catch {
      // EFAULT or EIO: of a kernel's memory, nothing is mapped there.
      return undefined
    }
    return bytes
  }
}

/** Where the file has the bytes at an address; undefined when no segment has them all. The first that does counts. */
export function offsetOf(segments: readonly Segment[], address: bigint, length: number): bigint | undefined {
  const segment = segments.find((one) => address >= one.address && address + BigInt(length) <= one.address + one.size)
  return segment && segment.offset + (address - segment.address)
}

/** @throws what `bad` makes when it is no ELF file for x86-64 of one of these types (`fileType`) */
function readHeader(readAt: ReadAt, types: readonly number[], bad: Bad): FileHeader {
  const header = readFileHeader(readAt(0n, headerSize))
  if (typeof header === 'string') throw bad(header)
  if (header.machine !== machine.x86_64) throw bad('it is not for x86-64')
  if (!types.includes(header.type)) throw bad('it is another kind of ELF file')
  return header
}

const linkedTypes = [fileType.executable, fileType.shared]

/**
 * The segments of a file, in its order. What they say is not held against the length of the file.
 * @param types the kinds of file (`fileType`) that are wanted
 * @throws what `bad` makes of a file that can't be read
 */
export function readSegments(readAt: ReadAt, bad: Bad, types: readonly number[] = linkedTypes): Segment[] {
  const { at, count, entrySize } = readHeader(readAt, types, bad).segments
  if (count > 0 && entrySize !== segmentHeaderSize) throw bad('its program headers have an unknown size')
  const table = readAt(at, count * segmentHeaderSize)
  if (table === undefined) throw bad('its program headers lie outside the file')
  return Array.from({ length: count }, (_, index) => {
    const own = table.subarray(index * segmentHeaderSize)
    return {
      type: own.readUInt32LE(segmentMember.type),
      offset: own.readBigUInt64LE(segmentMember.offset),
      address: own.readBigUInt64LE(segmentMember.address),
      size: own.readBigUInt64LE(segmentMember.size),
    }
  })
}

/**
 * The sections of an executable, in its order.
 * @throws what `bad` makes of a file that can't be read, or has no sections
 */
export function readLinkedSections(readAt: ReadAt, bad: Bad): LinkedSection[] {
  const { sections, names: nameTable } = readHeader(readAt, linkedTypes, bad)
  const { at, count, entrySize } = sections
  if (entrySize !== sectionHeaderSize) throw bad('its section headers have an unknown size')
  const table = readAt(at, count * sectionHeaderSize)
  if (table === undefined) throw bad('its section headers lie outside the file')
  if (nameTable >= count) throw bad('its section name table does not exist')
  const u32 = (index: number, word: number) => table.readUInt32LE(index * sectionHeaderSize + 4 * word)
  const u64 = (index: number, word: number) => table.readBigUInt64LE(index * sectionHeaderSize + 4 * word)
  const size = u64(nameTable, headerWord.size)
  const names = size > mostNames ? undefined : readAt(u64(nameTable, headerWord.offset), Number(size))
  if (names === undefined) throw bad('the names of its sections lie outside the file')
  const nameAt = namesOf(names, bad)
  return Array.from({ length: count }, (_, index) => {
    const [offset, size] = [u64(index, headerWord.offset), u64(index, headerWord.size)]
    if (offset > Number.MAX_SAFE_INTEGER || size > Number.MAX_SAFE_INTEGER)
      throw bad(`section ${index} lies outside the file`)
    return {
      name: nameAt(u32(index, headerWord.name)),
      type: u32(index, headerWord.type),
      flags: Number(u64(index, headerWord.flags)),
      address: u64(index, headerWord.address),
      offset: Number(offset),
      size: Number(size),
    }
  })
}
