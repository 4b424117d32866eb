// SPDX-License-Identifier: GPL-3.0-or-later
// What the sections of an object are divided into: at their symbols; and what lies between those without a name of its
// own is a atom, too, unless it only fills up.

import { isCode, relocationType, sectionFlag, sectionType } from '../../elf/format.ts'
import { type ElfSymbol, type ObjectFile, type Section, within } from '../../elf/read.ts'
import { addTo } from '../../ground/values/grouped.ts'
import { countInFront } from '../../ground/values/sorted.ts'
import type { AddressUse } from '../../x86/address-taking.ts'
import { isPadding } from '../../x86/padding.ts'
import type { flagUse } from '../../x86/question.ts'
import { isFront } from './compiler-names.ts'
import { isListOfVariables } from './sanitizers.ts'
import { isTable } from './tables.ts'

export type AtomKind =
  | 'function'
  /** Named data, writable or not. */
  | 'data'
  /** What has no name of its own: a string, a constant pool, a switch table. */
  | 'constant'

/** A place in the code, or in data, that refers to a datum. */
export interface DataUse {
  /** `elsewhere`: not code that could be read; else as `useOf()`. */
  readonly how: AddressUse | 'elsewhere'
  /** What it does with a flag of one byte. */
  readonly flag: ReturnType<typeof flagUse>
  /** What comes first on each way that the code may take from here. */
  next(): readonly Step[]
}

/** The first thing of note on a way through the code. */
export interface Step {
  /** Who is called; `ud2` for a trap; empty where it returns, or can't be told. */
  readonly name: string
  /** The ways on. */
  next(): readonly Step[]
  /** Those on which what was called has returned something else than 0; none when the code does not ask. */
  whenTrue(): readonly Step[]
}

/** A part of a section that belongs together. */
export interface Atom {
  /** Its place among all atoms of its object. */
  readonly index: number
  readonly kind: AtomKind
  readonly section: Section
  /** Bytes in the section: first, and behind the last. */
  readonly start: number
  readonly end: number
  /** The symbol that names it; undefined for a constant. */
  readonly symbol: ElfSymbol | undefined
  /** Other names of the same place, as SYSCALL_DEFINE0 makes them. */
  readonly aliases: readonly ElfSymbol[]
  /** `symbol.name`, or the section's name. */
  readonly name: string
  /** In an object linked of several units, the unit that a private name belongs to; else empty. */
  readonly file: string
  /** What the object does with a datum of it. */
  readonly usesOf: (datum: Atom) => readonly DataUse[]
}

/** Sections that say nothing about what the code does. */
export function isIgnored(section: Pick<Section, 'name' | 'flags'>): boolean {
  const { name } = section
  return (
    (section.flags & sectionFlag.alloc) === 0 ||
    isListOfVariables(name) ||
    /^\.(comment|note|debug|stab|eh_frame|orc_|discard\.(addressable|sym|.*ksym|klp_callback)|printk_index|llvm|inarch\.|kpatch\.)/.test(
      name,
    )
  )
}

/**
 * Code outside functions that they jump to: a fault's way back (until 5.16), an alternative's long part, a full counter
 * (until 5.4).
 */
export function isOutOfLine({ name }: Pick<Section, 'name'>): boolean {
  return name === '.altinstr_aux' || name === '.fixup' || name === '.text..refcount'
}

/** A compiler's label, as opposed to a name from the source. */
export function isLabel(name: string): boolean {
  return name === '' || name.startsWith('.L')
}

/** The last of `list` (ordered by start) that begins at `offset` or before. */
export function lastFrom<T extends { readonly start: number }>(list: readonly T[], offset: number): T | undefined {
  return list[countInFront(list.length, (index) => list[index]!.start <= offset) - 1]
}

/** The name and the number of the unit that each local symbol of a linked object comes from. */
function filesOf(object: ObjectFile): (symbol: ElfSymbol) => string {
  const files: { readonly index: number; readonly start: number; readonly name: string }[] = []
  const times = new Map<string, number>()
  for (const { type, name, index } of object.symbols) {
    if (type !== 'file') continue
    const nth = (times.get(name) ?? 0) + 1
    times.set(name, nth)
    files.push({ index, start: index, name: nth === 1 ? name : `${name}#${nth}` })
  }
  if (files.length < 2) return () => ''
  return (symbol) => (symbol.binding === 'local' ? (lastFrom(files, symbol.index)?.name ?? '') : '')
}

/** The atoms of each section of an object, and the one that each symbol names. */
export function splitSections(object: ObjectFile, usesOf: Atom['usesOf']) {
  const named: (ElfSymbol[] | undefined)[] = new Array(object.sections.length)
  /** Where the room in front of a function begins that call depth tracking or kCFI asks for. */
  const fronts = new Map<Section, number[]>()
  const addFront = (section: Section, place: number) => addTo(fronts, section, place)
  for (const symbol of object.symbols) {
    const { section, type, name } = symbol
    if (section === undefined || type === 'section' || type === 'file') continue
    if (isFront(name)) {
      addFront(section, symbol.value)
      continue
    }
    if (isLabel(name) || name.startsWith('__BTF_ID__')) continue
    if (isCode(section) && type !== 'function') continue
    const list = named[section.index]
    if (list === undefined) named[section.index] = [symbol]
    else list.push(symbol)
  }
  for (const table of object.sections)
    if (table.name === '__patchable_function_entries')
      for (const { symbol, addend } of object.relocations(table))
        if (symbol.section !== undefined) addFront(symbol.section, symbol.value + addend)

  const fileOf = filesOf(object)
  const atomBySymbol: (Atom | undefined)[] = new Array(object.symbols.length)
  let count = 0
  const atomsBySection = object.sections.map((section): readonly Atom[] => {
    if (!isContent(section.type) || isIgnored(section) || isTable(section)) return []
    if (isOfSanitizer(object, section)) return []
    const atoms = split(
      object,
      section,
      named[section.index] ?? noSymbols,
      fronts.get(section) ?? [],
      fileOf,
      count,
      usesOf,
    )
    count += atoms.length
    for (const atom of atoms) {
      if (atom.symbol !== undefined) atomBySymbol[atom.symbol.index] = atom
      for (const alias of atom.aliases) atomBySymbol[alias.index] = atom
    }
    return atoms
  })
  return { atomsBySection, atomBySymbol }
}

/** Code, data, and lists of what runs first and last. */
function isContent(type: number): boolean {
  const { progbits, nobits, initArray, finiArray, preinitArray } = sectionType
  return [progbits, nobits, initArray, finiArray, preinitArray].some((known) => known === type)
}

/** True for a list with nothing in it but what registers variables with KASAN. */
function isOfSanitizer(object: ObjectFile, section: Section): boolean {
  if (!/^\.(init|fini)_array/.test(section.name)) return false
  return object.relocations(section).every(({ symbol }) => isListOfVariables(symbol.section?.name ?? ''))
}

const noSymbols: ElfSymbol[] = []

/** What `module_init(f)` and `module_exit(f)` call `f` besides (include/linux/module.h). */
function isEntryAlias({ name }: ElfSymbol): boolean {
  return name === 'init_module' || name === 'cleanup_module'
}

/** The symbols of a section by their places, in order; of those at one place first the one that names it. */
function groupsOf(symbols: ElfSymbol[]): ElfSymbol[][] {
  symbols.sort(
    (a, b) =>
      a.value - b.value ||
      Number(isEntryAlias(a)) - Number(isEntryAlias(b)) ||
      Number(b.binding !== 'local') - Number(a.binding !== 'local'),
  )
  const groups: ElfSymbol[][] = []
  for (const symbol of symbols) {
    const last = groups.at(-1)
    if (last !== undefined && last[0]?.value === symbol.value) last.push(symbol)
    else groups.push([symbol])
  }
  return groups
}

/**
 * Splits a section at its symbols. A jump table, an initializer, assembly in between belong to none of them.
 * @param fronts where the room in front of a function begins
 */
function split(
  object: ObjectFile,
  section: Section,
  symbols: ElfSymbol[],
  fronts: readonly number[],
  fileOf: (symbol: ElfSymbol) => string,
  firstIndex: number,
  usesOf: Atom['usesOf'],
): Atom[] {
  const code = isCode(section)
  const groups = groupsOf(symbols)
  const sortedFronts = [...fronts].sort((a, b) => a - b)
  const atoms: Atom[] = []
  const add = (start: number, end: number, [symbol, ...aliases]: readonly ElfSymbol[]) =>
    atoms.push({
      index: firstIndex + atoms.length,
      kind: symbol === undefined ? 'constant' : code ? 'function' : 'data',
      section,
      start,
      end,
      symbol,
      name: symbol?.name ?? section.name,
      aliases: aliases.length > 0 ? aliases : noSymbols,
      file: symbol === undefined ? '' : fileOf(symbol),
      usesOf,
    })
  let [covered, front] = [0, 0]
  groups.forEach((group, index) => {
    const value = group[0]?.value ?? 0
    let start = value
    if (code) {
      while ((sortedFronts[front] ?? value) < covered) front++
      start = Math.min(start, sortedFronts[front] ?? start)
    }
    if (hasContent(object, section, covered, start)) add(covered, start, noSymbols)
    // Padding in front of the first one belongs to it.
    else if (index === 0) start = 0
    const next = groups[index + 1]?.[0]?.value ?? section.size
    const size = Math.max(...group.map((symbol) => symbol.size))
    // A symbol without a size reaches to the next.
    let end = size > 0 ? Math.min(value + size, next) : next
    if (groups.length === 1 && !hasContent(object, section, end, next)) end = next
    add(start, end, group)
    covered = end
  })
  if (groups.length === 0 || hasContent(object, section, covered, section.size)) add(covered, section.size, noSymbols)
  return atoms
}

/** True when bytes that no symbol names do more than fill up. */
function hasContent(object: ObjectFile, section: Section, start: number, end: number): boolean {
  const { data } = section
  if (start >= end || start >= data.length) return false
  if (isCode(section) ? !isPadding(data, start, end) : data.subarray(start, end).some((byte) => byte !== 0)) return true
  return within(object.relocations(section), start, end).some(({ type }) => type !== relocationType.none)
}
