// SPDX-License-Identifier: GPL-3.0-or-later
// The kernel's livepatch structures: `inarch_patch`, its objects and their functions, as
// include/linux/livepatch.h lays them out; filled in without a compiler.
import { relocationType, sectionFlag, sectionType } from '../elf/format.ts'
import {
  type ObjectDraft,
  type RelocationDraft,
  type SectionDraft,
  type SymbolDraft,
  sectionSymbol,
} from '../elf/write.ts'
import type { ReplacedFunction } from '../extract/extraction.ts'
import type { Layout } from './template.ts'

/** A replaced function with the position of its name in its object. */
export interface PositionedFunction extends ReplacedFunction {
  readonly sympos: number
}

/** `inarch_patch`, its objects and their functions, as include/linux/livepatch.h lays them out. */
export function livepatchTables(
  layout: Layout,
  functions: readonly PositionedFunction[],
  renamed: ReadonlyMap<SymbolDraft, SymbolDraft>,
  replace: boolean,
): ObjectDraft {
  const objects = [...new Set(functions.map(({ object }) => object))].sort(
    (a, b) => Number(b === 'vmlinux') - Number(a === 'vmlinux') || (a < b ? -1 : 1),
  )
  const relocations: RelocationDraft[] = []
  const texts: Buffer[] = []
  let textSize = 0
  const text: SectionDraft = {
    name: '.rodata.livepatch',
    type: sectionType.progbits,
    flags: sectionFlag.alloc,
    align: 1,
    entrySize: 0,
    data: 0,
    relocations: [],
  }
  const objectsAt = layout.patch.size
  const functionsAt = objectsAt + layout.object.size * (objects.length + 1)
  // Each object's list of functions ends with an empty one.
  const bytes = Buffer.alloc(functionsAt + layout.func.size * (functions.length + objects.length))
  const data: SectionDraft = {
    name: '.data.livepatch',
    type: sectionType.progbits,
    flags: sectionFlag.alloc | sectionFlag.write,
    align: 32,
    entrySize: 0,
    data: bytes,
    relocations,
  }
  const dataSymbol = sectionSymbol(data)
  const textSymbol = sectionSymbol(text)
  const patch: SymbolDraft = {
    name: 'inarch_patch',
    value: 0,
    size: layout.patch.size,
    binding: 'global',
    type: 'object',
    visibility: 0,
    place: data,
  }
  const module: SymbolDraft = { ...patch, name: '__this_module', size: 0, type: 'none', place: 'undefined' }
  const point = (offset: number, symbol: SymbolDraft, addend: number) =>
    relocations.push({ offset, type: relocationType.abs64, symbol, addend })
  const pointToText = (offset: number, value: string) => {
    point(offset, textSymbol, textSize)
    const line = Buffer.from(`${value}\0`, 'latin1')
    texts.push(line)
    textSize += line.length
  }

  point(layout.patch.mod, module, 0)
  point(layout.patch.objs, dataSymbol, objectsAt)
  bytes.writeUInt8(replace ? 1 : 0, layout.patch.replace)
  let functionAt = functionsAt
  objects.forEach((object, index) => {
    const at = objectsAt + layout.object.size * index
    // An object without a name is vmlinux.
    if (object !== 'vmlinux') pointToText(at + layout.object.name, object)
    point(at + layout.object.funcs, dataSymbol, functionAt)
    for (const replaced of functions.filter((candidate) => candidate.object === object)) {
      pointToText(functionAt + layout.func.oldName, replaced.before.name)
      point(functionAt + layout.func.newFunc, renamed.get(replaced.symbol) ?? replaced.symbol, 0)
      bytes.writeBigUInt64LE(BigInt(replaced.sympos), functionAt + layout.func.oldSympos)
      functionAt += layout.func.size
    }
    functionAt += layout.func.size
  })
  text.data = Buffer.concat(texts)
  return {
    sections: [data, text],
    symbols: [dataSymbol, textSymbol, patch, module],
  }
}
