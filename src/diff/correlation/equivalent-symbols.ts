// SPDX-License-Identifier: GPL-3.0-or-later
// Most of two objects is the same, down to the relocations' words. This tells so without decoding them: symbol by
// symbol it is known beforehand which one of the other object means the same thing.

import { sectionFlag } from '../../elf/format.ts'
import type { ElfSymbol, Section } from '../../elf/read.ts'
import { relocationWord } from '../../elf/structures.ts'
import { remembered } from '../../ground/values/remembered.ts'
import { isByContent, isFoundByItself, isSameString } from '../object/by-content.ts'
import { isColdPart } from '../object/compiler-names.ts'
import { isIncidental } from '../object/diagnostic-data.ts'
import type { Atom, SplitObject } from '../object/split-object.ts'
import type { Correlation } from './correlate.ts'

export interface EquivalentSymbols {
  /**
   * For each symbol before: the index of the one after that means the same thing, when nothing more has to
   * be asked; else -1.
   */
  readonly ofSymbol: Int32Array
  /** True when two sections of the same bytes are seen to have the same relocations; false says nothing. */
  sameRelocations(before: Section, after: Section): boolean
}

export function equivalentSymbols(
  before: SplitObject,
  after: SplitObject,
  correlation: Correlation,
): EquivalentSymbols {
  const ofSymbol = match(before, after, correlation)
  const [symbolsBefore, symbolsAfter] = [before.object.symbols, after.object.symbols]
  return {
    ofSymbol,
    sameRelocations(sectionBefore, sectionAfter) {
      const b = before.object.relocationWords(sectionBefore)
      const a = after.object.relocationWords(sectionAfter)
      if (b === undefined || a === undefined || b.length !== a.length) return false
      const { count, offset, type, symbol, addend } = relocationWord
      const upper = addend + 1
      for (let at = 0; at < b.length; at += count) {
        if (b[at + offset] !== a[at + offset] || b[at + offset + 1] !== a[at + offset + 1]) return false
        if (b[at + type] !== a[at + type]) return false
        const [sb, sa] = [b[at + symbol] ?? 0, a[at + symbol] ?? 0]
        const sameAddend = b[at + addend] === a[at + addend] && b[at + upper] === a[at + upper]
        if (sameAddend && ofSymbol[sb] === sa) continue
        if (!isFoundByItself(b[at + type]!)) return false
        if (b[at + upper] !== 0 || a[at + upper] !== 0) return false
        const [inB, inA] = [b[at + addend] ?? 0, a[at + addend] ?? 0]
        if (!leadToSameString(symbolsBefore[sb], inB, symbolsAfter[sa], inA)) return false
      }
      return true
    },
  }
}

function leadToSameString(b: ElfSymbol | undefined, inB: number, a: ElfSymbol | undefined, inA: number): boolean {
  if (b?.type !== 'section' || a?.type !== 'section') return false
  if (!isPlainStrings(b.section) || !isPlainStrings(a.section)) return false
  const [dataB, dataA] = [b.section.data, a.section.data]
  return isSameString(dataB, inB, dataB.length, dataA, inA, dataA.length)
}

function isPlainStrings(section: Section | undefined): section is Section {
  if (section === undefined || section.entrySize > 1) return false
  return (section.flags & sectionFlag.merge) !== 0 && (section.flags & sectionFlag.strings) !== 0
}

function match(before: SplitObject, after: SplitObject, correlation: Correlation): Int32Array {
  const equivalents = new Int32Array(before.object.symbols.length).fill(-1)
  const external = new Map<string, number>()
  const namesake = namesakes()
  /** The symbol of each section, by the section's index. */
  const ofSection = new Int32Array(after.object.sections.length).fill(-1)
  for (const symbol of after.object.symbols) {
    if (symbol.place === 'undefined') external.set(symbol.name, symbol.index)
    else if (symbol.type === 'section' && symbol.section !== undefined) ofSection[symbol.section.index] = symbol.index
  }
  for (const symbol of before.object.symbols) {
    if (symbol.place === 'undefined') {
      equivalents[symbol.index] = external.get(symbol.name) ?? -1
      continue
    }
    const { section } = symbol
    if (section === undefined) continue
    const isSection = symbol.type === 'section'
    const b = isSection ? only(before.atomsOf(section)) : before.atomOf(symbol)
    const a = b === undefined ? undefined : correlation.successorOf(b)
    if (b === undefined || a === undefined || !isNamed(b) || !isNamed(a)) continue
    if (isSection) {
      // Wherever the reference ends in its section, it can only mean the one atom.
      if (only(after.atomsOf(a.section)) !== undefined) equivalents[symbol.index] = ofSection[a.section.index] ?? -1
      continue
    }
    const other = symbol === b.symbol ? a.symbol : (namesake(a, symbol.name) ?? a.symbol)
    if (other !== undefined && symbol.value - b.start === other.value - a.start) equivalents[symbol.index] = other.index
  }
  return equivalents
}

/** Finds an atom's symbols by their names; a forged object may have very many at one place. */
function namesakes(): (atom: Atom, name: string) => ElfSymbol | undefined {
  const byName = remembered(({ aliases }: Atom) => new Map([...aliases].reverse().map((alias) => [alias.name, alias])))
  return (atom, name) => byName(atom).get(name)
}

function only(atoms: readonly Atom[]): Atom | undefined {
  return atoms.length === 1 ? atoms[0] : undefined
}

/** True for what is the same when its counterpart is meant, whatever is in it. */
function isNamed(atom: Atom): boolean {
  return atom.kind === 'function'
    ? !isColdPart(atom.name)
    : atom.kind === 'data' && !isByContent(atom) && !isIncidental(atom)
}
