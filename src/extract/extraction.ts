// SPDX-License-Identifier: GPL-3.0-or-later
// The smallest object that carries a change: the changed functions of all units, and what they need.

import type { Change } from '../diff/change.ts'
import type { Atom } from '../diff/object/split-object.ts'
import type { ObjectDraft, SymbolDraft } from '../elf/write.ts'
import type { Finding } from '../ground/finding.ts'
import { type CarriedCallback, type DeclaredState, declaredCallbacks, declaredStates } from './callbacks.ts'
import {
  type GlobalDefinition,
  globalDefinitions,
  type KernelLookup,
  type UnitChange,
  UnitLookup,
} from './kernel-lookup.ts'
import { ObjectBuilder, type Reference } from './object-builder.ts'
import { notTraceable, rootsOf } from './roots.ts'
import { type CarriedItem, UnitExtractor } from './unit-extractor.ts'

export type { CarriedItem, KernelLookup, Reference, UnitChange }

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
 * @param kernel what the kernel has
 */
export function extract(units: readonly UnitChange[], kernel: KernelLookup): Extraction {
  const builder = new ObjectBuilder()
  const findings: Finding[] = []
  const replaced: ReplacedFunction[] = []
  const carried: CarriedItem[] = []
  const definitions = globalDefinitions(units)
  const extractors = new Map<Change, UnitExtractor>()
  const carry = ({ change, atom }: Pick<GlobalDefinition, 'change' | 'atom'>, reason: string) =>
    extractors.get(change)?.carry(atom, reason)
  const output = { builder, carried, findings, carryDefinition: carry }
  const opened = units.map((one) => {
    const roots = rootsOf(one.change, kernel.judgesHooks ?? true, kernel.needsHooks ?? true)
    const extractor = new UnitExtractor(new UnitLookup(kernel, one, roots, definitions), output)
    extractors.set(one.change, extractor)
    return { ...one, roots, extractor }
  })
  for (const { change, object, roots, extractor } of opened) {
    const { unit } = change
    findings.push(...roots.refused.map(({ before }) => notTraceable(before.name, unit)))
    for (const { after } of roots.embedded)
      carried.push({ name: after.name, kind: 'function', unit, reason: 'it changes, and its callers are replaced' })
    for (const changed of roots.replaced) {
      const symbol = extractor.root(changed)
      const { before, reasons } = changed
      if (symbol !== undefined) replaced.push({ object, unit, change, before, symbol, reasons })
    }
  }
  const callbacks = declaredCallbacks(units, findings).flatMap((one) => {
    const { kind, name, object, unit } = one
    const symbol = carry(one, `it is the ${kind} callback of ${object}`)
    return symbol === undefined ? [] : [{ kind, name, object, unit, symbol }]
  })
  const states = declaredStates(units, findings)
  // What one unit carries may need something of another one.
  while (opened.some(({ extractor }) => extractor.drain()));
  const { references } = builder
  return { draft: builder.draft(), replaced, carried, callbacks, states, references, findings }
}
