// SPDX-License-Identifier: GPL-3.0-or-later
// What the code and the data of an object mean, as text that two objects share when they mean the same: the bytes
// without what the linker fills in, and of each reference the name, the string or the bytes that it leads to.
import type { ToldObject, ToldRelocation, ToldSection, ToldSymbol } from './binutils.ts'

/** A function or a datum: what lies at one place of a section, by all of its names. */
export interface Thing {
  readonly names: readonly string[]
  readonly kind: 'function' | 'data'
  readonly section: ToldSection
  readonly start: number
  readonly end: number
}

export type Part = Pick<Thing, 'section' | 'start' | 'end'>

export interface Meaning {
  readonly things: readonly Thing[]
  /** Bytes and references; `withReferences` are those that it has, by offset. */
  textOf(thing: Thing): string
  referencesOf(part: Part): readonly Reference[]
  /** Without what the linker fills in. */
  bytesOf(part: Part): Buffer
  /** What a relocation of a section leads to. */
  referenceOf(section: ToldSection, relocation: ToldRelocation): Reference
}

/** Bytes without an identity of their own, and the place in them that is meant. */
export interface Content {
  readonly section: ToldSection
  readonly start: number
  readonly end: number
  readonly at: number
}

export interface Reference {
  /** From the thing's start. */
  readonly offset: number
  readonly size: number
  readonly meaning: string
  /** What it leads to, when only what is in it counts. */
  readonly content?: Content
}

/** Numbers that the compiler gives to private names and to copies of functions differ freely. */
export function plainName(name: string): string {
  return name
    .replace(/\.(\d+)(?=\.|$)/g, '')
    .replace(/^(__UNIQUE_ID_\w+?)\d+$/, '$1')
    .replace(/^(__initcall__kmod_\w+?__)\d+_\d+_/, '$1')
}

/** Constants that the compiler makes, or names by a number: only what is in them counts. */
const byContent = /^(__func__|__FUNCTION__|__PRETTY_FUNCTION__|CSWTCH|C)\.\d+|^\.L/

const sizes: Readonly<Record<string, number>> = {
  R_X86_64_64: 8,
  R_X86_64_PC64: 8,
  R_X86_64_16: 2,
  R_X86_64_8: 1,
  R_X86_64_PC8: 1,
}

const deepest = 6

export function meaningOf(object: ToldObject): Meaning {
  const bySection = new Map<ToldSection, Thing[]>()
  const named = object.symbols.filter(
    ({ section, type, name }) =>
      section !== undefined &&
      name !== '' &&
      !name.startsWith('.L') &&
      (type === 'FUNC' || type === 'OBJECT' || type === 'NOTYPE'),
  )
  for (const section of object.sections) {
    const code = section.flags.includes('X')
    const own = named
      .filter((symbol) => symbol.section === section && (code ? symbol.type === 'FUNC' : true))
      .filter(({ name }) => !/^__(pfx|cfi)_/.test(name))
      .sort((a, b) => a.value - b.value)
    const places = [...new Set(own.map(({ value }) => value))]
    bySection.set(
      section,
      places.map((start, nth): Thing => {
        const at = own.filter(({ value }) => value === start)
        const size = Math.max(...at.map((symbol) => symbol.size))
        const next = places[nth + 1] ?? section.size
        return {
          names: at.map(({ name }) => name),
          kind: code ? 'function' : 'data',
          ...{ section, start, end: size > 0 ? start + size : next },
        }
      }),
    )
  }
  const thingAt = (section: ToldSection, offset: number) => {
    const list = bySection.get(section) ?? []
    const own = list.findLast(({ start, end }) => offset >= start && (offset < end || offset === start))
    // Of a datum with a section of its own, places outside are meant relative to it.
    return own ?? (list.length === 1 ? list[0] : undefined)
  }

  const nameOf = (thing: Thing, symbol?: ToldSymbol) =>
    plainName(symbol !== undefined && thing.names.includes(symbol.name) ? symbol.name : thing.names[0]!)
  const isFixed = ({ flags }: ToldSection) => !flags.includes('W') && !flags.includes('X')

  /** The bytes that a reference to nameless or numbered things means. */
  const contentAt = (section: ToldSection, offset: number, symbol: ToldSymbol): Content | undefined => {
    const { flags, bytes, entry } = section
    if (flags.includes('M') && flags.includes('S')) {
      // The assembler keeps the label where a distance from it could leave the string.
      const start = symbol.type === 'SECTION' ? offset : symbol.value
      const end = bytes.indexOf(0, start) + 1
      return { section, start, end: end === 0 ? bytes.length : end, at: offset }
    }
    const thing = thingAt(section, ownPlace(symbol) ?? offset)
    if (thing !== undefined)
      return isFixed(section) && thing.names.every((name) => byContent.test(name))
        ? { section, start: thing.start, end: thing.end, at: offset }
        : undefined
    if (flags.includes('M') && entry > 0) {
      const start = offset - (offset % entry)
      return { section, start, end: start + entry, at: offset }
    }
    if (flags.includes('X'))
      return { section, start: offset, end: object.instruction(section, offset)?.end ?? offset, at: offset }
    if (isFixed(section) && bytes.length > 0) return { section, start: 0, end: section.size, at: offset }
    return undefined
  }
  const ownPlace = ({ type, name, value }: ToldSymbol) =>
    type === 'SECTION' || name.startsWith('.L') ? undefined : value

  /** What stands in for code on some processors: struct alt_instr ends with its length, which may be 0. */
  const replacementAt = (table: ToldSection, field: number, section: ToldSection, place: number) => {
    if (table.name !== '.altinstructions' || section.name !== '.altinstr_replacement') return undefined
    const rows = (object.relocations.get(table.index) ?? []).length / 2
    const row = table.size / rows
    const length = table.bytes[(Math.floor(field / row) + 1) * row - 1] ?? 0
    return { section, start: place, end: place + length, at: place }
  }

  const reference = (section: ToldSection, relocation: ToldRelocation, depth: number): Reference => {
    const { type, symbol, addend, offset } = relocation
    const told = (meaning: string, content?: Content): Reference => ({
      ...{ offset, size: sizes[type] ?? 4, meaning },
      ...(content === undefined ? {} : { content }),
    })
    const counts = /_(PC|PLT|GOT|REX_GOT)/.test(type) && section.flags.includes('X')
    const end = counts ? object.instruction(section, offset)?.end : offset
    if (end === undefined) return told(`unknown instruction at ${section.name}+${offset}`)
    const behind = addend + end - offset
    const to = symbol.section
    if (to === undefined) return told(`${plainName(symbol.name)}+${behind}`)
    const place = symbol.value + behind
    const content = replacementAt(section, offset, to, place) ?? contentAt(to, place, symbol)
    if (content !== undefined)
      return told(
        `{${depth > deepest ? 'deep' : textIn(to, content.start, content.end, depth)}}+${place - content.start}`,
        content,
      )
    const thing = thingAt(to, ownPlace(symbol) ?? place)
    return told(thing === undefined ? `${to.name}+${place}` : `${nameOf(thing, symbol)}+${place - thing.start}`)
  }

  /** Branches between functions of one section have no relocation. */
  const branches = (section: ToldSection, start: number, end: number, taken: ReadonlySet<number>): Reference[] => {
    const found: Reference[] = []
    if (!section.flags.includes('X') || (bySection.get(section)?.length ?? 0) < 2) return found
    for (let at = start; at < end; ) {
      const instruction = object.instruction(section, at)
      if (instruction === undefined) return found
      at = instruction.end
      const field = instruction.end - 4
      const to = /^(?:\S+ )*?(?:call|j[a-z]+)\s+([0-9a-f]+)(?: <|$)/.exec(instruction.text)?.[1]
      if (to === undefined || taken.has(field) || instruction.end - instruction.start < 5) continue
      const place = Number.parseInt(to, 16)
      if (place >= start && place < end) continue
      const thing = thingAt(section, place)
      if (thing !== undefined)
        found.push({ offset: field, size: 4, meaning: `${nameOf(thing)}+${place - thing.start}` })
    }
    return found
  }

  const foundIn = (section: ToldSection, start: number, end: number, depth: number): Reference[] => {
    const own = (object.relocations.get(section.index) ?? []).filter(({ offset }) => offset >= start && offset < end)
    const taken = new Set(own.map(({ offset }) => offset))
    return [
      ...own.map((relocation) => reference(section, relocation, depth + 1)),
      ...branches(section, start, end, taken),
    ].sort((a, b) => a.offset - b.offset)
  }

  const masked = (section: ToldSection, start: number, end: number, references: readonly Reference[]) => {
    const bytes = Buffer.alloc(Math.max(0, end - start))
    section.bytes.copy(bytes, 0, Math.max(0, start), Math.max(0, end))
    for (const { offset, size } of references)
      bytes.fill(0, offset - start, Math.min(offset - start + size, bytes.length))
    return bytes
  }

  const textIn = (section: ToldSection, start: number, end: number, depth: number): string => {
    const references = foundIn(section, start, end, depth)
    const bytes = masked(section, start, end, references)
    const isText = references.length === 0 && bytes.length > 1 && bytes.indexOf(0) === bytes.length - 1
    return [
      isText ? JSON.stringify(bytes.toString('latin1', 0, bytes.length - 1)) : bytes.toString('hex'),
      ...references.map((one) => `${one.offset - start}:${one.meaning}`),
    ].join('|')
  }

  return {
    things: [...bySection.values()].flat(),
    textOf: ({ section, start, end }) => textIn(section, start, end, 0),
    referencesOf: ({ section, start, end }) =>
      foundIn(section, start, end, 0).map((one) => ({ ...one, offset: one.offset - start })),
    bytesOf: ({ section, start, end }) => masked(section, start, end, foundIn(section, start, end, deepest)),
    referenceOf: (section, relocation) => reference(section, relocation, 0),
  }
}
