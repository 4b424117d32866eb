// SPDX-License-Identifier: GPL-3.0-or-later
// Finds where in the kernel image a function or datum of one unit is, when its name alone does not say
// it. The unit's own code before the patch is compared with the image at each address that the name
// may stand for; what differs by design (relocated fields, jump labels) is left out, and what the
// relocated fields hold must agree with the symbols that are known.
import { closeSync, openSync, readSync } from 'node:fs'
import type { Anatomy, Piece } from '../diff/anatomy.ts'
import { isPcRelative, relocationSize, relocationType } from '../elf/format.ts'
import type { Relocation } from '../elf/read.ts'

/** The kernel proper, readable by address. */
export interface Image {
  /** The bytes at an absolute address; undefined when they are not all in the image. */
  read(address: bigint, length: number): Buffer | undefined
  close(): void
}

/**
 * Opens an executable ELF file (vmlinux) by its program headers.
 * Format: System V gABI, chapter 5 (Program Loading).
 */
export function openImage(vmlinux: string): Image {
  const file = openSync(vmlinux, 'r')
  const header = Buffer.alloc(64)
  readSync(file, header, 0, 64, 0)
  const tableOffset = Number(header.readBigUInt64LE(32))
  const count = header.readUInt16LE(56)
  const table = Buffer.alloc(56 * count)
  readSync(file, table, 0, table.length, tableOffset)
  const segments: { address: bigint; size: bigint; offset: number }[] = []
  for (let index = 0; index < count; index++) {
    const at = 56 * index
    if (table.readUInt32LE(at) !== 1) continue
    segments.push({
      offset: Number(table.readBigUInt64LE(at + 8)),
      address: table.readBigUInt64LE(at + 16),
      size: table.readBigUInt64LE(at + 32),
    })
  }
  return {
    read(address, length) {
      const segment = segments.find(
        (candidate) =>
          address >= candidate.address && address + BigInt(length) <= candidate.address + candidate.size,
      )
      if (segment === undefined) return undefined
      const bytes = Buffer.alloc(length)
      const read = readSync(file, bytes, 0, length, segment.offset + Number(address - segment.address))
      return read === length ? bytes : undefined
    },
    close: () => closeSync(file),
  }
}

/** The absolute addresses that a name stands for, in the order in which the kernel counts them. */
export type AddressesOf = (name: string) => readonly bigint[]

/**
 * @param unit the unit before the patch
 * @returns the address of `piece`'s symbol, or undefined when not exactly one candidate fits
 */
export function locate(
  image: Image,
  unit: Anatomy,
  piece: Piece,
  addressesOf: AddressesOf,
): bigint | undefined {
  const candidates = addressesOf(piece.name)
  const fitting =
    piece.kind === 'function'
      ? candidates.filter((address) => fits(image, unit, piece, address, addressesOf))
      : candidates
  if (piece.kind === 'function' && fitting.length === 1) return fitting[0]
  // Copies of one inline function are alike; then the code that calls it tells them apart.
  const seen = addressesSeenByCode(image, unit, piece, addressesOf)
  const agreed = fitting.filter((address) => seen.has(address))
  return agreed.length === 1 ? agreed[0] : undefined
}

/** True when the function's code is what the image holds at `address`. */
function fits(image: Image, unit: Anatomy, piece: Piece, address: bigint, addressesOf: AddressesOf): boolean {
  const begin = piece.symbol?.value ?? piece.start
  const length = (piece.symbol?.size || piece.end - begin) | 0
  const there = image.read(address, length)
  if (there === undefined) return false
  const ours = Buffer.from(piece.section.data.subarray(begin, begin + length))
  const forget = (offset: number, size: number) => {
    ours.fill(0, Math.max(offset, 0), Math.min(offset + size, length))
    there.fill(0, Math.max(offset, 0), Math.min(offset + size, length))
  }
  for (const entry of unit.tableEntries(piece)) {
    const first = entry.relocations[0]
    if (entry.table.name !== '__jump_table' || first === undefined) continue
    const site = first.symbol.value + first.addend - begin
    const opcode = ours[site]
    forget(site, opcode === 0xeb || opcode === 0x66 ? 2 : 5)
  }
  for (const relocation of unit.relocations(piece)) {
    const offset = relocation.offset - begin
    if (offset < 0 || offset >= length) continue
    const size = relocationSize(relocation.type)
    if (size === 0) return false
    const target = unit.target(piece.section, relocation)
    const known = target.kind === 'external' ? addressesOf(target.name) : []
    if (known.length > 0 && offset + size <= length) {
      const held = heldBy(there, offset, address + BigInt(offset), relocation)
      if (!known.some((symbol) => symbol === BigInt.asUintN(64, held))) return false
    }
    forget(offset, size)
  }
  return ours.equals(there)
}

/** The address of the relocation's symbol, worked out from what the linker wrote into the field. */
function heldBy(bytes: Buffer, offset: number, place: bigint, relocation: Relocation): bigint {
  const value =
    relocationSize(relocation.type) === 8
      ? bytes.readBigInt64LE(offset)
      : relocation.type === relocationType.abs32
        ? BigInt(bytes.readUInt32LE(offset))
        : BigInt(bytes.readInt32LE(offset))
  return value - BigInt(relocation.addend) + (isPcRelative(relocation.type) ? place : 0n)
}

/** Where the code of the unit that is found in the image has `wanted`. */
function addressesSeenByCode(
  image: Image,
  unit: Anatomy,
  wanted: Piece,
  addressesOf: AddressesOf,
): Set<bigint> {
  const seen = new Set<bigint>()
  for (const code of unit.functions) {
    if (code === wanted) continue
    const uses = unit.relocations(code).filter((relocation) => {
      const target = unit.target(code.section, relocation)
      return target.kind === 'piece' && target.piece === wanted && relocationSize(relocation.type) > 0
    })
    if (uses.length === 0) continue
    const places = addressesOf(code.name).filter((address) => fits(image, unit, code, address, addressesOf))
    const [place] = places
    if (places.length !== 1 || place === undefined) continue
    const begin = code.symbol?.value ?? code.start
    for (const use of uses) {
      const field = place + BigInt(use.offset - begin)
      const bytes = image.read(field, relocationSize(use.type))
      if (bytes === undefined) continue
      const symbol = BigInt.asUintN(64, heldBy(bytes, 0, field, use))
      // The relocation's own symbol may be the section; what is wanted begins elsewhere in it.
      seen.add(symbol + BigInt((wanted.symbol?.value ?? wanted.start) - use.symbol.value))
    }
  }
  return seen
}
