// SPDX-License-Identifier: GPL-3.0-or-later
// Makes the Expectation of a function from the object that the compiler made of the unpatched unit.

import { coldParent, isColdPart } from '../diff/object/compiler-names.ts'
import { isComplaint } from '../diff/object/sanitizers.ts'
import {
  type Atom,
  type Extent,
  isCode,
  isOutOfLine,
  type SplitObject,
  type Target,
} from '../diff/object/split-object.ts'
import { lineWithin, type TableEntry } from '../diff/object/tables.ts'
import { isPcRelative, isThreadLocal, relocationType, sectionFlag, sectionType } from '../elf/format.ts'
import type { Relocation, Section } from '../elf/read.ts'
import { fieldSize } from './destination.ts'
import type { Destination, Expectation, FieldForm, Part, PlainDestination, ToldEntry } from './expectation.ts'
import { codeOf, type Parts, sitesOf } from './sites.ts'

/** Bytes of a nameless constant that are kept. */
const largestConstant = 4096

/** The bytes of a function: from its symbol on, without the room in front of it. */
export function bytesOf(atom: Atom): Extent {
  const start = atom.symbol?.value ?? atom.start
  return { section: atom.section, start, end: atom.symbol?.size ? start + atom.symbol.size : atom.end }
}

/** @param unit the unit before the patch */
export function expectationOf(unit: SplitObject, atom: Atom): Expectation {
  const names = new Set([atom, ...atom.aliases].map(({ name }) => name))
  const extents: { readonly extent: Extent; readonly atom?: Atom }[] = []
  const partOf = (extent: Extent, of?: Atom): number => {
    const index = extents.findIndex(
      ({ extent: { section, start } }) => section === extent.section && start === extent.start,
    )
    if (index >= 0) return index
    extents.push({ extent, ...(of === undefined ? {} : { atom: of }) })
    return extents.length - 1
  }
  const isOwn = (other: Atom) => other === atom || (isColdPart(other.name) && names.has(coldParent(other.name)))
  const at = (part: number, plus: number) => (plus === 0 ? { part } : { part, plus })
  const inAtom = (other: Atom, place: number) => {
    if (other.kind === 'function' && isOwn(other)) {
      const extent = bytesOf(other)
      return at(partOf(extent, other), place - extent.start)
    }
    if (other.kind !== 'constant' || !isOutOfLine(other.section)) return undefined
    const extent = unit.extent(other, place - other.start)
    return at(partOf(extent), place - extent.start)
  }
  const parts: Parts = {
    inside: (target) => (target.kind === 'atom' ? inAtom(target.atom, target.atom.start + target.offset) : undefined),
    placeOf(section, offset) {
      const other = unit.atomsOf(section).findLast(({ start }) => start <= offset)
      return other === undefined ? undefined : inAtom(other, offset)
    },
    fieldsOf: ({ section, start, end }) =>
      unit
        .relocations({ section, start, end })
        .filter(({ type }) => type !== relocationType.none)
        .map((relocation) => ({
          at: relocation.offset - start,
          ...leads(unit, section, relocation, parts),
        })),
  }
  partOf(bytesOf(atom), atom)
  const made: Part[] = []
  // Reading a part may find further ones.
  for (let index = 0; index < extents.length; index++) {
    const { extent, atom: own } = extents[index]!
    made.push({
      ...(own?.symbol === undefined ? {} : { name: own.name }),
      code: codeOf(extent),
      fields: parts.fieldsOf(extent),
      sites: own === undefined ? [] : sitesOf(unit, own, extent.start, parts),
    })
  }
  const [main, ...others] = made
  return { parts: [main!, ...others] }
}

const forms: Readonly<Record<number, FieldForm>> = {
  [relocationType.abs64]: 'wide',
  [relocationType.abs32]: 'unsigned',
  [relocationType.abs32s]: 'signed',
  [relocationType.pc64]: 'far',
  // Between functions of one section.
  [relocationType.pc8]: 'short',
}

function formOf(type: number): FieldForm | undefined {
  return forms[type] ?? (isPcRelative(type) && !isThreadLocal(type) ? 'near' : undefined)
}

function leads(
  unit: SplitObject,
  section: Section,
  relocation: Relocation,
  parts: Parts,
): { readonly form: FieldForm; readonly to: Destination } {
  const form = formOf(relocation.type)
  if (form === undefined)
    return { form: 'near', to: { unknown: `a relocation of the unknown type ${relocation.type}` } }
  const target = unit.target(section, relocation)
  if (target.kind === 'entry') return { form, to: { entry: toldEntry(unit, target.entry, parts) } }
  if (target.kind === 'atom' && isComplaint(target.atom.section) && target.offset === 0)
    return { form, to: { complaint: toldComplaint(unit, target.atom) } }
  return { form, to: parts.inside(target) ?? destinationOf(unit, target) }
}

/** What UBSAN is told: the name of a file, and behind the place in it the types, which are nameless as well. */
function toldComplaint(unit: SplitObject, atom: Atom): ToldEntry {
  const { section, start, end } = atom
  const fields = unit.relocations(atom).map((relocation) => {
    const target = unit.target(section, relocation)
    const [form, at] = [formOf(relocation.type) ?? 'near', relocation.offset - start]
    if (target.kind === 'string' && at === 0) return { at, form, to: { ...fileOf(target.text), whole: true as const } }
    if (target.kind === 'atom' && isComplaint(target.atom.section) && target.offset === 0)
      return { at, form, to: typeOf(unit, target.atom) }
    return { at, form, to: destinationOf(unit, target) }
  })
  return { code: codeOf({ section, start, end }), fields }
}

/** A type that UBSAN names is written to no more than a constant is. */
function typeOf(unit: SplitObject, atom: Atom): PlainDestination {
  const { section, start, end, name } = atom
  if (unit.relocations(atom).length > 0) return { unknown: `what ${name} refers to` }
  return { holds: section.data.subarray(start, end).toString('base64') }
}

function fileOf(text: Buffer): { readonly file: string } {
  return { file: text.toString('latin1').replace(/^\.\/|\0$/g, '') }
}

function toldEntry(unit: SplitObject, { table, start, end, relocations }: TableEntry, parts: Parts): ToldEntry {
  const fields = relocations.map((relocation) => {
    const target = unit.target(table, relocation)
    const form = formOf(relocation.type) ?? 'near'
    const at = relocation.offset - start
    // In front of the line stands the file.
    if (target.kind === 'string' && at + fieldSize(form) === lineWithin(table.name, end - start))
      return { at, form, to: fileOf(target.text) }
    return { at, form, to: parts.inside(target) ?? destinationOf(unit, target) }
  })
  return { code: codeOf({ section: table, start, end }), fields }
}

function destinationOf(unit: SplitObject, target: Target): PlainDestination {
  switch (target.kind) {
    case 'external':
      return target.offset === 0 ? { symbol: target.name } : { symbol: target.name, plus: target.offset }
    case 'absolute':
      return { value: target.value }
    case 'nowhere':
      return { unknown: target.why }
    case 'entry':
      return { unknown: `an entry of ${target.entry.table.name}` }
    case 'string': {
      const skipped = Math.min(Math.max(target.offset - target.start, 0), target.text.length)
      return { holds: target.text.subarray(skipped).toString('base64') }
    }
    case 'atom': {
      const { atom, offset } = target
      const { symbol } = atom
      if (symbol === undefined) return constant(unit, atom, offset)
      const plus = atom.start + offset - symbol.value
      const inside = atom.kind === 'function' && plus !== 0 && plus < symbol.size
      return {
        symbol: atom.name,
        ...(plus === 0 ? {} : { plus }),
        ...(inside ? { within: symbol.size } : {}),
        ...(symbol.binding === 'local' ? { own: true } : {}),
        ...(symbol.binding === 'local' && symbol.size === 0 ? { empty: true } : {}),
      }
    }
  }
}

function constant(unit: SplitObject, atom: Atom, offset: number): PlainDestination {
  const { section, start, end } = unit.extent(atom, offset)
  const place = atom.start + offset
  const fixed = section.type === sectionType.progbits && (section.flags & sectionFlag.write) === 0 && !isCode(section)
  if (!fixed || place < start || place >= end || end - place > largestConstant)
    return { unknown: `a place of ${section.name}` }
  if (unit.relocations({ section, start: place, end }).length > 0)
    return { unknown: `a table of addresses in ${section.name}` }
  return { holds: section.data.subarray(place, end).toString('base64') }
}
