// SPDX-License-Identifier: GPL-3.0-or-later
// What `objtool klp diff` reads of the linked kernel beside vmlinux.o: the names of its symbols and their addresses, by
// which it counts the position of a name. The image has them as kallsyms, so no kernel needs to be linked for them.
import { readFile } from 'node:fs/promises'
import { sectionFlag, sectionType } from '../../src/elf/format.ts'
import { type SectionDraft, type SymbolDraft, writeObject } from '../../src/elf/write.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'

/**
 * An object with all symbols of the kernel proper, and the table of duplicate names that klp-build asks for, empty:
 * where private symbols of one name lie only the kernel's whole link tells.
 */
export async function linkedWithSymbols(kernel: Kernel): Promise<Buffer> {
  const section = (name: string, flags: number, data: Buffer): SectionDraft => ({
    name,
    type: sectionType.progbits,
    flags,
    align: 8,
    entrySize: 0,
    data,
    relocations: [],
  })
  const text = section('.text', sectionFlag.alloc | sectionFlag.exec, Buffer.alloc(8))
  const duplicates = section('.klp.symid', 0, Buffer.alloc(0))
  const symbols = (await readFile(kernel.systemMap, 'latin1')).split('\n').flatMap((line): SymbolDraft[] => {
    const [, address, type, name] = /^([0-9a-f]{16}) (.) (\S+)$/.exec(line) ?? []
    if (address === undefined || type === undefined || name === undefined) return []
    const value = Number(BigInt.asIntN(64, BigInt(`0x${address}`)))
    const binding = type === type.toLowerCase() ? 'local' : 'global'
    return [{ name, value, size: 0, binding, type: 'none', visibility: 0, place: text }]
  })
  return writeObject({ sections: [text, duplicates], symbols })
}
