// SPDX-License-Identifier: GPL-3.0-or-later
// In a section that several data share, the assembler says only how far into it a reference leads: the end of an array
// is the beginning of what is next, and `array - 1` a part of what is before. What is meant does not matter while
// neighbours stay together; where they don't, it is refused.

import { isByContent } from '../diff/object/by-content.ts'
import { coldParent } from '../diff/object/compiler-names.ts'
import { isIncidental } from '../diff/object/diagnostic-data.ts'
import { isInitOrExit } from '../diff/object/init-sections.ts'
import { type Atom, isCode, type Target } from '../diff/object/split-object.ts'
import type { Relocation, Section } from '../elf/read.ts'
import { useOf } from '../x86/address-taking.ts'
import type { UnitExtraction } from './unit-extraction.ts'

type Carrying = Pick<UnitExtraction, 'change' | 'isKept'>

/** True when the running kernel's own is meant, however it is referred to. */
function isKernels({ change, isKept }: Carrying, atom: Atom): boolean {
  const counterpart = change.correlation.counterpartOf(atom)
  if (counterpart === undefined || isInitOrExit(counterpart.section) || isIncidental(atom)) return false
  return !isByContent(atom) || isKept(atom)
}

function isCarriedWithOthers(carrying: Carrying, atom: Atom): boolean {
  return (
    atom.kind === 'data' &&
    !isIncidental(atom) &&
    !carrying.change.correlation.ambiguous.has(atom) &&
    !isKernels(carrying, atom)
  )
}

/** A datum that is carried, and those beside it that are carried with it, so that all keep their distances. */
export function neighbourhood(carrying: Carrying, atom: Atom): readonly Atom[] {
  const all = carrying.change.after.atomsOf(atom.section)
  if (all.length === 1 || !isCarriedWithOthers(carrying, atom)) return [atom]
  const own = all.indexOf(atom)
  let [first, last] = [own, own]
  while (first > 0 && isCarriedWithOthers(carrying, all[first - 1]!)) first--
  while (last + 1 < all.length && isCarriedWithOthers(carrying, all[last + 1]!)) last++
  return all.slice(first, last + 1)
}

/** Refuses a reference by section that could mean another datum than the one to which it leads. */
export function borderGuard(carrying: Carrying & Pick<UnitExtraction, 'error'>) {
  const { error } = carrying
  const { after, correlation } = carrying.change
  /** True when the distance of two neighbours is the same in the patched kernel as in the object. */
  const stayTogether = (one: Atom, next: Atom): boolean => {
    if (isKernels(carrying, one) && isKernels(carrying, next)) {
      const [b, bNext] = [correlation.counterpartOf(one), correlation.counterpartOf(next)]
      return b?.section === bNext?.section && bNext!.start - b!.start === next.start - one.start
    }
    return isCarriedWithOthers(carrying, one) && isCarriedWithOthers(carrying, next)
  }
  const usesOf = (whose: Atom) => {
    const family = after.functions.filter(
      ({ name, file }) => coldParent(name) === coldParent(whose.name) && file === whose.file,
    )
    return (family.length > 0 ? family : [whose]).flatMap(({ section, start, end }) =>
      after.relocations({ section, start, end }).map((relocation) => ({
        target: after.target(section, relocation),
        use: use(section, relocation),
      })),
    )
  }
  const use = (from: Section, relocation: Relocation) => {
    const instruction = isCode(from) ? after.instructionAt(from, relocation.offset) : undefined
    return instruction === undefined ? 'address' : useOf(from.data, instruction, relocation.offset)
  }
  const refuse = (atom: Atom, whose: Atom, what: string) =>
    error(
      'ambiguous-reference',
      atom.name,
      `${whose.name} refers to ${what}, which share the section ${atom.section.name}: which is meant can't be told`,
      'Compile with -fdata-sections, as kbuild does for a live patch, or leave out the section ' +
        'attribute (such as __read_mostly)',
    )

  return (target: Target & { kind: 'atom' }, from: Section, relocation: Relocation, whose: Atom) => {
    const { atom, offset } = target
    const size = atom.end - atom.start
    const all = after.atomsOf(atom.section)
    // What is as far away as the kernel's map is a physical address.
    if (atom.kind === 'function' || all.length < 2 || offset >= 2 ** 31) return
    const how = use(from, relocation)
    const own = all.indexOf(atom)
    const [previous, next] = [all[own - 1], all[own + 1]]
    if (offset > size && !(next !== undefined && stayTogether(atom, next))) {
      refuse(atom, whose, `something without a name behind ${atom.name}`)
      return
    }
    if (offset === 0 && previous?.end === atom.start && !stayTogether(previous, atom)) {
      const uses = usesOf(whose).filter(
        ({ target: other }) => other.kind === 'atom' && other.atom === previous,
      )
      // Nobody walks through one number, or what a macro leaves behind.
      const small = previous.end - previous.start <= 8
      const isByte = previous.end - previous.start === 1
      const isSingle = isByte || isIncidental(previous)
      const walks = !isSingle && uses.some(({ use: other }) => !small || other !== 'access')
      // A table without a name is gone through from its beginning.
      const may = how === 'address' || (how === 'walk' && atom.kind === 'data')
      if (may && walks) refuse(atom, whose, `${atom.name} or to the end of ${previous.name}`)
    }
    if (
      offset > 0 &&
      next !== undefined &&
      !isIncidental(next) &&
      how !== 'access' &&
      !stayTogether(atom, next)
    ) {
      const begins = usesOf(whose).some(
        ({ target: other }) => other.kind === 'atom' && other.atom === atom && other.offset === 0,
      )
      const nearEnd = size - offset <= 64
      if (!begins && nearEnd && offset < size)
        refuse(atom, whose, `${atom.name} or to what is before ${next.name}`)
    }
  }
}
