// SPDX-License-Identifier: GPL-3.0-or-later
// Who refers to an atom: the relocations of an object the other way round. Only the relocations into sections that are
// asked about are followed, and each of them once, however many atoms are asked for.
import { type ObjectFile, type Relocation, type Section, within } from '../../elf/read.ts'
import { relocationWord } from '../../elf/structures.ts'
import { lazy, remembered } from '../../ground/values/remembered.ts'
import type { Atom } from './atoms.ts'

/** The part of a split object that this needs. */
interface Relocated {
  readonly object: ObjectFile
  readonly atoms: readonly Atom[]
  relocations(atom: Atom): readonly Relocation[]
  target(
    from: Section,
    relocation: Relocation,
  ):
    | { readonly kind: 'atom'; readonly atom: Atom }
    | { readonly kind: 'external' | 'string' | 'entry' | 'absolute' | 'nowhere' }
}

/**
 * The atoms that refer into each section, ordered: those of section `s` are `users` from `first[s]` to `first[s + 1]`.
 */
interface SectionUsers {
  readonly first: Uint32Array
  readonly users: Uint32Array
}

/** Calls `found` once for each section that an atom's relocations lead into, by the section's index. */
function sectionsReferredTo(
  object: ObjectFile,
  atoms: readonly Atom[],
  homes: Int32Array,
  found: (section: number, atom: number) => void,
): void {
  const last = new Int32Array(object.sections.length).fill(-1)
  const enter = (symbol: number, atom: number) => {
    const home = homes[symbol] ?? -1
    if (home < 0 || last[home] === atom) return
    last[home] = atom
    found(home, atom)
  }
  for (const { section, start, end, index } of atoms) {
    const words = start === 0 && end === section.size ? object.relocationWords(section) : undefined
    if (words === undefined)
      for (const { symbol } of within(object.relocations(section), start, end)) enter(symbol.index, index)
    else for (let at = relocationWord.symbol; at < words.length; at += relocationWord.count) enter(words[at]!, index)
  }
}

function sectionUsers(object: ObjectFile, atoms: readonly Atom[]): SectionUsers {
  const homes = Int32Array.from(object.symbols, ({ section }) => section?.index ?? -1)
  const first = new Uint32Array(object.sections.length + 1)
  sectionsReferredTo(object, atoms, homes, (section) => first[section + 1]!++)
  for (let index = 1; index < first.length; index++) first[index]! += first[index - 1]!
  const next = first.slice()
  const users = new Uint32Array(first.at(-1) ?? 0)
  sectionsReferredTo(object, atoms, homes, (section, atom) => {
    users[next[section]!++] = atom
  })
  return { first, users }
}

const nobody: readonly Atom[] = []

/** @returns a function that tells the atoms which refer to one, itself perhaps among them, each once and in order */
export function referrersIn(split: Relocated): (atom: Atom) => readonly Atom[] {
  const { object, atoms } = split
  const bySection = lazy(() => sectionUsers(object, atoms))
  const usersIn = remembered((section: Section): ReadonlyMap<Atom, readonly Atom[]> => {
    const { users, first } = bySection()
    const found = new Map<Atom, Atom[]>()
    for (const index of users.subarray(first[section.index], first[section.index + 1])) {
      const user = atoms[index]!
      for (const relocation of split.relocations(user)) {
        if (relocation.symbol.section?.index !== section.index) continue
        const target = split.target(user.section, relocation)
        if (target.kind !== 'atom') continue
        const list = found.get(target.atom)
        if (list === undefined) found.set(target.atom, [user])
        else if (list.at(-1) !== user) list.push(user)
      }
    }
    return found
  })
  return (atom) => usersIn(atom.section).get(atom) ?? nobody
}
