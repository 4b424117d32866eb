// SPDX-License-Identifier: GPL-3.0-or-later
// One of two objects that are looked over as numbers: what each section is for, what its symbols say about it, and the
// rows of its tables. A name is read only where it tells something.
import { sectionFlag, symbolType } from '../../elf/format.ts'
import {
  hasSameBytes,
  isContent,
  nameOfSection,
  nameOfSymbol,
  type Outline,
  relocationCount,
  relocationsAt,
  sizeOfSection,
  sizeOfSymbol,
  targetOf,
  typeOf,
  valueOfSymbol,
} from '../../elf/outline.ts'
import { type Row, textAt } from '../../elf/part.ts'
import { relocationWord } from '../../elf/structures.ts'
import { isPadding } from '../../x86/padding.ts'
import { isDirective } from '../directives.ts'
import { isCollected } from '../object/by-content.ts'
import { isColdPart, isCompilersName, isFront } from '../object/compiler-names.ts'
import { isIgnored, isLabel, isOutOfLine } from '../object/split-object.ts'
import { isBootConstant, isTable, layoutOf } from '../object/tables.ts'

/** What a section is for who looks for differences. */
export const role = {
  /** It says nothing about what the code does, or is about other sections. */
  none: 0,
  ordinary: 1,
  /** Strings that the linker merges: a reference means the text. */
  strings: 2,
  /** Rows about places in the code. */
  table: 3,
  /** Code without names that functions jump to. */
  outOfLine: 4,
} as const

/** What the symbols of a section say about it. */
export const naming = {
  /** It matters by what is in it: constants, cold parts, what the compiler named. */
  content: 0,
  /** It has one name, which says all that there is to say to who refers to it. */
  one: 1,
  /** Several things share it, whether they have names or not. */
  several: 2,
} as const

/** One of the two objects. */
export interface ScannedObject {
  readonly outline: Outline
  /** Of each section: one of `role`. */
  readonly roles: Uint8Array
  /** Of each section and symbol: its match in the other object, or -1. */
  readonly sections: Int32Array
  readonly symbols: Int32Array
  /** Of each section: 1 when it may differ from its match. */
  readonly differs: Uint8Array
  /** The symbols of a section. */
  symbolsOf(section: number): readonly number[]
  /** The name of a symbol that is not a section's. */
  nameOf(symbol: number): string
  /** One of `naming`. */
  namingOf(section: number): number
  /** Its tables. */
  readonly tables: readonly Table[]
}

/** A table of rows about places in the code. */
export interface Table {
  readonly section: number
  readonly name: string
  /** How many rows it has. */
  readonly count: number
  /** Relocations of each row. */
  readonly relocations: number
  row(nth: number): Row
  /** The section that holds the code that a row is about; -1 when none does. */
  owner(nth: number): number
}

/** Marks a section and its match as different. */
export function mark(scanned: ScannedObject, other: ScannedObject, section: number): void {
  scanned.differs[section] = 1
  const match = scanned.sections[section]!
  if (match >= 0) other.differs[match] = 1
}

/** Most sections hold one function or datum, and are called after it: `.text…`, `.data…`, `.rodata…`, `.bss…`. */
function isOrdinaryName(outline: Outline, section: number): boolean {
  const { bytes } = outline
  const at = nameOfSection(outline, section)
  switch (bytes[at + 1]) {
    case 0x74:
      // `.text..refcount` is named by the kernel, and has its own ways.
      return bytes[at + 2] === 0x65 && bytes[at + 3] === 0x78 && !(bytes[at + 5] === 0x2e && bytes[at + 6] === 0x2e)
    case 0x64:
      return bytes[at + 2] === 0x61 && bytes[at + 3] === 0x74
    case 0x72:
      return bytes[at + 2] === 0x6f && bytes[at + 3] === 0x64
    case 0x62:
      return bytes[at + 2] === 0x73 && bytes[at + 3] === 0x73
    default:
      return false
  }
}

/** @returns undefined when a section is one that has its own ways */
function rolesOf(outline: Outline, symbolsOf: (section: number) => readonly number[]): Uint8Array | undefined {
  const roles = new Uint8Array(outline.sections)
  const strings = sectionFlag.merge | sectionFlag.strings
  const isNamed = (symbol: number) =>
    typeOf(outline, symbol) !== symbolType.section && !isLabel(nameOf(outline, symbol))
  const isCounted = (symbol: number) => {
    const name = nameOf(outline, symbol)
    return isNamed(symbol) && isCompilersName(name) && !name.startsWith('__initcall__')
  }
  for (let index = 1; index < outline.sections; index++) {
    if (!isContent(outline.type[index]!)) continue
    const flags = outline.flags[index]!
    const ordinary = (flags & strings) === strings && !symbolsOf(index).some(isNamed) ? role.strings : role.ordinary
    if ((flags & sectionFlag.alloc) !== 0 && isOrdinaryName(outline, index)) {
      roles[index] = ordinary
      continue
    }
    const name = textAt(outline, nameOfSection(outline, index))
    if (isDirective(name) || isBootConstant(name) || name === '.printk_index') return undefined
    // Relocations that are called so are none.
    if (name.startsWith('.rel')) return undefined
    if (isTable({ name })) roles[index] = role.table
    else if (isOutOfLine({ name })) roles[index] = role.outOfLine
    else if (isIgnored({ name, flags })) roles[index] = role.none
    // Entries that a macro names by a counter are told apart by all of their content.
    else if (isCollected({ name, flags }) && symbolsOf(index).some(isCounted)) return undefined
    else roles[index] = ordinary
  }
  return roles
}

/** @param alike the other object, when sections and symbols have the same names and numbers there */
export function scanObject(
  outline: Outline,
  sections: Int32Array,
  symbols: Int32Array,
  alike?: ScannedObject,
): ScannedObject | undefined {
  const symbolsOf = alike?.symbolsOf ?? bySection(outline)
  const roles = alike?.roles ?? rolesOf(outline, symbolsOf)
  const tables = roles && tablesOf(outline, roles, alike)
  if (roles === undefined || tables === undefined) return undefined
  const placeOf = (symbol: number) => valueOfSymbol(outline, symbol)
  const namings = new Int8Array(outline.sections).fill(-1)
  const findNaming = (section: number): number => {
    const code = (outline.flags[section]! & sectionFlag.exec) !== 0
    let [place, first] = [-1, Number.POSITIVE_INFINITY]
    let found: number = naming.content
    for (const symbol of symbolsOf(section)) {
      const type = typeOf(outline, symbol)
      if (type === symbolType.section || (code && type !== symbolType.function)) continue
      const name = nameOf(outline, symbol)
      if (isLabel(name) || isFront(name)) continue
      if (code ? isColdPart(name) : isCompilersName(name)) return naming.content
      if (place >= 0 && place !== placeOf(symbol)) found = naming.several
      else if (found === naming.content) found = naming.one
      place = placeOf(symbol)
      first = Math.min(first, place)
      if (!isCovering(outline, section, symbol)) found = naming.several
    }
    // What lies in front of the first datum belongs to it, and so a reference leads to another place in it.
    return !code && first > 0 ? naming.content : found
  }
  return {
    outline,
    roles,
    sections,
    symbols,
    differs: new Uint8Array(outline.sections),
    symbolsOf,
    nameOf: (symbol) => nameOf(outline, symbol),
    namingOf(section) {
      if (namings[section] === -1) namings[section] = findNaming(section)
      return namings[section]!
    },
    tables,
  }
}

/** True when there is nothing besides what a symbol names. */
function isCovering(outline: Outline, section: number, symbol: number) {
  const { bytes, at, length, flags } = outline
  const [start, size] = [valueOfSymbol(outline, symbol), sizeOfSymbol(outline, symbol)]
  if (size > 0 && start + size < length[section]!) return false
  if (start === 0) return true
  const code = (flags[section]! & sectionFlag.exec) !== 0
  return code && isPadding(bytes, at[section]!, at[section]! + start)
}

function nameOf(outline: Outline, symbol: number): string {
  return textAt(outline, nameOfSymbol(outline, symbol))
}

/** Finds the symbols of a section. */
function bySection({ sections, symbols, home }: Outline): (section: number) => number[] {
  // They are linked into lists.
  const first = new Int32Array(sections).fill(-1)
  const next = new Int32Array(symbols)
  for (let index = symbols - 1; index > 0; index--) {
    const own = home[index]!
    if (own < 0) continue
    next[index] = first[own]!
    first[own] = index
  }
  return (section) => {
    const found: number[] = []
    for (let index = first[section]!; index >= 0; index = next[index]!) found.push(index)
    return found
  }
}

/** @returns undefined when a table has an unknown layout */
function tablesOf(outline: Outline, roles: Uint8Array, alike: ScannedObject | undefined): Table[] | undefined {
  const known = new Map(alike?.tables.map((table) => [table.section, table]))
  const tables: Table[] = []
  for (let section = 1; section < outline.sections; section++) {
    if (roles[section] !== role.table || sizeOfSection(outline, section) === 0) continue
    const other = known.get(section)
    const same = other !== undefined && alike !== undefined && isSameTable(alike.outline, outline, section)
    const table = same ? other : tableOf(outline, section)
    if (table === undefined) return undefined
    tables.push(table)
  }
  return tables
}

/** True when a table is the same to the byte in two objects, with its relocations. */
function isSameTable(before: Outline, after: Outline, section: number): boolean {
  const isSame = (index: number) => hasSameBytes(before, index, after, index)
  const own = before.relocations[section]!
  return isSame(section) && own === after.relocations[section] && (own === 0 || isSame(own))
}

function tableOf(outline: Outline, section: number): Table | undefined {
  const { words, home, flags } = outline
  const size = sizeOfSection(outline, section)
  const name = textAt(outline, nameOfSection(outline, section))
  const from = relocationsAt(outline, section)
  const offsets = new Uint32Array(relocationCount(outline, section))
  for (let nth = 0, word = from; nth < offsets.length; nth++, word += relocationWord.count) {
    offsets[nth] = words[word + relocationWord.offset]!
    if (words[word + relocationWord.symbol]! >= outline.symbols || (nth > 0 && offsets[nth]! < offsets[nth - 1]!))
      return undefined
  }
  const layout = layoutOf({ name, size }, offsets)
  if (layout === undefined || layout.firsts !== undefined || (offsets.at(-1) ?? 0) >= size) return undefined
  const { relocations, bytes } = layout
  return {
    section,
    name,
    count: offsets.length / relocations,
    relocations,
    row(nth) {
      const first = nth * relocations
      const behind = first + relocations
      const start = offsets[first]!
      return { start, end: bytes === 0 ? (offsets[behind] ?? size) : start + bytes, first, behind }
    },
    owner(nth) {
      const own = home[targetOf(outline, section, nth * relocations)]!
      return own >= 0 && (flags[own]! & sectionFlag.exec) !== 0 ? own : -1
    },
  }
}
