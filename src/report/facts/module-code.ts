// SPDX-License-Identifier: GPL-3.0-or-later
// The code that a live patch brings, read from the module itself: for each function that the kernel is told to replace,
// its bytes and what they refer to. So a report shows what will run, not what was meant to.
// Format: the kernel's Documentation/livepatch/module-elf-format.rst and struct klp_func of include/linux/livepatch.h.

import { isPcRelative, relocationSize, relocationType, sectionFlag, sectionType } from '../../elf/format.ts'
import {
  type ElfSymbol,
  type ObjectFile,
  type Relocation,
  relocationEntries,
  type Section,
  within,
} from '../../elf/read.ts'
import { lastUpTo } from '../../ground/values/sorted.ts'
import { anchor } from '../../module/bind/distance.ts'
import { distancesIn } from '../../module/link/kernel-references.ts'
import { isCompilersCall } from '../../x86/thunks.ts'
import type { Code, Reference } from './assembly.ts'
import { type NamedPlaces, namedPlaces } from './symbol-lookup.ts'

/** A function of the module that stands for one of the kernel's. */
export interface Replacement {
  /** The name of the kernel's function. */
  readonly name: string
  readonly sympos: number
  readonly code: Code
  /** Where its code begins. */
  readonly place: { readonly section: Section; readonly offset: number }
  /** What its code refers to, each once, in the order in which it comes to it. */
  readonly touches: readonly Touch[]
}

export interface Touch {
  readonly name: string
  /** `own`: the module brings it; otherwise the kernel object that has it. */
  readonly of: string
}

/** Bytes of an Elf64_Rela. */
/** Characters of a string that a reader is shown, and bytes of the longest one that is looked for. */
const [shownString, longestString] = [60, 4096]
/** Bytes of a name: the kernel's are shorter (KSYM_NAME_LEN). */
const longestName = 512

/** The replacements in the order in which the module lists them. */
export function replacementsIn(module: ObjectFile): Replacement[] {
  const relocations = relocationsOf(module)
  const places = namedPlaces(module)
  const known = new Map<ElfSymbol, Pick<Replacement, 'code' | 'touches'>>()
  const found: Replacement[] = []
  for (const table of module.sections) {
    if ((table.flags & (sectionFlag.alloc | sectionFlag.exec)) !== sectionFlag.alloc) continue
    const list = (relocations.get(table) ?? []).filter(({ type }) => type === relocationType.abs64)
    for (const [index, { offset, symbol, addend }] of list.entries()) {
      // old_name, new_func, old_sympos.
      const next = list[index + 1]
      if (next?.offset !== offset + 8 || offset + 24 > table.data.length) continue
      const code = next.symbol.section
      if (code === undefined || (code.flags & sectionFlag.exec) === 0) continue
      const name = stringAt(symbol, addend)
      const start = next.symbol.value + next.addend
      const symbolThere = places.functionAt(code, start)
      if (name === undefined || symbolThere === undefined || start + symbolThere.size > code.data.length) continue
      // Many may be replaced by one.
      let content = known.get(symbolThere)
      if (content === undefined) {
        const end = start + symbolThere.size
        const inside = within(relocations.get(code) ?? [], start, end)
        content = {
          code: {
            bytes: code.data.subarray(start, end),
            references: inside.flatMap((relocation) => referenceOf(places, relocation, start) ?? []),
          },
          touches: touchesOf(places, inside, code),
        }
        known.set(symbolThere, content)
      }
      found.push({
        name,
        sympos: Number(table.data.readBigUInt64LE(offset + 16)),
        place: { section: code, offset: start },
        ...content,
      })
    }
  }
  return found
}

/** Ordinary relocations and those that the kernel's livepatch code applies. */
function relocationsOf(module: ObjectFile): Map<Section, Relocation[]> {
  const all = new Map<Section, Relocation[]>()
  for (const section of module.sections) all.set(section, [...module.relocations(section)])
  for (const section of module.sections) {
    if (section.type !== sectionType.rela || !section.name.startsWith('.klp.rela.')) continue
    const target = module.sections[section.info]
    const list = target && all.get(target)
    if (list === undefined) continue
    for (const entry of relocationEntries(section)) {
      const symbol = module.symbols[entry.symbol]
      if (symbol !== undefined) list.push({ ...entry, symbol })
    }
  }
  const near = nearest(module)
  for (const [section, list] of all)
    all.set(
      section,
      list.map(near).sort((a, b) => a.offset - b.offset),
    )
  return all
}

/** Gives what is reached by its distance its name back: the nearest one in front of the place is meant. */
function nearest(module: ObjectFile): (relocation: Relocation) => Relocation {
  const known = [...distancesIn(module), { bytes: 0, names: [anchor] }].sort((a, b) => a.bytes - b.bytes)
  const distances = known.map(({ bytes }) => bytes)
  return (relocation) => {
    const { symbol, addend, type } = relocation
    if (symbol.name !== anchor) return relocation
    const place = addend + (isPcRelative(type) ? relocationSize(type) : 0)
    const { bytes, names } = known[Math.max(0, lastUpTo(distances, place))]!
    return { ...relocation, symbol: { ...symbol, name: names[0] ?? anchor }, addend: addend - bytes }
  }
}

function stringAt({ section, value }: ElfSymbol, addend: number): string | undefined {
  if (section === undefined || (section.flags & sectionFlag.exec) !== 0) return undefined
  const text = stringIn(section, value + addend, longestName)?.toString('latin1')
  return text !== undefined && /^[^\s/]+$/.test(text) ? text : undefined
}

/** The bytes of a string that ends, before `longest` of them. */
function stringIn({ data }: Section, start: number, longest: number): Buffer | undefined {
  if (start < 0) return undefined
  const bytes = data.subarray(start, start + longest)
  const end = bytes.indexOf(0)
  return end < 0 ? undefined : bytes.subarray(0, end)
}

/** The name by which a reader knows a symbol of a live patch, and the kernel object that has it. */
function known(symbol: ElfSymbol): Touch {
  const livepatch = /^\.klp\.sym\.([^.]+)\.(.+),\d+$/.exec(symbol.name)
  if (livepatch !== null) return { of: livepatch[1] ?? '', name: livepatch[2] ?? '' }
  return { of: symbol.section === undefined ? 'vmlinux' : 'own', name: symbol.name }
}

function referenceOf(
  places: NamedPlaces,
  { offset, type, symbol, addend }: Relocation,
  start: number,
): Reference | undefined {
  const size = relocationSize(type)
  if (size === 0) return undefined
  const place = { at: offset - start, size, relative: isPcRelative(type), addend }
  if (symbol.section === undefined || symbol.type !== 'section') return { ...place, name: known(symbol).name }
  const { section } = symbol
  // A field that is relative to the next instruction's place is off by its own size, mostly.
  const target = symbol.value + addend + (place.relative ? size : 0)
  const named = places.at(section, target)
  if (named !== undefined) return { ...place, name: named.name, addend: addend - named.value }
  if ((section.flags & sectionFlag.strings) !== 0 || /^\.rodata.*\.str/.test(section.name)) {
    const text = stringIn(section, target, longestString)
    if (text !== undefined) return { ...place, name: section.name, quoted: quote(text.toString('utf8')) }
  }
  return { ...place, name: section.name }
}

/** A string as C writes it, shortened. */
export function quote(text: string): string {
  const short = text.length > shownString ? `${text.slice(0, shownString)}…` : text
  return JSON.stringify(short)
}

function touchesOf(places: NamedPlaces, relocations: readonly Relocation[], code: Section): Touch[] {
  const touches = new Map<string, Touch>()
  for (const { symbol, addend } of relocations) {
    let touch = known(symbol)
    if (symbol.type === 'section' && symbol.section !== undefined) {
      if (symbol.section === code) continue
      const named = places.at(symbol.section, addend + 4)
      if (named === undefined) continue
      touch = known(named)
    }
    if (touch.name === '' || symbol.section === code) continue
    if (isCompilersCall(touch.name) || /^(__stack_chk_fail|\.L.*|__SC[KT]__.*)$/.test(touch.name)) continue
    touches.set(`${touch.of}.${touch.name}`, touch)
  }
  return [...touches.values()]
}
