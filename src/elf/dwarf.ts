// SPDX-License-Identifier: GPL-3.0-or-later
// Where the source declares the variables of an object, and as what, from its debug information. Only what leads there
// is read. Format: DWARF 4 (dwarfstd.org), sections 6.2.4 and 7.5; with what gcc and clang add to it.
import { type Abbreviation, Cursor, readAbbreviations, readValue, Unreadable } from './dwarf-entries.ts'
import { type DwarfType, typesOf } from './dwarf-types.ts'
import type { ObjectFile, Section } from './read.ts'

/** Where a variable is declared. */
export interface Place {
  /** As the compiler was given it; relative to where it ran, unless it begins with a slash. */
  readonly file: string
  /** 1-based. */
  readonly line: number
  /** 1-based; 0 when the compiler doesn't say. */
  readonly column: number
}

/** A variable with a place in memory. */
export interface DeclaredVariable {
  readonly section: Section
  readonly offset: number
  readonly place: Place
  /** Undefined when it is not understood. */
  readonly type: DwarfType | undefined
}

const tag = { variable: 0x34, compileUnit: 0x11 } as const
const attribute = {
  location: 0x02,
  lines: 0x10,
  origin: 0x31,
  column: 0x39,
  file: 0x3a,
  line: 0x3b,
  specification: 0x47,
  type: 0x49,
} as const
/** DW_OP_addr. */
const address = 0x03

/** What an entry says that matters here. */
interface Entry {
  readonly tag: number
  readonly file?: number
  readonly line?: number
  readonly column?: number
  /** Offset of the entry in `.debug_info` that says the rest. */
  readonly rest?: number
  /** Offset in `.debug_info` of its type. */
  readonly type?: number
  /** Offset in `.debug_info` of the address in its location. */
  readonly address?: number
}

/** A unit has some thousand. */
const mostFiles = 100_000

/** @returns undefined when the object has no debug information that is understood */
export function declaredVariables(object: ObjectFile): readonly DeclaredVariable[] | undefined {
  const find = (name: string) => object.sections.find((section) => section.name === name)
  const [info, abbreviations, lines] = ['.debug_info', '.debug_abbrev', '.debug_line'].map(find)
  if (info === undefined || abbreviations === undefined || lines === undefined) return undefined
  const relocated = new Map(object.relocations(info).map((relocation) => [relocation.offset, relocation]))
  /** A number that another section's address was added to. */
  const offsetAt = (at: number) => relocated.get(at)?.addend ?? info.data.readUInt32LE(at)
  try {
    const found: DeclaredVariable[] = []
    // Many units may have one table.
    const tables = new Map<number, Map<number, Abbreviation>>()
    const fileLists = new Map<number, readonly string[]>()
    for (let start = 0; start < info.data.length; ) {
      const end = new Cursor(info.data, start).u32() + 4 + start
      const cursor = new Cursor(info.data, start + 4, Math.min(end, info.data.length))
      if (cursor.u16() !== 4 || end > info.data.length) return undefined
      const at = offsetAt(cursor.at)
      const table = tables.get(at) ?? readAbbreviations(abbreviations.data, at)
      tables.set(at, table)
      cursor.skip(4)
      if (cursor.u8() !== 8) return undefined
      const entries = new Map<number, Entry>()
      let files: readonly string[] = []
      while (cursor.at < end) {
        const at = cursor.at
        const code = cursor.leb()
        if (code === 0) continue
        const abbreviation = table.get(code)
        if (abbreviation === undefined) return undefined
        const entry = readEntry(cursor, abbreviation, start, offsetAt, (from) => {
          files = fileLists.get(from) ?? readFiles(lines.data, from)
          fileLists.set(from, files)
        })
        if (entry.tag === tag.variable) entries.set(at, entry)
      }
      const typeAt = typesOf(info.data, table, start, (at) => {
        const strings = relocated.get(at)?.symbol.section ?? find('.debug_str')
        return strings && new Cursor(strings.data, offsetAt(at)).text()
      })
      for (const entry of entries.values()) {
        const relocation = entry.address === undefined ? undefined : relocated.get(entry.address)
        const section = relocation?.symbol.section
        const rest = entry.rest === undefined ? undefined : entries.get(entry.rest)
        const [file, line] = [entry.file ?? rest?.file, entry.line ?? rest?.line]
        const name = file === undefined ? undefined : files[file - 1]
        if (relocation === undefined || section === undefined || line === undefined || name === undefined) continue
        found.push({
          section,
          offset: relocation.symbol.value + relocation.addend,
          place: { file: name, line, column: entry.column ?? rest?.column ?? 0 },
          type: typeAt(entry.type ?? rest?.type),
        })
      }
      start = end
    }
    return found
  } catch (error) {
    if (error instanceof Unreadable || error instanceof RangeError) return undefined
    throw error
  }
}

function readEntry(
  cursor: Cursor,
  { tag: kind, attributes }: Abbreviation,
  unit: number,
  offsetAt: (at: number) => number,
  onLines: (offset: number) => void,
): Entry {
  const entry: { -readonly [Key in keyof Entry]: Entry[Key] } = { tag: kind }
  for (const [name, form] of attributes) {
    const at = cursor.at
    const value = readValue(cursor, form)
    if (kind === tag.compileUnit && name === attribute.lines) onLines(offsetAt(at))
    if (kind !== tag.variable) continue
    if (name === attribute.file) entry.file = value
    else if (name === attribute.line) entry.line = value
    else if (name === attribute.column) entry.column = value
    else if (name === attribute.type) entry.type = unit + value
    else if (name === attribute.origin || name === attribute.specification) entry.rest = unit + value
    else if (name === attribute.location && form === 0x18) {
      // An expression of 9 bytes: DW_OP_addr and the address.
      const inside = new Cursor(cursor.data, at, cursor.at)
      if (inside.leb() === 9 && inside.u8() === address) entry.address = inside.at
    }
  }
  return entry
}

/** The files of a line number program, by number from 1. */
function readFiles(data: Buffer, at: number): string[] {
  const cursor = new Cursor(data, at)
  cursor.skip(4)
  const version = cursor.u16()
  if (version < 2 || version > 4) throw new Unreadable()
  cursor.skip(4 + 1 + (version >= 4 ? 1 : 0) + 3)
  cursor.skip(cursor.u8() - 1)
  const directories: string[] = []
  for (let name = cursor.text(); name !== ''; name = cursor.text()) directories.push(name)
  const files: string[] = []
  for (let name = cursor.text(); name !== ''; name = cursor.text()) {
    const directory = directories[cursor.leb() - 1]
    cursor.leb()
    cursor.leb()
    if (files.length === mostFiles) throw new Unreadable()
    files.push(directory === undefined || name.startsWith('/') ? name : `${directory}/${name}`)
  }
  return files
}
