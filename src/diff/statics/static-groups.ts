// SPDX-License-Identifier: GPL-3.0-or-later
// Static variables that a macro makes together (a flag and the key of a jump label, as DO_ONCE does) go to one call
// together. They are one thing: what is paired of them must be paired with what goes together, too, or nothing is.

import { addToSet } from '../../ground/values/grouped.ts'
import { kept, passed } from '../../x86/calling-convention.ts'
import type { Atom } from '../object/split-object.ts'
import type { CodeLine } from './code-lines.ts'
import { bodyOf } from './variable-uses.ts'

/** For each variable, those whose addresses go to one call with its own. */
export type Together = ReadonlyMap<Atom, ReadonlySet<Atom>>

/** Which register holds the address of which variable. */
type Held = ReadonlyMap<number, Atom>

/** More ways than these to come to one line are not followed. */
const ways = 16

/** @param all the lines of functions and of the parts of them that stand elsewhere */
export function goingTogether(all: readonly (readonly CodeLine[] | undefined)[]): Together {
  const found = new Map<Atom, Set<Atom>>()
  for (const variables of calledWith(all).values())
    for (const one of variables) for (const other of variables) if (one !== other) addToSet(found, one, other)
  return found
}

/** The calls that get the addresses of several variables at once. */
export function calledWith(all: readonly (readonly CodeLine[] | undefined)[]): Map<CodeLine, Set<Atom>> {
  const lines = all.flatMap((one) => one ?? [])
  const found = new Map<CodeLine, Set<Atom>>()
  const { following } = bodyOf(lines)
  const seen = new Map<CodeLine, Set<string>>()
  const open: [CodeLine, Held][] = lines.map((line) => [line, new Map()])
  for (let item = open.pop(); item !== undefined; item = open.pop()) {
    const [line, held] = item
    const known = seen.get(line) ?? new Set()
    seen.set(line, known)
    const key = [...held]
      .map(([register, { index }]) => `${register}:${index}`)
      .sort()
      .join(' ')
    if (known.has(key) || known.size >= ways) continue
    known.add(key)
    if (line.calls) {
      const given = new Set([...held].flatMap(([register, one]) => (((1 << register) & passed) === 0 ? [] : [one])))
      if (given.size > 1) for (const one of given) addToSet(found, line, one)
    }
    const then = behind(line, held)
    for (const one of following(line)) open.push([one, then])
  }
  return found
}

function behind({ calls, effect, uses, kind }: CodeLine, held: Held): Held {
  if (calls) return new Map([...held].filter(([register]) => ((1 << register) & kept) !== 0))
  if (effect.writes === 0) return held
  const then = new Map([...held].filter(([register]) => ((1 << register) & effect.writes) === 0))
  const copied = kind === 'copy' ? held.get(Math.log2(effect.reads)) : undefined
  const taken = uses.find(({ isAddress }) => isAddress)?.variable ?? copied
  if (taken !== undefined) then.set(Math.log2(effect.writes), taken)
  return then
}

/**
 * Variables whose pairs tear apart what belongs together, after the patch, and all that belongs to these.
 * @param pairs by the variable before the patch
 * @param isOneOfSeveral true for a variable with namesakes; a name that only one has says which it is
 */
export function tornApart(
  pairs: ReadonlyMap<Atom, Atom>,
  before: Together,
  after: Together,
  isOneOfSeveral: (atom: Atom) => boolean,
): Set<Atom> {
  const back = new Map([...pairs].map(([b, a]) => [a, b]))
  const torn = new Set<Atom>()
  const add = (atom: Atom | undefined) => {
    if (atom === undefined || torn.has(atom)) return
    torn.add(atom)
    for (const one of after.get(atom) ?? []) add(one)
    const was = back.get(atom)
    for (const one of (was && before.get(was)) ?? []) add(pairs.get(one))
  }
  const areTorn = (
    [one, other]: readonly [Atom, Atom],
    theirs: ReadonlyMap<Atom, Atom>,
    together: Together,
    of: Together,
  ) =>
    [...(of.get(one) ?? [])].some((partner) => {
      const its = theirs.get(partner)
      const goes = its !== undefined && together.get(other)?.has(its) === true
      return !goes && (isOneOfSeveral(one) || isOneOfSeveral(partner))
    })
  for (const [b, a] of pairs) if (areTorn([b, a], pairs, after, before) || areTorn([a, b], back, before, after)) add(a)
  return torn
}
