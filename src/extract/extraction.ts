// SPDX-License-Identifier: GPL-3.0-or-later
// The smallest object that carries a change: the changed functions of all units, and what they need.

import type { Change } from '../diff/change.ts'
import type { Atom } from '../diff/object/split-object.ts'
import type { ObjectDraft, SymbolDraft } from '../elf/write.ts'
import type { Finding } from '../ground/finding.ts'
import type { CarriedItem } from './atom-copier.ts'
import { type CarriedCallback, carryCallbacks, type DeclaredState, declaredStates } from './callbacks.ts'
import type { GlobalDefinition } from './kernel-lookup.ts'
import { ObjectBuilder, type Reference } from './object-builder.ts'
import { notTraceable, rootsOf } from './roots.ts'
import { cut, type KernelLookup } from './unit-extractor.ts'

export type { CarriedItem, KernelLookup, Reference }

/** One changed unit and the kernel object (`vmlinux` or a module) that it is part of. */
export interface UnitChange {
  readonly change: Change
  readonly object: string
}

export interface ReplacedFunction {
  readonly object: string
  readonly unit: string
  readonly change: Change
  /** The function that runs now. */
  readonly before: Atom
  readonly symbol: SymbolDraft
  readonly reasons: readonly string[]
}

export interface Extraction {
  /** Sections and symbols; symbols of `references` are undefined in it. */
  readonly draft: ObjectDraft
  readonly replaced: readonly ReplacedFunction[]
  readonly carried: readonly CarriedItem[]
  readonly callbacks: readonly CarriedCallback[]
  readonly states: readonly DeclaredState[]
  readonly references: ReadonlyMap<SymbolDraft, Reference>
  readonly findings: readonly Finding[]
}

/**
 * @param units the changed units
 * @param surroundings what the kernel has
 */
export function extract(units: readonly UnitChange[], surroundings: KernelLookup): Extraction {
  const workshop = new ObjectBuilder()
  const findings: Finding[] = []
  const replaced: ReplacedFunction[] = []
  const carried: CarriedItem[] = []
  const peers = new Map<string, GlobalDefinition>()
  const cutters = units.map(({ change, object }) => {
    const roots = rootsOf(change, surroundings.judgesHooks ?? true)
    const cutter = cut(workshop, change, roots, object, surroundings, peers, findings, carried)
    for (const atom of change.after.atoms)
      for (const symbol of [atom.symbol, ...atom.aliases])
        if (symbol !== undefined && symbol.binding !== 'local')
          peers.set(symbol.name, { atom, object, change, carry: cutter.carry })
    return { change, object, roots, cutter }
  })
  for (const { change, object, roots, cutter } of cutters) {
    findings.push(...roots.refused.map(({ before }) => notTraceable(before.name, change.unit)))
    for (const { after } of roots.embedded)
      carried.push({
        name: after.name,
        kind: 'function',
        unit: change.unit,
        reason: 'it changes, and its callers are replaced',
      })
    for (const changed of roots.replaced) {
      const symbol = cutter.root(changed)
      if (symbol !== undefined)
        replaced.push({
          object,
          unit: change.unit,
          change,
          before: changed.before,
          symbol,
          reasons: changed.reasons,
        })
    }
  }
  const callbacks = carryCallbacks(cutters, findings)
  const states = declaredStates(
    units.map(({ change }) => change),
    findings,
  )
  // What one unit carries may need something of another one.
  while (cutters.some(({ cutter }) => cutter.drain()));
  const { references } = workshop
  return { draft: workshop.draft(), replaced, carried, callbacks, states, references, findings }
}
