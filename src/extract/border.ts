// SPDX-License-Identifier: GPL-3.0-or-later
// In a section that several data share, the assembler says only how far into it a reference leads: the end of an array
// is the beginning of what is next, and `array - 1` a part of what is before. What is meant does not matter while
// neighbours stay together; where they don't, it is refused.

import { isByContent } from '../diff/object/by-content.ts'
import { isIncidental } from '../diff/object/diagnostic-data.ts'
import { type Atom, isCode, type Target } from '../diff/object/split-object.ts'
import type { Relocation, Section } from '../elf/read.ts'
import { useOf } from '../x86/address-taking.ts'
import { livingCounterpart, type UnitLookup } from './kernel-lookup.ts'

/** True when the running kernel's own is meant, however it is referred to. */
function isKernels(lookup: UnitLookup, atom: Atom): boolean {
  if (livingCounterpart(lookup.change, atom) === undefined || isIncidental(atom)) return false
  return !isByContent(atom) || lookup.isKept(atom)
}

function isCarriedWithOthers(lookup: UnitLookup, atom: Atom): boolean {
  return (
    atom.kind === 'data' &&
    !isIncidental(atom) &&
    !lookup.change.correlation.ambiguous.has(atom) &&
    !isKernels(lookup, atom)
  )
}

/** A datum that is carried, and those beside it that are carried with it, so that all keep their distances. */
export function neighbourhood(lookup: UnitLookup, atom: Atom): readonly Atom[] {
  const all = lookup.change.after.atomsOf(atom.section)
  if (all.length === 1 || !isCarriedWithOthers(lookup, atom)) return [atom]
  const own = all.indexOf(atom)
  let [first, last] = [own, own]
  while (first > 0 && isCarriedWithOthers(lookup, all[first - 1]!)) first--
  while (last + 1 < all.length && isCarriedWithOthers(lookup, all[last + 1]!)) last++
  return all.slice(first, last + 1)
}

/** True when the distance of two neighbours is the same in the patched kernel as in the object. */
function stayTogether(lookup: UnitLookup, one: Atom, next: Atom): boolean {
  if (isKernels(lookup, one) && isKernels(lookup, next)) {
    const [b, bNext] = [one, next].map(lookup.change.correlation.counterpartOf)
    return b?.section === bNext?.section && bNext!.start - b!.start === next.start - one.start
  }
  return isCarriedWithOthers(lookup, one) && isCarriedWithOthers(lookup, next)
}

function useBy({ change: { after } }: UnitLookup, from: Section, relocation: Relocation) {
  const instruction = isCode(from) ? after.instructionAt(from, relocation.offset) : undefined
  return instruction === undefined ? 'address' : useOf(instruction, relocation.offset)
}

/** How a function and its cold parts, or a datum, use another datum: from which byte on, and for what. */
function usesOf(lookup: UnitLookup, whose: Atom, datum: Atom) {
  const { after } = lookup.change
  const family = lookup.family(whose)
  return (family.length > 0 ? family : [whose]).flatMap((code) =>
    after.relocations(code).flatMap((relocation) => {
      const target = after.target(code.section, relocation)
      const isMeant = target.kind === 'atom' && target.atom === datum
      return isMeant ? [{ offset: target.offset, use: useBy(lookup, code.section, relocation) }] : []
    }),
  )
}

/** What else a reference by section could mean than the datum to which it leads, in words; undefined for nothing. */
export function ambiguousBorder(
  lookup: UnitLookup,
  { atom, offset }: Target & { kind: 'atom' },
  from: Section,
  relocation: Relocation,
  whose: Atom,
): string | undefined {
  const size = atom.end - atom.start
  const all = lookup.change.after.atomsOf(atom.section)
  // What is as far away as the kernel's map is a physical address.
  if (atom.kind === 'function' || all.length < 2 || offset >= 2 ** 31) return undefined
  const how = useBy(lookup, from, relocation)
  const own = all.indexOf(atom)
  const [previous, next] = [all[own - 1], all[own + 1]]
  if (offset > size && !(next !== undefined && stayTogether(lookup, atom, next)))
    return `something without a name behind ${atom.name}`
  if (offset === 0 && previous?.end === atom.start && !stayTogether(lookup, previous, atom)) {
    // Nobody walks through one number, or what a macro leaves behind.
    const small = previous.end - previous.start <= 8
    const isByte = previous.end - previous.start === 1
    const isSingle = isByte || isIncidental(previous)
    const walks = !isSingle && usesOf(lookup, whose, previous).some(({ use }) => !small || use !== 'access')
    // A table without a name is gone through from its beginning.
    const may = how === 'address' || (how === 'walk' && atom.kind === 'data')
    return may && walks ? `${atom.name} or to the end of ${previous.name}` : undefined
  }
  if (offset <= 0 || next === undefined || isIncidental(next) || how === 'access') return undefined
  if (stayTogether(lookup, atom, next)) return undefined
  const begins = usesOf(lookup, whose, atom).some((one) => one.offset === 0)
  const nearEnd = size - offset <= 64
  return !begins && nearEnd && offset < size ? `${atom.name} or to what is before ${next.name}` : undefined
}
