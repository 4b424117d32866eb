// SPDX-License-Identifier: GPL-3.0-or-later
// The callbacks and states that the changed units declare. The kernel knows one callback of a kind for each
// object, and one version of a state for each live patch.

import type { Change } from '../diff/change.ts'
import type { CallbackKind, State } from '../diff/directives.ts'
import type { Atom } from '../diff/object/split-object.ts'
import type { SymbolDraft } from '../elf/write.ts'
import type { Finding } from '../ground/finding.ts'
import type { UnitChange } from './kernel-lookup.ts'

/**
 * The macros by which a patch declares a callback: `INARCH_PRE_PATCH`, kpatch's `KPATCH_PRE_PATCH_CALLBACK`
 * (kmod/patch/kpatch-macros.h) and the kernel's `KLP_PRE_PATCH_CALLBACK` (include/linux/livepatch_helpers.h).
 */
export function callbackMacros(kind: CallbackKind): string[] {
  const what = kind.toUpperCase()
  return [`INARCH_${what}`, `KPATCH_${what}_CALLBACK`, `KLP_${what}_CALLBACK`]
}

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

/** A callback that the kernel can know: one of its kind for its object. */
export interface DeclaredCallback extends Omit<CarriedCallback, 'symbol'> {
  readonly atom: Atom
  readonly change: Change
}

/** @param findings gets `duplicate-callback` */
export function declaredCallbacks(units: readonly UnitChange[], findings: Finding[]): DeclaredCallback[] {
  const known = new Map<string, DeclaredCallback>()
  for (const { change, object } of units)
    for (const { kind, atom } of change.directives.callbacks) {
      const { unit } = change
      const { name } = atom
      const key = `${object} ${kind}`
      const first = known.get(key)
      if (first === undefined) {
        known.set(key, { kind, name, object, unit, atom, change })
        continue
      }
      const where = first.unit === unit ? `both in ${unit}` : `in ${first.unit} and ${unit}`
      findings.push({
        severity: 'error',
        rule: 'duplicate-callback',
        symbol: name,
        unit,
        message:
          `${object} has two ${kind} callbacks, ${first.name} and ${name} (${where}), and the ` + 'kernel calls one',
        hint: 'Let one callback do the work of both',
      })
    }
  return [...known.values()]
}

/**
 * @param findings gets `duplicate-state`
 * @returns the states by id, each once
 */
export function declaredStates(units: readonly UnitChange[], findings: Finding[]): DeclaredState[] {
  const known = new Map<number, DeclaredState>()
  for (const {
    change: { directives, unit },
  } of units)
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
