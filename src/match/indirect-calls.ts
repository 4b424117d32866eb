// SPDX-License-Identifier: GPL-3.0-or-later
// Where the running kernel lets an indirect call land. With CONFIG_X86_KERNEL_IBT the processor faults on a
// call through a pointer that does not lead to an ENDBR64. The compiler leaves it out of a static function
// whose address its unit does not take, and the kernel overwrites it, at boot or when it loads a module, in
// each function that `.ibt_endbr_seal` lists: those whose address nothing in the object takes.
import { readLinkedSections } from '../elf/linked.ts'
import type { ObjectFile, Section } from '../elf/read.ts'
import { withVmlinux } from '../kernel/image/vmlinux.ts'

const sealSection = '.ibt_endbr_seal'

/**
 * The addresses whose landing pads the kernel removes while it boots.
 * @param vmlinux the kernel proper
 * @throws Fault `environment/bad-image`
 */
export function sealedInImage(vmlinux: string): ReadonlySet<bigint> {
  return withVmlinux(vmlinux, (readAt, bad) => {
    const sealed = new Set<bigint>()
    for (const { name, address, offset, size } of readLinkedSections(readAt, bad)) {
      if (name !== sealSection) continue
      const entries = readAt(BigInt(offset), size)
      if (entries === undefined) throw bad(`${sealSection} lies outside the file`)
      for (let at = 0; at + 4 <= entries.length; at += 4)
        sealed.add(BigInt.asUintN(64, address + BigInt(at + entries.readInt32LE(at))))
    }
    return sealed
  })
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
        const address = symbol.section === undefined ? undefined : addressAt(symbol.section, symbol.value + addend)
        if (address !== undefined) sealed.add(address)
      }
  return sealed
}
