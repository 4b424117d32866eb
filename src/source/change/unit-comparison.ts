// SPDX-License-Identifier: GPL-3.0-or-later
// A unit's two objects, compared once for both engines, so that they take the same variable for the same. Where the
// objects alone leave a choice, or a variable may have been declared anew, the unit's source is asked.
import { readFileSync } from 'node:fs'
import type { BuildTrees } from '../../build/compiler/compile-unit.ts'
import type { Unit, Units } from '../../build/kbuild/units.ts'
import type { UnitPair } from '../../build/objects.ts'
import { type Change, compareObjects } from '../../diff/change.ts'
import { withoutExitCode } from '../../diff/exit-code.ts'
import { readObject } from '../../elf/read.ts'
import type { UnitChange } from '../../extract/extraction.ts'
import { Fault } from '../../ground/fault.ts'
import type { Job } from '../../ground/job.ts'
import { inheritedVariables, mayBeRedeclared, retypedVariables } from './redeclared.ts'
import { needsDeclarations, unitDeclarations } from './static-declarations.ts'

/** A unit that a fix changes: how kbuild compiles it, its two objects, and how they differ. */
export interface ComparedUnit extends UnitChange {
  readonly unit: Unit
  readonly pair: UnitPair & { readonly before: string }
}

/**
 * @param bench on which the pair was made; undefined when there is no source to ask
 * @throws Fault `refused/new-unit`
 */
export async function compareUnit(
  job: Job,
  bench: BuildTrees | undefined,
  units: Units,
  pair: UnitPair,
): Promise<ComparedUnit> {
  const { before, unit: source } = pair
  const unit = units.find(source).find(({ home }) => home !== 'elsewhere')
  if (unit === undefined || before === undefined)
    throw new Fault('refused', 'new-unit', `${source} is new, and kbuild does not know it`)
  const whole = { ...pair, before }
  return {
    unit,
    pair: whole,
    change: await compare(job, bench, unit, whole),
    object: pair.module ?? 'vmlinux',
  }
}

async function compare(
  job: Job,
  bench: BuildTrees | undefined,
  unit: Unit,
  { before, after, unit: source, module }: ComparedUnit['pair'],
): Promise<Change> {
  const [b, a] = [
    readObject(readFileSync(before), `${source} (before)`),
    readObject(readFileSync(after), `${source} (after)`),
  ]
  const running = (change: Change) => (module === undefined ? withoutExitCode(change) : change)
  const change = compareObjects(b, a, source)
  if (bench === undefined || !(needsDeclarations(change) || mayBeRedeclared(change, bench.changes)))
    return running(change)
  const declarations = await unitDeclarations(job, bench, unit, change)
  if (declarations === undefined) return running(change)
  const told = compareObjects(b, a, source, undefined, declarations.identities)
  const findings = [...retypedVariables(told, declarations), ...inheritedVariables(told, declarations)]
  return running({ ...told, findings: [...told.findings, ...findings] })
}
