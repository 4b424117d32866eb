// SPDX-License-Identifier: GPL-3.0-or-later
// A variable that is renamed, retyped under another name, or moved to another function is a new one to the running
// kernel: it starts anew, and what the old one holds (entries of a list, who holds a lock, a count) is lost to the new
// code. It shows as a new variable beside one that nobody uses any more.

import { sectionFlag } from '../elf/format.ts'
import type { Finding } from '../ground/finding.ts'
import { addToSet } from '../ground/values/grouped.ts'
import type { Correlation } from './correlation/correlate.ts'
import { bareName, sourceName } from './object/compiler-names.ts'
import { isIncidental } from './object/diagnostic-data.ts'
import { isInitOrExit } from './object/init-sections.ts'
import type { Atom, SplitObject } from './object/split-object.ts'

/** A new variable, with the old ones of which it may be the heir. */
interface Heir {
  readonly variable: Atom
  readonly lost: readonly { readonly variable: Atom; readonly user: Atom }[]
}

/** Variables by the functions that refer to them, apart from those that run only at the start or the end. */
export function usersOf(unit: SplitObject, variables: ReadonlySet<Atom>): Map<Atom, Set<Atom>> {
  const users = new Map<Atom, Set<Atom>>()
  if (variables.size === 0) return users
  const marks = unit.marksOf([...variables].map(({ section }) => section))
  for (const user of unit.functions) {
    if (isInitOrExit(user.section)) continue
    for (const atom of unit.referredAtoms(user, marks)) if (variables.has(atom)) addToSet(users, atom, user)
  }
  return users
}

/** Data that code writes to while the kernel runs. */
export function isState(atom: Atom): boolean {
  return (
    atom.kind === 'data' &&
    (atom.section.flags & sectionFlag.write) !== 0 &&
    (atom.section.flags & sectionFlag.exec) === 0 &&
    atom.end > atom.start &&
    !isIncidental(atom)
  )
}

function heirsOf(
  before: SplitObject,
  after: SplitObject,
  correlation: Correlation,
  addedData: readonly Atom[],
): Heir[] {
  const added = new Set(addedData.filter(isState))
  if (added.size === 0) return []
  const gone = new Set(before.data.filter((atom) => isState(atom) && correlation.successorOf(atom) === undefined))
  // One that stays in the object may still serve only code that has run.
  const left = new Set(
    before.data.filter((atom) => {
      const successor = isState(atom) ? correlation.successorOf(atom) : undefined
      return successor?.symbol?.binding === 'local'
    }),
  )
  const usersBefore = usersOf(before, new Set([...gone, ...left]))
  const usersAfter = usersOf(after, new Set([...added, ...([...left].map(correlation.successorOf) as Atom[])]))
  const lost = [...usersBefore].filter(([variable]) => {
    const successor = correlation.successorOf(variable)
    return successor === undefined || (!usersAfter.has(successor) && !isPointedTo(after, successor))
  })
  return [...added].flatMap((variable): Heir[] => {
    const now = usersAfter.get(variable) ?? new Set<Atom>()
    const heirs = lost.flatMap(([old, then]) => {
      const user = [...then].find((code) => {
        const successor = correlation.successorOf(code)
        return successor !== undefined && now.has(successor)
      })
      if (user !== undefined) return [{ variable: old, user }]
      // The code may have moved with its variable.
      const [first] = then
      const moved =
        bareName(old.name) === bareName(variable.name) ||
        [...now].some(
          (code) => correlation.counterpartOf(code) === undefined && refersTo(after, then, code, correlation),
        )
      return moved && first !== undefined ? [{ variable: old, user: first }] : []
    })
    return heirs.length === 0 ? [] : [{ variable, lost: heirs }]
  })
}

/** True when one of some functions refers to a new one since the patch. */
function refersTo(after: SplitObject, before: Iterable<Atom>, code: Atom, correlation: Correlation): boolean {
  const marks = after.marksOf([code.section])
  return [...before].some((user) => {
    const successor = correlation.successorOf(user)
    return successor !== undefined && after.refersInto(successor, marks)
  })
}

/** True when other data refer to a variable. */
function isPointedTo(unit: SplitObject, variable: Atom): boolean {
  return unit.referrers(variable).some((atom) => atom !== variable && atom.kind === 'data')
}

/** What there is to say about state that the patch leaves behind. */
export function lostState(
  before: SplitObject,
  after: SplitObject,
  correlation: Correlation,
  addedData: readonly Atom[],
  unit: string,
): Finding[] {
  return heirsOf(before, after, correlation, addedData).map(({ variable, lost }): Finding => {
    const names = [...new Set(lost.map((one) => bareName(one.variable.name)))]
    const [first] = lost
    const them = names.length === 1 ? 'it' : 'them'
    const name = bareName(variable.name)
    return {
      severity: 'warning',
      rule: 'state-lost',
      symbol: variable.name,
      unit,
      message:
        `The new variable ${name} begins with its initial value, and ${names.join(' and ')}, which ` +
        `${sourceName(first?.user.name ?? '')} used, ${names.length === 1 ? 'is' : 'are'} no longer ` +
        `used: the new code does not see what the running kernel has in ${them}`,
      hint:
        `Keep the old name, if ${name} is meant to be the same; take the old value over from a ` +
        'callback (INARCH_PRE_PATCH), if it is needed; otherwise allow it',
    }
  })
}
