// SPDX-License-Identifier: GPL-3.0-or-later
// Which variables of a patched unit are ones of the running kernel. The text says only that a declaration is new or
// differs; that a variable which moved to another function, or got another type, is the one that runs is what the
// comparison of the objects has found, for both engines.

import type { Change } from '../../diff/change.ts'
import { isByContent } from '../../diff/object/by-content.ts'
import { bareName, isCompilersName, sourceName, stem } from '../../diff/object/compiler-names.ts'
import type { Atom } from '../../diff/object/split-object.ts'
import { addTo } from '../../ground/values/grouped.ts'

/** `symbol` before the patch of one that is kept; `open`: it may be a new one or one that runs. */
export type Origin = { readonly symbol: string } | 'new' | 'open'

/**
 * @param containers what the compiler put a function into
 * @returns what answers for a name of the patched source, or `function.variable`; undefined where the object has no
 * such variable
 */
export function keptVariables(
  { after, correlation, keptTables, keptConstants }: Change,
  containers: (name: string) => Iterable<string>,
): (name: string) => Origin | undefined {
  const files = new Map<string, Atom>()
  const locals = new Map<string, Atom[]>()
  for (const atom of after.data) {
    if (atom.symbol === undefined) continue
    if (!isCompilersName(atom.name)) {
      for (const { name } of [atom.symbol, ...atom.aliases]) files.set(name, atom)
      continue
    }
    addTo(locals, bareName(atom.name), atom)
  }
  /** The variables of a name that a function may mean. */
  const localsOf = (owner: string, variable: string): readonly Atom[] => {
    const all = locals.get(variable) ?? []
    // clang puts the function in front, gcc a number behind.
    const named = all.filter(({ name }) => stem(name) === `${owner}.${variable}`)
    if (named.length > 0) return named
    const numbered = all.filter(({ name }) => stem(name) === variable)
    if (numbered.length < 2) return numbered
    const owners = new Set([owner])
    for (const one of owners) for (const container of containers(one)) owners.add(container)
    const marks = after.marksOf(numbered.map(({ section }) => section))
    const code = after.functions.filter((atom) => owners.has(sourceName(atom.name)) && after.refersInto(atom, marks))
    const targets = code.flatMap((atom) =>
      after.relocations(atom).map((relocation) => after.target(atom.section, relocation)),
    )
    const used = numbered.filter((atom) => targets.some((target) => target.kind === 'atom' && target.atom === atom))
    return used.length > 0 ? used : numbered
  }

  return (name) => {
    const dot = name.indexOf('.')
    const found = dot < 0 ? [files.get(name) ?? []].flat() : localsOf(name.slice(0, dot), name.slice(dot + 1))
    if (found.length === 0) return undefined
    if (found.some((atom) => correlation.ambiguous.has(atom))) return 'open'
    // A constant of a function is the old one only as long as it says the same.
    const isKept = (atom: Atom) => !isByContent(atom) || keptTables.has(atom) || keptConstants.has(atom)
    const originOf = (atom: Atom) => (isKept(atom) ? correlation.counterpartOf(atom) : undefined)
    const [origin, ...more] = new Set(found.map(originOf))
    if (more.length > 0) return 'open'
    if (origin === undefined) return 'new'
    return { symbol: origin.aliases.some((one) => one.name === name) ? name : origin.name }
  }
}
