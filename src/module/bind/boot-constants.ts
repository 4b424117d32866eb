// SPDX-License-Identifier: GPL-3.0-or-later
// Code that was compiled for the kernel proper has constants in it that the kernel writes there while it starts
// (src/extract/boot-constant.ts). In a live patch's own objects they become loads of the variable.
import { relocationType } from '../../elf/format.ts'
import type { ObjectDraft, SectionDraft, SymbolDraft } from '../../elf/write.ts'
import { bootConstant } from '../../extract/boot-constant.ts'
import { loadInstead, opcodeLength } from '../../x86/boot-constant.ts'

/**
 * Changes the code of `draft`, and takes the tables of such places out of it.
 * @param refer the undefined symbol of the variable
 * @param refuse called with the variable for a place that can't be mended
 */
export function loadBootConstants(
  draft: ObjectDraft,
  refer: (name: string) => SymbolDraft,
  refuse: (name: string, section: string) => void,
): ObjectDraft {
  const kept: SectionDraft[] = []
  for (const table of draft.sections) {
    const constant = bootConstant(table.name)
    if (constant === undefined) {
      kept.push(table)
      continue
    }
    for (const { symbol, addend } of table.relocations) {
      const code = symbol.place
      if (typeof code === 'string' || typeof code.data === 'number') continue
      const start = symbol.value + addend - opcodeLength
      const load = start < 0 ? undefined : loadInstead(code.data.subarray(start))
      if (constant.kind !== 'ptr' || load === undefined) {
        refuse(constant.name, code.name)
        continue
      }
      code.data = Buffer.from(code.data)
      load.bytes.copy(code.data, start)
      code.relocations.push({
        offset: start + load.displacement,
        type: relocationType.pc32,
        symbol: refer(constant.name),
        addend: -4,
      })
    }
  }
  return {
    sections: kept,
    symbols: draft.symbols.filter(({ place }) => typeof place === 'string' || kept.includes(place)),
  }
}
