// SPDX-License-Identifier: GPL-3.0-or-later
// A header that most of the kernel includes may change thousands of units, and to compile them takes hours. When the
// layout of a type changes of which the kernel has objects, the patch is refused whatever they become, and one unit
// shows it.
import type { BuildTrees } from '../build/compiler/compile-unit.ts'
import type { Unit } from '../build/kbuild/units.ts'
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import { layoutsFound, layoutsTogether } from './rules/interfaces/type-layout.ts'
import { mayChangeTypes } from './types/may-change-types.ts'
import { readTexts, type UnitTexts } from './types/unit-outlines.ts'
import { compileBothTypes } from './types/unit-types.ts'

/** The types, as they are named, whose layout refuses the patch in one of the units. */
export async function refusingLayouts(job: Job, bench: BuildTrees, units: readonly Unit[]): Promise<string[]> {
  const isWorthIt = bench.changes.some((one) => one.path.endsWith('.h') && mayChangeTypes(one).types)
  if (!isWorthIt) return []
  const found = new Set<string>()
  for (const unit of units) {
    const texts = await textsIfRead(job, bench, unit)
    const types = texts && (await compileBothTypes(job, bench, unit, texts))
    if (texts === undefined || types === undefined) continue
    for (const [name, { severity }] of layoutsTogether(layoutsFound(unit.source, texts, types, [])))
      if (severity === 'error') found.add(name)
  }
  return [...found]
}

/** What can't be preprocessed is for the compiler to explain. */
async function textsIfRead(job: Job, bench: BuildTrees, unit: Unit): Promise<UnitTexts | undefined> {
  try {
    return await readTexts(unit, job, bench)
  } catch (error) {
    if (error instanceof Fault && error.code === 'does-not-preprocess') return undefined
    throw error
  }
}
