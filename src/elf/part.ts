// SPDX-License-Identifier: GPL-3.0-or-later
// A part of an object as an object of its own: some sections, of some only that they are there, and of tables some
// rows. Sections and symbols keep their order and get new numbers.
import { remembered } from '../ground/values/remembered.ts'
import { bindings, symbolTypes } from './format.ts'
import {
  alignmentOf,
  entrySizeOf,
  nameOfSection,
  nameOfSymbol,
  nowhere,
  type Outline,
  relocationCount,
  relocationsAt,
  sharedWordOf,
  sizeOfSection,
  sizeOfSymbol,
  valueOfSymbol,
} from './outline.ts'
import { decodeRelocations, type ElfSymbol, type ObjectFile, type Relocation, refuser, type Section } from './read.ts'
import { bindingIn, relocationWord, typeIn, visibilityIn } from './structures.ts'

/** How much of a section is wanted. */
export const share = { nothing: 0, name: 1, whole: 2 } as const

/** A row of a table: its bytes, and the numbers of its relocations. */
export interface Row {
  readonly start: number
  readonly end: number
  readonly first: number
  readonly behind: number
}

export interface Part {
  /** Of each section: how much of it is wanted, one of `share`. Sections about sections are never wanted. */
  readonly sections: Uint8Array
  /** Of each symbol: 1 when it is wanted; its section has to be, too. */
  readonly symbols: Uint8Array
  /** Those tables of which only some rows are wanted, in their order. */
  readonly rows: ReadonlyMap<number, readonly Row[]>
}

const nothing: Buffer = Buffer.alloc(0)

/** The text at a place of the file, up to a NUL, which is there. */
export function textAt({ bytes }: Outline, at: number): string {
  return bytes.toString('latin1', at, bytes.indexOf(0, at))
}

/**
 * @param name what to call the object in messages
 * @throws Fault `patch/bad-object` when what is wanted is not well-formed
 */
export function readPart(outline: Outline, name: string, { sections, symbols, rows }: Part): ObjectFile {
  const bad = refuser(name)
  const { bytes } = outline
  const keptSections: Section[] = []
  /** By the section's number in the whole object. */
  const section: (Section | undefined)[] = new Array(outline.sections)
  /** By the section's number in the part. */
  const origin: number[] = []
  for (let index = 0; index < outline.sections; index++) {
    if (sections[index] === share.nothing && index > 0) continue
    const own = rows.get(index)
    const at = outline.at[index]!
    const data =
      sections[index] !== share.whole
        ? nothing
        : own === undefined
          ? bytes.subarray(at, at + outline.length[index]!)
          : Buffer.concat(own.map(({ start, end }) => bytes.subarray(at + start, at + end)))
    const kept: Section = {
      index: keptSections.length,
      name: index === 0 ? '' : textAt(outline, nameOfSection(outline, index)),
      type: outline.type[index]!,
      flags: outline.flags[index]!,
      align: index === 0 ? 0 : alignmentOf(outline, index),
      entrySize: index === 0 ? 0 : entrySizeOf(outline, index),
      size: index === 0 ? 0 : own === undefined ? sizeOfSection(outline, index) : data.length,
      data,
      link: 0,
      info: 0,
    }
    section[index] = kept
    origin.push(index)
    keptSections.push(kept)
  }
  const keptSymbols: ElfSymbol[] = []
  const symbol: (ElfSymbol | undefined)[] = new Array(outline.symbols)
  for (let index = 0; index < outline.symbols; index++) {
    if (symbols[index] === 0 && index > 0) continue
    const kept = readSymbol(outline, index, keptSymbols.length, section, bad)
    symbol[index] = kept
    keptSymbols.push(kept)
  }
  return {
    name,
    sections: keptSections,
    symbols: keptSymbols,
    relocations: remembered((of): readonly Relocation[] => {
      const index = origin[of.index]!
      return sections[index] === share.whole
        ? decodeRelocations(wordsOf(outline, index, rows.get(index)), of, (at) => symbol[at], bad)
        : []
    }),
    relocationWords(of) {
      const index = origin[of.index]!
      if (sections[index] !== share.whole) return new Uint32Array(0)
      const own = wordsOf(outline, index, rows.get(index)).slice()
      // The symbols have other numbers here.
      for (let at: number = relocationWord.symbol; at < own.length; at += relocationWord.count)
        own[at] = symbol[own[at]!]?.index ?? 0
      return own
    },
  }
}

function readSymbol(
  outline: Outline,
  index: number,
  number: number,
  sections: readonly (Section | undefined)[],
  bad: (why: string) => Error,
): ElfSymbol {
  const shared = sharedWordOf(outline, index)
  const binding = bindings[bindingIn(shared)]
  const type = symbolTypes[typeIn(shared)]
  if (binding === undefined || type === undefined) throw bad(`symbol ${index} has an unknown binding or type`)
  const home = outline.home[index]!
  const section = home < 0 ? undefined : sections[home]
  if (home >= 0 && section === undefined) throw bad(`symbol ${index} has no section`)
  const [value, size] = [valueOfSymbol(outline, index), sizeOfSymbol(outline, index)]
  if (section !== undefined && value + (type === 'none' ? 0 : size) > section.size)
    throw bad(`symbol ${index} reaches beyond its section`)
  return {
    index: number,
    name: type === 'section' ? (section?.name ?? '') : textAt(outline, nameOfSymbol(outline, index)),
    value,
    size,
    binding,
    type,
    visibility: visibilityIn(shared),
    section,
    place: home >= 0 ? 'section' : home === nowhere.absolute ? 'absolute' : 'undefined',
  }
}

/** A section's relocations; those of a table's wanted rows as if there were no others. */
function wordsOf(outline: Outline, section: number, rows: readonly Row[] | undefined): Uint32Array {
  const count = relocationCount(outline, section)
  const from = relocationsAt(outline, section)
  if (count === 0) return new Uint32Array(0)
  const length = relocationWord.count
  if (rows === undefined) return outline.words.subarray(from, from + count * length)
  const wanted = rows.reduce((sum, { first, behind }) => sum + behind - first, 0)
  const words = new Uint32Array(wanted * length)
  let at = 0
  let place = 0
  for (const { start, end, first, behind } of rows) {
    for (let index = first; index < behind; index++, at += length) {
      const word = from + index * length
      words.set(outline.words.subarray(word, word + length), at)
      words[at + relocationWord.offset] = words[at + relocationWord.offset]! - start + place
    }
    place += end - start
  }
  return words
}
