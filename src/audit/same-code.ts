// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a piece of the module is, byte for byte outside of its references, what the compiler made; and which reference
// of the one is which of the other.
import { isPcRelative, relocationSize, relocationType } from '../elf/format.ts'
import type { Relocation, Section } from '../elf/read.ts'
import type { Names } from '../match/names.ts'
import { linked, meaningOf } from './meaning.ts'
import type { Extent, ObjectView, Place, Target } from './object-view.ts'
import { rewrittenAt } from './rewritten.ts'

export interface SameCode {
  /** A reference of the module, and where the compiler's leads. */
  readonly references: readonly { readonly own: Relocation; readonly target: Target }[]
  /** The first difference: bytes from the begin, and a clause. */
  readonly difference?: { readonly at: number; readonly what: string }
}

/** @param excuse makes equal what may differ, in the module's bytes and in the compiler's */
export function compareCode(
  module: ObjectView,
  names: Names,
  mine: Place,
  view: ObjectView,
  theirs: Extent,
  excuse: (ours: Buffer, made: Buffer) => void,
): SameCode {
  const { section, start, end } = theirs
  const length = end - start
  const references: { own: Relocation; target: Target }[] = []
  let difference: SameCode['difference']
  const differs = (at: number, what: string) => {
    difference ??= { at, what }
  }
  if (mine.offset < 0 || mine.offset + length > mine.section.size) {
    differs(0, `it reaches beyond ${mine.section.name}`)
    return { references, ...(difference === undefined ? {} : { difference }) }
  }
  const [ours, made] = [bytesOf(mine.section, mine.offset, length), bytesOf(section, start, length)]
  const fields = new Map<number, Relocation>()
  const whole = { section: mine.section, start: mine.offset, end: mine.offset + length }
  for (const one of module.relocations(whole)) fields.set(one.offset - mine.offset, one)
  const blank = (from: number, size: number) => {
    ours.fill(0, from, from + size)
    made.fill(0, from, from + size)
  }
  const rewritten = rewrittenAt(view, theirs, ours, made)
  for (const { at, size, variable } of rewritten) {
    blank(at, size)
    if (variable === undefined) continue
    const field = [...fields.keys()].find((offset) => offset >= at && offset < at + size)
    const found = field === undefined ? undefined : meaningOf(names, module, mine.section, fields.get(field)!)
    const meant = linked(names, 'vmlinux', variable)
    if (found?.kind !== 'kernel' || !meant.some(({ address }) => address === found.at.address))
      differs(at, `it should load ${variable}`)
    if (field !== undefined) fields.delete(field)
  }
  const isRewritten = (offset: number) => rewritten.some(({ at, size }) => offset >= at && offset < at + size)
  for (const relocation of view.relocations(theirs)) {
    const at = relocation.offset - start
    const size = relocationSize(relocation.type)
    const through = relocation.type === relocationType.gotpcrel || relocation.type >= relocationType.gotpcrelx
    const field = through ? nearField(fields, at) : fields.has(at) ? at : undefined
    if (field === undefined) {
      if (!isRewritten(at)) differs(at, 'a reference is missing')
      continue
    }
    const own = fields.get(field)!
    fields.delete(field)
    if (through) blank(Math.max(0, at - 3), 7)
    else blank(at, size)
    if (isPcRelative(own.type) !== isPcRelative(relocation.type) || relocationSize(own.type) !== size)
      differs(at, 'the reference is of another kind')
    references.push({ own, target: view.target(section, relocation) })
  }
  for (const [at, own] of fields) {
    // Between functions that share a section the assembler knew the distance.
    const to = start + at + 4 + (at + 4 <= length ? made.readInt32LE(at) : 0)
    const isInside = to >= start && to < end
    if (!isPcRelative(own.type) || at + 4 > length || to < 0 || to >= section.size || isInside) {
      differs(at, 'there is a reference that the compiler did not make')
      continue
    }
    blank(at, 4)
    const place = { section, offset: to }
    const [extent] = view.extentsAt(place)
    if (extent?.symbol !== undefined)
      references.push({ own, target: { kind: 'place', place, symbol: extent.symbol } })
  }
  excuse(ours, made)
  if (!ours.equals(made))
    differs(
      ours.findIndex((byte, index) => byte !== made[index]),
      'the bytes are others',
    )
  return { references, ...(difference === undefined ? {} : { difference }) }
}

/** Zeros where the section has no bytes in the file. */
function bytesOf({ data }: Section, from: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  data.copy(bytes, 0, Math.max(0, from), Math.max(0, from + length))
  return bytes
}

function nearField(fields: ReadonlyMap<number, Relocation>, at: number): number | undefined {
  return [...fields.keys()].find((offset) => Math.abs(offset - at) <= 4)
}
