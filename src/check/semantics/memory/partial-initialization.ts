// SPDX-License-Identifier: GPL-3.0-or-later
// Members that are given their values together when an object is made (a device comes, a file system is mounted). Where
// another changed function gives some of them other values in objects that exist, these get one half of what the new
// code makes, and keep the other half as the old code made it.

import { listed } from '../../../ground/listed.ts'
import type { ChangedFunction, ChangedFunctions } from '../../subject/changed-functions.ts'
import type { Found } from '../../subject/rule.ts'
import { effectsOf, readerOf } from '../effects/effects.ts'

interface Written {
  /**
   * `struct net_device.hard_header_len`: what a function assigns to it is something else than before, or nothing was.
   */
  readonly otherwise: ReadonlySet<string>
  /** Of these, what it assigned before as well. */
  readonly anew: ReadonlySet<string>
}

function writtenOtherwise(functions: ChangedFunctions, { before, after }: ChangedFunction): Written {
  if (before === undefined || after === undefined) return { otherwise: new Set(), anew: new Set() }
  const assigned = (side: 'before' | 'after') =>
    effectsOf(readerOf(functions, side), side === 'before' ? before : after).flatMap(({ kind, how, object, member }) =>
      kind === 'write' && member !== '' && /^struct /.test(object) && how.startsWith('= ')
        ? [{ name: `${object}.${member}`, how }]
        : [],
    )
  const [old, young] = [assigned('before'), assigned('after')]
  const howsOf = (list: typeof old, name: string) =>
    [...new Set(list.flatMap((one) => (one.name === name ? [one.how] : [])))].sort().join('\n')
  const names = [...new Set(young.map(({ name }) => name))]
  const otherwise = names.filter((name) => howsOf(young, name) !== howsOf(old, name))
  return { otherwise: new Set(otherwise), anew: new Set(otherwise.filter((name) => howsOf(old, name) !== '')) }
}

/** Reads what the changed functions call, as far as it is followed; it is kept. */
export function readCallees(functions: ChangedFunctions): void {
  for (const of of functions.all) writtenOtherwise(functions, of)
}

/** @param kinds of a function that runs only for what comes, what is there already; undefined for others */
export function partialInitializationFindings(
  functions: ChangedFunctions,
  kinds: (name: string) => ReadonlySet<string> | undefined,
): Found[] {
  const all = functions.all.map((of) => {
    const isOnlyForNew = (kinds(of.name)?.size ?? 0) > 0
    return { of, written: writtenOtherwise(functions, of), isOnlyForNew }
  })
  return all.flatMap((maker): Found[] => {
    if (!maker.isOnlyForNew) return []
    for (const user of all) {
      if (user.isOnlyForNew || functions.isBelow(user.of.name, maker.of.name)) continue
      const typeOf = (member: string) => member.slice(0, member.lastIndexOf('.'))
      const isByUser = (member: string) => user.written.otherwise.has(member)
      const both = [...maker.written.anew].filter(isByUser)
      const types = new Set(both.map(typeOf))
      const rest = [...maker.written.anew].filter((member) => !isByUser(member) && types.has(typeOf(member)))
      if (rest.length === 0) continue
      return [
        {
          symbol: user.of.name,
          unit: user.of.file,
          functions: [maker.of.name],
          message:
            `${user.of.name} now gives ${listed(both)} another value in existing objects; ${maker.of.name} ` +
            `now gives ${listed(rest)} another value, too, but only in new objects`,
          hint: 'See whether the halves fit together, or correct what exists in a callback (INARCH_PRE_PATCH)',
        },
      ]
    }
    return []
  })
}
