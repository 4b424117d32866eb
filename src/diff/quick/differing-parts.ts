// SPDX-License-Identifier: GPL-3.0-or-later
// The part of two objects that is worth reading: the sections that may differ, what they refer to, and of the tables
// the rows about them. Comparing two such parts says what comparing the objects says, in a fraction of the time.
// Where that is not certain, there is no such part.
import { sectionFlag, symbolBinding, symbolType } from '../../elf/format.ts'
import type { FileBytes } from '../../elf/open.ts'
import {
  bindingOf,
  nameOfSection,
  nameOfSymbol,
  nowhere,
  type Outline,
  outlineOf,
  relocationCount,
  sizeOfSymbol,
  targetOf,
  typeOf,
  valueOfSymbol,
} from '../../elf/outline.ts'
import { type Part, type Row, readPart, share, textAt } from '../../elf/part.ts'
import type { ObjectFile } from '../../elf/read.ts'
import { fentry } from '../../x86/entry.ts'
import { isColdPart, isFront, isNumbered, stem } from '../object/compiler-names.ts'
import { looksIncidental } from '../object/diagnostic-data.ts'
import { isCode, isLabel } from '../object/split-object.ts'
import { isObjtoolHint } from '../object/tables.ts'
import { type Differing, findDiffering } from './differing-sections.ts'
import { naming, role, type ScannedObject } from './scanned-object.ts'

export interface DifferingParts {
  readonly before: ObjectFile
  readonly after: ObjectFile
}

/**
 * @returns undefined when the whole objects have to be read
 * @throws Fault `patch/bad-object` when what differs is not well-formed
 */
export function differingParts(before: FileBytes, after: FileBytes): DifferingParts | undefined {
  const outlineB = outlineOf(before.bytes)
  const outlineA = outlineB && outlineOf(after.bytes, outlineB)
  const differing = outlineA && findDiffering(outlineB, outlineA)
  const parts = differing && partsOf(differing)
  if (parts === undefined) return undefined
  return {
    before: readPart(outlineB!, before.name, parts.before),
    after: readPart(outlineA!, after.name, parts.after),
  }
}

/** The part of one object while it grows. */
interface PartBuilder {
  readonly scanned: ScannedObject
  readonly sections: Uint8Array
  readonly symbols: Uint8Array
  readonly rows: Map<number, readonly Row[]>
  /** Sections whose relocations have to be looked at. */
  readonly open: number[]
}

function partBuilder(scanned: ScannedObject): PartBuilder {
  const { sections, symbols } = scanned.outline
  return {
    scanned,
    sections: new Uint8Array(sections),
    symbols: new Uint8Array(symbols),
    rows: new Map(),
    open: [],
  }
}

/** Takes a section on both sides, or more of it than before. */
function take(from: PartBuilder, other: PartBuilder, section: number, amount: number): void {
  if (from.sections[section]! >= amount) return
  from.sections[section] = amount
  if (amount === share.whole) from.open.push(section)
  const match = from.scanned.sections[section]!
  if (match >= 0) take(other, from, match, amount)
}

function partsOf({ before, after }: Differing): { before: Part; after: Part } | undefined {
  const [b, a] = [partBuilder(before), partBuilder(after)]
  const sides = [[b, a] as const, [a, b] as const]
  for (const [one, other] of sides)
    for (let section = 1; section < one.sections.length; section++)
      if (one.scanned.differs[section] === 1 && one.scanned.roles[section] === role.ordinary)
        take(one, other, section, share.whole)
  // More than this, and reading all of it is as quick.
  const most = (b.sections.length + a.sections.length) >> 2
  if (b.open.length + a.open.length > most) return undefined
  // The tables' rows about a section lead to more sections, which have rows.
  for (let grew = true; grew; ) {
    grew = false
    for (const [one, other] of sides) {
      while (one.open.length > 0) if (!follow(one, other, one.open.pop()!)) return undefined
      if (!takeRows(one, other)) return undefined
    }
    grew = b.open.length + a.open.length > 0
  }
  for (const one of [b, a]) takeSymbols(one)
  for (let symbol = 1; symbol < b.symbols.length; symbol++) {
    const match = before.symbols[symbol]!
    if (match >= 0 && before.outline.home[symbol]! < 0)
      if (b.symbols[symbol] === 1 || a.symbols[match] === 1) b.symbols[symbol] = a.symbols[match] = 1
  }
  return isClear(b, a) && isClear(a, b) ? { before: b, after: a } : undefined
}

/** Takes what the relocations of a section lead to. @returns false when they lead to what can't be taken */
function follow(one: PartBuilder, other: PartBuilder, section: number): boolean {
  const { outline } = one.scanned
  const count = relocationCount(outline, section)
  for (let nth = 0; nth < count; nth++) if (!takeTarget(one, other, targetOf(outline, section, nth))) return false
  return true
}

function takeTarget(one: PartBuilder, other: PartBuilder, symbol: number): boolean {
  const { scanned } = one
  if (symbol >= one.symbols.length) return false
  one.symbols[symbol] = 1
  const home = scanned.outline.home[symbol]!
  if (home < 0) return true
  switch (scanned.roles[home]) {
    case role.strings:
      take(one, other, home, share.whole)
      return true
    case role.ordinary:
      take(one, other, home, scanned.namingOf(home) === naming.content ? share.whole : share.name)
      return true
    default:
      return false
  }
}

/** Takes the rows about the sections that are taken. */
function takeRows(one: PartBuilder, other: PartBuilder): boolean {
  const { scanned, sections } = one
  const { outline } = scanned
  for (const table of scanned.tables) {
    const { section, name, count } = table
    // Who may be called by a pointer matters for what is only referred to, too.
    const least = name === '.ibt_endbr_seal' ? share.name : share.whole
    const wanted: Row[] = []
    for (let nth = 0; nth < count; nth++) {
      const owner = table.owner(nth)
      if (owner < 0 && !isObjtoolHint(name)) return false
      if (owner >= 0 && sections[owner]! >= least) wanted.push(table.row(nth))
    }
    // Whether there is a table of ftrace's places at all says whether functions can be traced.
    const known = one.rows.get(section)?.length ?? (name === '__mcount_loc' ? -1 : 0)
    if (wanted.length === known) continue
    one.rows.set(section, wanted)
    sections[section] = share.whole
    for (const { first, behind } of wanted)
      for (let nth = first; nth < behind; nth++)
        if (!takeTarget(one, other, targetOf(outline, section, nth))) return false
  }
  return true
}

/** Takes the symbols of what is taken, and those that say something about all of the object. */
function takeSymbols({ scanned, sections, symbols }: PartBuilder): void {
  const { outline } = scanned
  for (let symbol = 1; symbol < outline.symbols; symbol++) {
    const home = outline.home[symbol]!
    if (home >= 0) {
      if (sections[home] !== share.nothing && scanned.roles[home] !== role.table) symbols[symbol] = 1
    } else if (home !== nowhere.undefined) symbols[symbol] = 1
    else if (symbols[symbol] === 0 && isFentry(outline, symbol)) symbols[symbol] = 1
  }
}

/** `__fentry__`: whether functions can be traced is told from it. */
function isFentry(outline: Outline, symbol: number): boolean {
  const { bytes } = outline
  const at = nameOfSymbol(outline, symbol)
  // `__f`
  if (bytes[at] !== 0x5f || bytes[at + 1] !== 0x5f || bytes[at + 2] !== 0x66) return false
  return textAt(outline, at) === fentry
}

/**
 * True when everything that is taken is what it is without the rest: things of which there may be several but for a
 * number are told apart by who refers to them.
 */
function isClear(one: PartBuilder, other: PartBuilder): boolean {
  const { scanned, sections, symbols } = one
  const { outline } = scanned
  const stems = new Set<string>()
  const unmatched = new Set<string>()
  for (let symbol = 1; symbol < outline.symbols; symbol++) {
    const home = outline.home[symbol]!
    if (symbols[symbol] === 0 || home < 0 || sections[home] === share.nothing) continue
    const type = typeOf(outline, symbol)
    if (type === symbolType.section || type === symbolType.file) continue
    const name = scanned.nameOf(symbol)
    if (scanned.symbols[symbol]! < 0 && !isLabel(name)) unmatched.add(stem(name))
    if (!isNumbered(name) || !isTold(scanned, symbol, home, name)) continue
    const begin = stem(name)
    // A number in the middle is not looked for.
    if (!name.startsWith(begin) || !/^\.\d+$/.test(name.slice(begin.length))) return false
    stems.add(begin)
  }
  // What has no match must not be another's that has one.
  for (const begin of unmatched) if (hasMatched(scanned, begin) || hasMatched(other.scanned, begin)) return false
  for (const begin of stems) if (countOf(outline, begin) > 1 || countOf(other.scanned.outline, begin) > 1) return false
  return true
}

/** True for a thing with a number whose counterpart has to be known. */
function isTold(scanned: ScannedObject, symbol: number, home: number, name: string): boolean {
  const { outline } = scanned
  const flags = outline.flags[home]!
  if (isCode({ flags })) return !isColdPart(name) && !isFront(name)
  const [start, size] = [valueOfSymbol(outline, symbol), sizeOfSymbol(outline, symbol)]
  const { buffer, byteOffset } = outline.bytes
  const incidental = looksIncidental({
    kind: 'data',
    name,
    section: {
      name: textAt(outline, nameOfSection(outline, home)),
      type: outline.type[home]!,
      data: Buffer.from(buffer, byteOffset + outline.at[home]!, outline.length[home]!),
    },
    symbol: { binding: bindingOf(outline, symbol) === symbolBinding.local ? 'local' : 'global', size },
    start,
    end: start + size,
  })
  if (incidental) return false
  return (flags & sectionFlag.write) !== 0 || relocationCount(outline, home) > 0
}

/** How many symbols have this name, or this name and a number. */
function countOf(outline: Outline, begin: string): number {
  return namedLike(outline, begin).length
}

/** True when a symbol with a match has this name, or this name and a number. */
function hasMatched({ outline, symbols }: ScannedObject, begin: string): boolean {
  return namedLike(outline, begin).some((symbol) => symbols[symbol]! >= 0)
}

function namedLike(outline: Outline, begin: string): number[] {
  const { bytes, symbolNames } = outline
  const end = symbolNames + outline.symbolNamesLength
  // A macro's name has its number at its end, too, but for the words behind.
  const text = /^(__UNIQUE_ID_|__initcall__)/.exec(begin)?.[0] ?? begin
  const places = new Set<number>()
  for (
    let at = bytes.indexOf(text, symbolNames, 'latin1');
    at >= 0 && at < end;
    at = bytes.indexOf(text, at + 1, 'latin1')
  )
    if (stem(textAt(outline, at)) === begin) places.add(at)
  const found: number[] = []
  if (places.size === 0) return found
  for (let symbol = 1; symbol < outline.symbols; symbol++)
    if (places.has(nameOfSymbol(outline, symbol))) found.push(symbol)
  return found
}
