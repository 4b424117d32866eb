// SPDX-License-Identifier: GPL-3.0-or-later
// The callbacks and states that the changed units declare. The kernel knows one callback of a kind for each
// object, and one version of a state for each live patch.

import type { Change } from '../diff/change.ts'
import type { CallbackKind, State } from '../diff/directives.ts'
import type { Atom } from '../diff/object/split-object.ts'
import type { SymbolDraft } from '../elf/write.ts'
import type { Finding } from '../ground/finding.ts'

export interface CarriedCallback {
  readonly kind: CallbackKind
  readonly name: string
  /** The kernel object whose coming and going it accompanies. */
  readonly object: string
  readonly unit: string
  readonly symbol: SymbolDraft
}

export interface DeclaredState extends State {
  readonly unit: string
}

/** A changed unit and the kernel object that it is part of. */
interface Declarer {
  readonly change: Pick<Change, 'directives' | 'unit'>
  readonly object: string
}

/** A changed unit that can carry its functions. */
interface Carrier extends Declarer {
  readonly extractor: { carry(atom: Atom, reason: string): SymbolDraft | undefined }
}

/** A callback that the kernel can know: one of its kind for its object. */
export interface DeclaredCallback<From> {
  readonly kind: CallbackKind
  readonly name: string
  readonly object: string
  readonly unit: string
  readonly atom: Atom
  readonly from: From
}

/** @param findings gets `duplicate-callback` */
export function declaredCallbacks<From extends Declarer>(
  units: readonly From[],
  findings: Finding[],
): DeclaredCallback<From>[] {
  const known = new Map<string, DeclaredCallback<From>>()
  for (const from of units) {
    const { change, object } = from
    for (const { kind, atom } of change.directives.callbacks) {
      const { unit } = change
      const key = `${object} ${kind}`
      const first = known.get(key)
      if (first === undefined) {
        known.set(key, { kind, name: atom.name, object, unit, atom, from })
        continue
      }
      const where = first.unit === unit ? `both in ${unit}` : `in ${first.unit} and ${unit}`
      findings.push({
        severity: 'error',
        rule: 'duplicate-callback',
        symbol: atom.name,
        unit,
        message:
          `${object} has two ${kind} callbacks, ${first.name} and ${atom.name} (${where}), and the ` +
          'kernel calls one',
        hint: 'Let one callback do the work of both',
      })
    }
  }
  return [...known.values()]
}

/**
 * Carries every callback.
 * @param findings gets `duplicate-callback`
 */
export function carryCallbacks(units: readonly Carrier[], findings: Finding[]): CarriedCallback[] {
  return declaredCallbacks(units, findings).flatMap(({ kind, name, object, unit, atom, from }) => {
    const symbol = from.extractor.carry(atom, `it is the ${kind} callback of ${object}`)
    return symbol === undefined ? [] : [{ kind, name, object, unit, symbol }]
  })
}

/**
 * @param findings gets `duplicate-state`
 * @returns the states by id, each once
 */
export function declaredStates(changes: readonly Change[], findings: Finding[]): DeclaredState[] {
  const known = new Map<number, DeclaredState>()
  for (const { directives, unit } of changes)
    for (const state of directives.states) {
      const first = known.get(state.id)
      if (first === undefined) known.set(state.id, { ...state, unit })
      else if (first.name !== state.name || first.version !== state.version)
        findings.push({
          severity: 'error',
          rule: 'duplicate-state',
          symbol: state.name,
          unit,
          message:
            `The state ${state.id} is declared twice: as ${first.name}, version ${first.version} ` +
            `(${first.unit}), and as ${state.name}, version ${state.version} (${unit})`,
          hint: 'Give each state its own id, and each a single version',
        })
    }
  return [...known.values()].sort((a, b) => a.id - b.id)
}
