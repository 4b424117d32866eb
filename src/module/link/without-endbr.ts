// SPDX-License-Identifier: GPL-3.0-or-later
// Takes the landing pad (ENDBR64) away from functions of an object, for a comparison. Whether the compiler writes one
// at a function's start depends on who may know its address, and a function of a live patch's source is known to the
// wrapper, which the private one that it replaces was not. livepatch enters by a return, which needs none.
import type { ObjectFile } from '../../elf/read.ts'
import { readObject } from '../../elf/read.ts'
import { redraft } from '../../elf/redraft.ts'
import { type RelocationDraft, type SectionDraft, writeObject } from '../../elf/write.ts'
import { isLandingPad, landingPadSize as length } from '../../x86/entry.ts'

/** True when a function of the object begins with a landing pad. */
export function hasEndbr(object: ObjectFile, name: string): boolean {
  return object.symbols.some(
    ({ name: one, section, value }) =>
      one === name && section !== undefined && isLandingPad(section.data.subarray(value)),
  )
}

/** @param names functions that have a landing pad, each in a section of its own */
export function withoutEndbr(object: ObjectFile, names: ReadonlySet<string>): ObjectFile {
  if (names.size === 0) return object
  const draft = redraft(object, () => true)
  /** Where each section that becomes shorter has its pad. */
  const pads = new Map<SectionDraft, number>()
  for (const { name, place, value } of draft.symbols)
    if (names.has(name) && typeof place !== 'string') pads.set(place, value)
  const moved = (section: SectionDraft, offset: number): number => {
    const pad = pads.get(section)
    return pad === undefined || offset < pad + length ? Math.min(offset, pad ?? offset) : offset - length
  }
  for (const [section, pad] of pads)
    if (typeof section.data !== 'number')
      section.data = Buffer.concat([section.data.subarray(0, pad), section.data.subarray(pad + length)])
  const by = new Map(
    draft.symbols.map((symbol) => {
      const { place, type, value, size } = symbol
      if (typeof place === 'string' || !pads.has(place) || type === 'section') return [symbol, symbol]
      const whole = type === 'function' && value === pads.get(place)
      return [symbol, { ...symbol, value: moved(place, value), size: whole ? size - length : size }]
    }),
  )
  for (const section of draft.sections)
    section.relocations = section.relocations.map((one): RelocationDraft => {
      const { place, type } = one.symbol
      const into = type === 'section' && typeof place !== 'string' ? moved(place, one.addend) : one.addend
      return { ...one, offset: moved(section, one.offset), symbol: by.get(one.symbol)!, addend: into }
    })
  return readObject(writeObject({ sections: draft.sections, symbols: [...by.values()] }), object.name)
}
