// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a piece of the module, code or data or an entry of a table about code, is, byte for byte outside of its
// references, what the compiler made; and which reference of the one is which of the other.
import { isCode, isPcRelative, relocationSize } from '../elf/format.ts'
import { isThroughTable } from '../x86/global-offset-table.ts'
import type { Inspection } from './inspection.ts'
import { isSamePlace, linked, meaningOf } from './meaning.ts'
import type { Extent, ObjectView, Place, Reference, Target } from './object-view.ts'
import { rewrittenAt } from './rewritten.ts'

export interface SameCode {
  /** A reference of the module, and where the compiler's leads. */
  readonly references: readonly { readonly own: Reference; readonly target: Target }[]
  /** The first difference, a clause. */
  readonly difference?: string
}

/** @param excuse makes equal what may differ, in the module's bytes and in the compiler's */
export function compareCode(
  { module, names }: Pick<Inspection, 'module' | 'names'>,
  mine: Place,
  view: ObjectView,
  theirs: Extent,
  excuse: (ours: Buffer, made: Buffer) => void,
): SameCode {
  const { section, start, end } = theirs
  const whole = { section: mine.section, start: mine.offset, end: mine.offset + end - start }
  const references: { own: Reference; target: Target }[] = []
  if (whole.start < 0 || whole.end > whole.section.size)
    return { references, difference: `at offset 0 it reaches beyond ${mine.section.name}` }
  const [ours, made] = [copyOf(whole), copyOf(theirs)]
  let difference: string | undefined
  const differs = (at: number, what: string) => {
    difference ??= `at offset ${at} ${what}`
  }
  const blank = (from: number, size: number) => {
    ours.fill(0, from, from + size)
    made.fill(0, from, from + size)
  }
  const fields = new Map(module.references(whole).map((own) => [own.offset - whole.start, own]))
  const take = (fits: (at: number) => boolean): Reference | undefined => {
    const at = [...fields.keys()].find(fits)
    const own = at === undefined ? undefined : fields.get(at)
    if (at !== undefined) fields.delete(at)
    return own
  }

  const rewritten = isCode(section) ? rewrittenAt(view, theirs, ours, made) : []
  for (const { at, size, variable } of rewritten) {
    blank(at, size)
    if (variable === undefined) continue
    const own = take((offset) => offset >= at && offset < at + size)
    const found = own === undefined ? undefined : meaningOf(names, own)
    const meant = linked(names, 'vmlinux', variable)
    if (found?.kind !== 'kernel' || !meant.some((place) => isSamePlace(place, found.at)))
      differs(at, `it should load ${variable}`)
  }
  for (const { offset, type, target } of view.references(theirs)) {
    const at = offset - start
    const size = relocationSize(type)
    // A module has no table of addresses (GOT): the same instruction gets the address otherwise, from another field.
    const isThrough = isThroughTable(type)
    const own = take((field) => (isThrough ? Math.abs(field - at) <= 4 : field === at))
    if (own === undefined) {
      if (!rewritten.some((one) => at >= one.at && at < one.at + one.size)) differs(at, 'a reference is missing')
      continue
    }
    if (isThrough) blank(Math.max(0, at - 3), 7)
    else blank(at, size)
    if (isPcRelative(own.type) !== isPcRelative(type) || relocationSize(own.type) !== size)
      differs(at, 'the reference is of another kind')
    references.push({ own, target })
  }
  for (const [at, own] of fields) {
    // Between functions that share a section the assembler knew the distance.
    const to = start + at + 4 + (at + 4 <= made.length ? made.readInt32LE(at) : 0)
    const isKnown = isCode(section) && isPcRelative(own.type) && at + 4 <= made.length
    if (!isKnown || to < 0 || to >= section.size || (to >= start && to < end)) {
      differs(at, 'there is a reference that the compiler did not make')
      continue
    }
    blank(at, 4)
    const place = { section, offset: to }
    const [extent] = view.extentsAt(place)
    if (extent?.symbol !== undefined) references.push({ own, target: { kind: 'place', place, symbol: extent.symbol } })
  }
  excuse(ours, made)
  const at = ours.findIndex((byte, index) => byte !== made[index])
  if (at >= 0) differs(at, 'the bytes are others')
  return difference === undefined ? { references } : { references, difference }
}

/** Zeros where the section has no bytes in the file. */
function copyOf({ section: { data }, start, end }: Extent): Buffer {
  const bytes = Buffer.alloc(end - start)
  data.copy(bytes, 0, start, end)
  return bytes
}
