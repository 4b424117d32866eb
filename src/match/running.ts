// SPDX-License-Identifier: GPL-3.0-or-later
// The code that runs, readable by address: the kernel proper as it lies in its image, or a module as it
// would lie in memory. Addresses of the kernel are those it was linked for.
// Format: System V gABI, chapter 5 (Program Loading) and the AMD64 psABI's relocations.
import { closeSync, openSync } from 'node:fs'
import { isPcRelative, relocationSize, relocationType, sectionFlag, segmentType } from '../elf/format.ts'
import { fileAt, offsetOf, readSegments } from '../elf/linked.ts'
import type { ElfSymbol, ObjectFile, Section } from '../elf/read.ts'
import { addTo } from '../ground/values/grouped.ts'
import { remembered } from '../ground/values/remembered.ts'
import { badImage } from '../kernel/image/vmlinux.ts'

/** Code and constant data by absolute address. */
export interface Image {
  /** The bytes at an address; undefined when they are not all in the image. */
  read(address: bigint, length: number): Buffer | undefined
  close(): void
}

/** An image whose names are known. */
export interface Running {
  read(address: bigint, length: number): Buffer | undefined
  /** The addresses that a name stands for, in the order in which the kernel counts them. */
  addressesOf(name: string): readonly bigint[]
  /** True for memory, where the kernel has rewritten what it rewrites; else the code is as it was linked. */
  readonly live?: boolean
  /** Of memory: whether a kprobe has put a breakpoint or a jump there. */
  probed?(address: bigint): boolean
}

/**
 * Opens an executable ELF file (vmlinux) by its program headers.
 * @throws Fault `environment/bad-image`
 */
export function openImage(vmlinux: string): Image {
  const bad = badImage(vmlinux)
  const file = openSync(vmlinux, 'r')
  try {
    const readAt = fileAt(file)
    const segments = readSegments(readAt, bad).filter(({ type }) => type === segmentType.load)
    return {
      read(address, length) {
        const place = offsetOf(segments, address, length)
        if (place === undefined) return undefined
        const bytes = readAt(place, length)
        if (bytes === undefined) throw bad('a segment lies outside the file')
        return bytes
      },
      close: () => closeSync(file),
    }
  } catch (error) {
    closeSync(file)
    throw error
  }
}

const moduleBase = 0xffff_ffff_c000_0000n
const elsewhere = 0xffff_ffff_9000_0000n
const page = 4096n

/** A module as it would lie in memory. */
export interface LaidOut extends Running {
  /** Where a place of a section lies; undefined for a section that is not loaded. */
  addressAt(section: Section, offset: number): bigint | undefined
}

/**
 * Lays a module out as the kernel's loader would: each section at an address, each name that it takes
 * from elsewhere at one of its own, the code relocated.
 * @param counted the symbols whose order is the kernel's; others have no address
 */
export function layOutModule(module: ObjectFile, counted: readonly ElfSymbol[]): LaidOut {
  const starts = new Map<Section, bigint>()
  let next = moduleBase
  for (const section of module.sections) {
    if ((section.flags & sectionFlag.alloc) === 0) continue
    starts.set(section, next)
    next += (BigInt(section.size) / page + 1n) * page
  }
  const byName = new Map<string, bigint[]>()
  const addressOf = (symbol: ElfSymbol): bigint | undefined => {
    if (symbol.section === undefined) return byName.get(symbol.name)?.[0]
    const start = starts.get(symbol.section)
    return start === undefined ? undefined : start + BigInt(symbol.value)
  }
  for (const symbol of counted) {
    const address = addressOf(symbol)
    if (address === undefined) continue
    addTo(byName, symbol.name, address)
  }
  let outside = elsewhere
  for (const symbol of module.symbols)
    if (symbol.place === 'undefined' && symbol.name !== '' && !byName.has(symbol.name)) {
      byName.set(symbol.name, [outside])
      outside += 16n
    }
  const contents = remembered((section: Section): Buffer => {
    const start = starts.get(section)!
    const bytes = Buffer.from(section.data)
    for (const { offset, type, symbol, addend } of module.relocations(section)) {
      const address = addressOf(symbol)
      const size = relocationSize(type)
      if (address === undefined || size < 4 || offset + size > bytes.length) continue
      const value = address + BigInt(addend) - (isPcRelative(type) ? start + BigInt(offset) : 0n)
      if (size === 8) bytes.writeBigInt64LE(BigInt.asIntN(64, value), offset)
      else if (type === relocationType.abs32) bytes.writeUInt32LE(Number(BigInt.asUintN(32, value)), offset)
      else bytes.writeInt32LE(Number(BigInt.asIntN(32, value)), offset)
    }
    return bytes
  })
  return {
    addressesOf: (name) => byName.get(name) ?? [],
    addressAt(section, offset) {
      const start = starts.get(section)
      return start === undefined ? undefined : start + BigInt(offset)
    },
    read(address, length) {
      for (const [section, start] of starts) {
        const at = Number(address - start)
        if (address < start || at + length > section.data.length) continue
        return contents(section).subarray(at, at + length)
      }
      return undefined
    },
  }
}
