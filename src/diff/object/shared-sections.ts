// SPDX-License-Identifier: GPL-3.0-or-later
// Functions that share a section (`__sched`, `__init`, or an object compiled without -ffunction-sections)
// call one another without relocations: the assembler knew the distance. Here such a reference gets the
// relocation that it would have had between sections, so that each function can be compared, matched and cut out
// on its own.
import { relocationSize, relocationType, sectionFlag } from '../../elf/format.ts'
import type { ElfSymbol, ObjectFile, Relocation, Section } from '../../elf/read.ts'
import { getOrInsertComputed } from '../../ground/values/remembered.ts'
import { countInFront } from '../../ground/values/sorted.ts'
import { placeOf } from '../../x86/branch.ts'
import { decodeInstruction, type Instruction } from '../../x86/instruction.ts'
import { isFront } from './compiler-names.ts'

/** The functions of one section, ordered by where they begin. */
interface Bundle {
  readonly section: Section
  readonly functions: readonly ElfSymbol[]
}

/** @returns the object with every reference between functions of one section as a relocation */
export function separateBundled(object: ObjectFile): ObjectFile {
  const made = new Map<number, { readonly data: Buffer; readonly relocations: Relocation[] }>()
  for (const bundle of bundlesOf(object)) {
    const own = referencesInside(bundle, object.relocations(bundle.section))
    if (own.length === 0) continue
    // The distance is now the relocation's business.
    const data = Buffer.from(bundle.section.data)
    for (const { offset, type } of own) data.fill(0, offset, offset + relocationSize(type))
    const relocations = [...object.relocations(bundle.section), ...own].sort((a, b) => a.offset - b.offset)
    made.set(bundle.section.index, { data, relocations })
  }
  if (made.size === 0) return object
  const sections = object.sections.map((section) => {
    const own = made.get(section.index)
    return own === undefined ? section : { ...section, data: own.data }
  })
  const symbols = object.symbols.map((symbol) =>
    symbol.section === undefined || !made.has(symbol.section.index)
      ? symbol
      : { ...symbol, section: sections[symbol.section.index] },
  )
  const converted = new Map<number, readonly Relocation[]>()
  return {
    name: object.name,
    sections,
    symbols,
    relocations(section) {
      return getOrInsertComputed(converted, section.index, () =>
        withSymbols(made.get(section.index)?.relocations ?? object.relocations(section), symbols),
      )
    },
    // Symbols keep their numbers.
    relocationWords: (section) => (made.has(section.index) ? undefined : object.relocationWords(section)),
  }
}

/** Relocations with the symbols of the same numbers in another table. */
export function withSymbols(relocations: readonly Relocation[], symbols: readonly ElfSymbol[]): Relocation[] {
  return relocations.map((relocation) => {
    const symbol = symbols[relocation.symbol.index]
    return symbol === undefined || symbol === relocation.symbol ? relocation : { ...relocation, symbol }
  })
}

function bundlesOf(object: ObjectFile): Bundle[] {
  const first = new Map<Section, ElfSymbol>()
  const several = new Map<Section, Map<number, ElfSymbol>>()
  for (const symbol of object.symbols) {
    const { section } = symbol
    if (section === undefined || symbol.type !== 'function') continue
    if ((section.flags & sectionFlag.exec) === 0 || isFront(symbol.name)) continue
    const other = first.get(section)
    if (other === undefined) first.set(section, symbol)
    else if (other.value !== symbol.value) {
      const all = getOrInsertComputed(several, section, () => new Map([[other.value, other]]))
      if (!all.has(symbol.value)) all.set(symbol.value, symbol)
    }
  }
  return [...several].map(([section, functions]) => ({
    section,
    functions: [...functions.values()].sort((a, b) => a.value - b.value),
  }))
}

/** The relocations that the assembler has resolved itself, from one function of the bundle to another. */
function referencesInside({ section, functions }: Bundle, relocations: readonly Relocation[]): Relocation[] {
  const { data } = section
  const found: Relocation[] = []
  const isRelocated = new Set(relocations.map(({ offset }) => offset))
  functions.forEach((own, index) => {
    const end = functions[index + 1]?.value ?? section.size
    let next: Instruction | undefined
    for (let at = own.value; at < end; at = next.end) {
      next = decodeInstruction(data, at)
      if (next === undefined || next.end > end) return
      const field = next.branch >= 0 ? next.branch : next.memory
      if (field < 0 || isRelocated.has(field)) continue
      const short = next.branch >= 0 && next.end - next.branch === 1
      const place = placeOf(next)
      if (place >= own.value && place < end) continue
      const target = functionAt(functions, place)
      if (target === undefined || place > section.size) continue
      const addend = place - target.value - (next.end - field)
      found.push({
        offset: field,
        type: short ? relocationType.pc8 : relocationType.pc32,
        symbol: target,
        addend,
      })
    }
  })
  return found
}

function functionAt(functions: readonly ElfSymbol[], place: number): ElfSymbol | undefined {
  return functions[countInFront(functions.length, (index) => functions[index]!.value <= place) - 1]
}
