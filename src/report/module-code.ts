// SPDX-License-Identifier: GPL-3.0-or-later
// The code that a live patch brings, read from the module itself: for each function that the kernel is told to replace,
// its bytes and what they refer to. So a report shows what will run, not what was meant to.
// Format: the kernel's Documentation/livepatch/module-elf-format.rst and struct klp_func of include/linux/livepatch.h.
import { isPcRelative, relocationSize, relocationType, sectionFlag, sectionType } from '../elf/format.ts'
import type { ElfSymbol, ObjectFile, Relocation, Section } from '../elf/read.ts'
import { anchor } from '../module/distance.ts'
import { distancesIn } from '../module/references.ts'
import type { Code, Reference } from './assembly.ts'

/** A function of the module that stands for one of the kernel's. */
export interface Replacement {
  /** The name of the kernel's function. */
  readonly name: string
  readonly sympos: number
  readonly code: Code
  /** What its code refers to, each once, in the order in which it comes to it. */
  readonly touches: readonly Touch[]
}

export interface Touch {
  readonly name: string
  /** `own`: the module brings it; otherwise the kernel object that has it. */
  readonly of: string
}

/** Bytes of an Elf64_Rela. */
const relaSize = 24
/** Characters of a string that a reader is shown. */
const shownString = 60

/** The replacements in the order in which the module lists them. */
export function replacementsIn(module: ObjectFile): Replacement[] {
  const relocations = relocationsOf(module)
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
      const size = sizeAt(module, code, start)
      if (name === undefined || size === undefined) continue
      const own = relocations.get(code) ?? []
      const inside = own.filter((one) => one.offset >= start && one.offset < start + size)
      found.push({
        name,
        sympos: Number(table.data.readBigUInt64LE(offset + 16)),
        code: {
          bytes: code.data.subarray(start, start + size),
          references: inside.flatMap((relocation) => referenceOf(module, relocation, start) ?? []),
        },
        touches: touchesOf(module, inside, code),
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
    for (let at = 0; at + relaSize <= section.data.length; at += relaSize) {
      const symbol = module.symbols[section.data.readUInt32LE(at + 12)]
      if (symbol === undefined) continue
      list.push({
        offset: Number(section.data.readBigUInt64LE(at)),
        type: section.data.readUInt32LE(at + 8),
        symbol,
        addend: Number(section.data.readBigInt64LE(at + 16)),
      })
    }
    list.sort((a, b) => a.offset - b.offset)
  }
  const near = nearest(module)
  for (const [section, list] of all) all.set(section, list.map(near))
  return all
}

/** Gives what is reached by its distance its name back: the nearest one in front of the place is meant. */
function nearest(module: ObjectFile): (relocation: Relocation) => Relocation {
  const known = [...distancesIn(module), { bytes: 0, names: [anchor] }].sort((a, b) => a.bytes - b.bytes)
  return (relocation) => {
    const { symbol, addend, type } = relocation
    if (symbol.name !== anchor) return relocation
    const place = addend + (isPcRelative(type) ? relocationSize(type) : 0)
    const { bytes, names } = known.findLast((one) => one.bytes <= place) ?? known[0]!
    return { ...relocation, symbol: { ...symbol, name: names[0] ?? anchor }, addend: addend - bytes }
  }
}

function stringAt({ section, value }: ElfSymbol, addend: number): string | undefined {
  if (section === undefined || (section.flags & sectionFlag.exec) !== 0) return undefined
  const start = value + addend
  const end = section.data.indexOf(0, start)
  if (start < 0 || end <= start || end - start > 512) return undefined
  const text = section.data.toString('latin1', start, end)
  return /^[^\s/]+$/.test(text) ? text : undefined
}

/** Bytes of the function that begins here. */
function sizeAt(module: ObjectFile, section: Section, start: number): number | undefined {
  const symbol = module.symbols.find(
    (one) => one.section === section && one.value === start && one.type === 'function' && one.size > 0,
  )
  if (symbol === undefined || start + symbol.size > section.data.length) return undefined
  return symbol.size
}

/** The name by which a reader knows a symbol of a live patch, and the kernel object that has it. */
function known(symbol: ElfSymbol): Touch {
  const livepatch = /^\.klp\.sym\.([^.]+)\.(.+),\d+$/.exec(symbol.name)
  if (livepatch !== null) return { of: livepatch[1] ?? '', name: livepatch[2] ?? '' }
  return { of: symbol.section === undefined ? 'vmlinux' : 'own', name: symbol.name }
}

function referenceOf(
  module: ObjectFile,
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
  const named = module.symbols.find(
    (one) =>
      one.section === section &&
      one.type !== 'section' &&
      one.name !== '' &&
      one.value <= target &&
      target < one.value + one.size,
  )
  if (named !== undefined) return { ...place, name: named.name, addend: addend - named.value }
  if ((section.flags & sectionFlag.strings) !== 0 || /^\.rodata.*\.str/.test(section.name)) {
    const end = section.data.indexOf(0, target)
    if (target >= 0 && end >= target)
      return { ...place, name: section.name, quoted: quote(section.data.toString('utf8', target, end)) }
  }
  return { ...place, name: section.name }
}

/** A string as C writes it, shortened. */
export function quote(text: string): string {
  const short = text.length > shownString ? `${text.slice(0, shownString)}…` : text
  return JSON.stringify(short)
}

function touchesOf(module: ObjectFile, relocations: readonly Relocation[], code: Section): Touch[] {
  const touches = new Map<string, Touch>()
  for (const { symbol, addend } of relocations) {
    let touch = known(symbol)
    if (symbol.type === 'section' && symbol.section !== undefined) {
      if (symbol.section === code) continue
      const named = module.symbols.find(
        (one) =>
          one.section === symbol.section &&
          one.type !== 'section' &&
          one.name !== '' &&
          one.size > 0 &&
          one.value <= addend + 4 &&
          addend + 4 < one.value + one.size,
      )
      if (named === undefined) continue
      touch = known(named)
    }
    if (touch.name === '' || symbol.section === code) continue
    if (
      /^(__fentry__|__x86_(return_thunk|indirect_thunk_\w+)|__stack_chk_fail|\.L.*|__SC[KT]__.*)$/.test(
        touch.name,
      )
    )
      continue
    touches.set(`${touch.of}.${touch.name}`, touch)
  }
  return [...touches.values()]
}
