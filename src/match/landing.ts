// SPDX-License-Identifier: GPL-3.0-or-later
// Where the running kernel lets an indirect call land. With CONFIG_X86_KERNEL_IBT the processor faults on a
// call through a pointer that does not lead to an ENDBR64. The compiler leaves it out of a static function
// whose address its unit does not take, and the kernel overwrites it, at boot or when it loads a module, in
// each function that `.ibt_endbr_seal` lists: those whose address nothing in the object takes.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { ObjectFile, Section } from '../elf/read.ts'

/** The instruction ENDBR64. */
const landingPad = Buffer.from([0xf3, 0x0f, 0x1e, 0xfa])

const sealSection = '.ibt_endbr_seal'

/** True when these bytes, the first of a function, let an indirect call land. */
export function isLandingPad(bytes: Buffer | undefined): boolean {
  return bytes?.subarray(0, 4).equals(landingPad) === true
}

/**
 * The addresses whose landing pads the kernel removes while it boots.
 * @param vmlinux the kernel proper, an ELF file that may have lost its symbols but not its section headers
 */
export function sealedInImage(vmlinux: string): ReadonlySet<bigint> {
  const sealed = new Set<bigint>()
  const file = openSync(vmlinux, 'r')
  try {
    const { size } = fstatSync(file)
    // What lies outside of the file is not there.
    const read = (offset: number, length: number) => {
      if (offset + length > size) return Buffer.alloc(0)
      const bytes = Buffer.alloc(length)
      return bytes.subarray(0, readSync(file, bytes, 0, length, offset))
    }
    const header = read(0, 64)
    if (header.length < 64) return sealed
    const table = read(Number(header.readBigUInt64LE(40)), 64 * header.readUInt16LE(60))
    const field = (section: number, at: number) => Number(table.readBigUInt64LE(64 * section + at))
    const strings = header.readUInt16LE(62)
    const count = Math.floor(table.length / 64)
    if (strings >= count) return sealed
    const names = read(field(strings, 24), field(strings, 32))
    for (let section = 0; section < count; section++) {
      const name = names.indexOf(`${sealSection}\0`, table.readUInt32LE(64 * section), 'latin1')
      if (name !== table.readUInt32LE(64 * section)) continue
      const start = table.readBigUInt64LE(64 * section + 16)
      const entries = read(field(section, 24), field(section, 32))
      for (let at = 0; at + 4 <= entries.length; at += 4)
        sealed.add(BigInt.asUintN(64, start + BigInt(at + entries.readInt32LE(at))))
    }
  } finally {
    closeSync(file)
  }
  return sealed
}

/**
 * The addresses whose landing pads the kernel removes when it loads a module.
 * @param addressAt where a place of a section lies in memory
 */
export function sealedInModule(
  module: ObjectFile,
  addressAt: (section: Section, offset: number) => bigint | undefined,
): ReadonlySet<bigint> {
  const sealed = new Set<bigint>()
  for (const section of module.sections)
    if (section.name === sealSection)
      for (const { symbol, addend } of module.relocations(section)) {
        const address =
          symbol.section === undefined ? undefined : addressAt(symbol.section, symbol.value + addend)
        if (address !== undefined) sealed.add(address)
      }
  return sealed
}
