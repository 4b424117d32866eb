// SPDX-License-Identifier: GPL-3.0-or-later
// What the tables of a live patch's source say: names of its own for the functions that replace others, and the
// position of each replaced one, told by its code.
import path from 'node:path'
import type { DeclaredCallback } from '../../extract/callbacks.ts'
import type { Finding } from '../../ground/finding.ts'
import type { KernelNames } from '../../match/names.ts'
import type { SourceChange } from '../../source/change/source-change.ts'
import type { PlannedObject } from '../../source/directory/plan.ts'
import { Binder } from '../bind/bind.ts'

/** The name of a unit's function in the live patch. */
export type Rename = (unit: string, name: string) => string

/** What each replaced function or callback is called; two units may each have one of the same name. */
export function renaming(changes: readonly SourceChange[]): Rename {
  const units = new Map<string, Set<string>>()
  for (const { unit, functions, compared } of changes)
    for (const name of [
      ...functions.map((one) => one.name),
      ...compared.directives.callbacks.map(({ atom }) => atom.name),
    ])
      units.set(name, (units.get(name) ?? new Set()).add(unit))
  return (unit, name) =>
    (units.get(name)?.size ?? 0) < 2
      ? `livepatch_${name}`
      : `livepatch_${path.posix.basename(unit, '.c').replace(/\W/g, '_')}_${name}`
}

/**
 * The tables, by kernel object, vmlinux first.
 * @param positionFor the position by which the kernel is asked for a function of an object at another one
 * @param findings gets what keeps a function from being replaced
 */
export function planObjects(
  used: readonly SourceChange[],
  callbacks: readonly DeclaredCallback[],
  names: KernelNames,
  rename: Rename,
  positionFor: (object: string, position: number) => number,
  findings: Finding[],
): PlannedObject[] {
  const objects = [...new Set(used.map(({ object }) => object))].sort(
    (a, b) => Number(b === 'vmlinux') - Number(a === 'vmlinux') || (a < b ? -1 : 1),
  )
  return objects.map((object) => ({
    name: object,
    functions: used
      .filter((one) => one.object === object)
      .flatMap(({ unit, functions, compared: { before } }) =>
        functions.flatMap(({ name, symbol, reasons }) => {
          const atom = before.functions.find((one) =>
            [one.symbol, ...one.aliases].some((candidate) => candidate?.name === symbol),
          )
          const binder = new Binder(names)
          const position = atom && binder.replacement(object, atom, { unit, before })
          findings.push(...binder.findings.map(({ finding }) => finding))
          if (position === undefined) return []
          const replacement = rename(unit, name)
          return [{ oldName: symbol, replacement, position: positionFor(object, position), unit, reasons }]
        }),
      ),
    callbacks: callbacks
      .filter((one) => one.object === object)
      .map(({ kind, name, unit }) => ({ kind, name: rename(unit, name) })),
  }))
}
