// SPDX-License-Identifier: GPL-3.0-or-later
// Cuts what a change needs out of one patched unit: cargo.ts carries, linkage.ts says where references lead, and
// by that what is to be carried next.

import type { Change, FunctionChange } from '../diff/change.ts'
import type { Atom } from '../diff/object/split-object.ts'
import type { SymbolDraft } from '../elf/write.ts'
import type { Finding } from '../ground/finding.ts'
import { type AtomCopier, type CarriedItem, copierOf } from './atom-copier.ts'
import { type GlobalDefinition, referencesOf } from './kernel-lookup.ts'
import type { ObjectBuilder } from './object-builder.ts'
import type { Roots } from './roots.ts'
import type { UnitExtraction } from './unit-extraction.ts'

/** What the extraction must know about the kernel. */
export interface KernelLookup {
  /** True when the kernel object has a symbol of this name, exported or not. */
  has(object: string, name: string): boolean
  /** True when it has only one; without it, when it has one. */
  isOnly?(object: string, name: string): boolean
  /** False when the objects tell nothing about ftrace: then every function may be replaced. */
  readonly judgesHooks?: boolean
}

export interface UnitExtractor {
  /** Carries a changed function; undefined when it can't be replaced (a finding says why). */
  root(changed: FunctionChange): SymbolDraft | undefined
  /** Carries a new function or datum that another unit refers to. */
  carry(atom: Atom, reason: string): SymbolDraft | undefined
  /** Carries everything that the carried code needs. @returns true when there was something to do */
  drain(): boolean
}

export function cut(
  workshop: ObjectBuilder,
  change: Change,
  roots: Roots,
  object: string,
  surroundings: KernelLookup,
  peers: ReadonlyMap<string, GlobalDefinition>,
  findings: Finding[],
  carried: CarriedItem[],
): UnitExtractor {
  const { unit } = change
  const said = new Set<string>()
  const error = (rule: string, symbol: string, message: string, hint: string) => {
    if (said.has(message)) return
    said.add(message)
    findings.push({ severity: 'error', rule, symbol, unit, message, hint })
  }
  const hasSymbol = (name: string) => surroundings.has(object, name)
  const isOnly = (name: string) => surroundings.isOnly?.(object, name) ?? hasSymbol(name)
  const isKept = (atom: Atom) => {
    const name = change.correlation.counterpartOf(atom)?.name
    if (name === undefined || !hasSymbol(name)) return false
    return change.keptTables.has(atom) || (change.keptConstants.has(atom) && isOnly(name))
  }
  const cutting: UnitExtraction = { workshop, change, object, isKept, error }
  const linkage = referencesOf(cutting, { roots, peers, hasSymbol }, () => cargo)
  const cargo: AtomCopier = copierOf(cutting, carried, linkage.convert)

  return {
    carry(atom, reason) {
      if (cargo.symbolOf(atom) === undefined)
        if (atom.kind === 'function') {
          cargo.tell(atom, reason)
          return cargo.carryFunction(atom)
        } else cargo.carryData(atom, reason)
      return cargo.symbolOf(atom)
    },
    root(changed) {
      const { before, after: atom } = changed
      if (!hasSymbol(before.name)) {
        error(
          'not-in-kernel',
          before.name,
          `${before.name} changes, but ${object} has no such symbol`,
          'Check that the kernel is the one the source belongs to',
        )
        return undefined
      }
      return cargo.carryFunction(atom)
    },
    drain() {
      const some = cargo.drain()
      for (const { name } of linkage.takeHandedOn())
        findings.push({
          severity: 'warning',
          rule: 'address-of-new-function',
          symbol: name,
          unit,
          message:
            `The address of the new function ${name} is handed on; if something keeps it (a timer, a ` +
            'work, a table), it leads nowhere after the patch is unloaded',
          hint: 'Undo in a callback (INARCH_PRE_UNPATCH) what the patched code has set up, or do not unload the patch',
        })
      return some
    },
  }
}
