// SPDX-License-Identifier: GPL-3.0-or-later
// A header that most of the kernel includes may change thousands of units, and to compile them takes hours. When the
// layout of a type changes of which the kernel has objects, the patch is refused whatever they become, and one unit
// shows it.
import type { BuildTrees } from '../build/compiler/compile-unit.ts'
import type { Unit } from '../build/kbuild/units.ts'
import { outline } from '../c/expanded/outline.ts'
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import { preprocessedTexts } from '../source/change/unit-texts.ts'
import { layoutsFound } from './rules/interfaces/type-layout.ts'
import { mayChangeTypes } from './types/may-change-types.ts'
import type { UnitTexts } from './types/unit-outlines.ts'
import { compileTypes } from './types/unit-types.ts'

/** The types, as they are named, whose layout refuses the patch in one of the units. */
export async function refusingLayouts(job: Job, bench: BuildTrees, units: readonly Unit[]): Promise<string[]> {
  const isWorthIt = bench.changes.some((one) => one.path.endsWith('.h') && mayChangeTypes(one).types)
  if (!isWorthIt) return []
  const found = new Set<string>()
  for (const unit of units) {
    const texts = await textsIfRead(job, bench, unit)
    if (texts === undefined) continue
    const [before, after] = await Promise.all([
      compileTypes(job, bench, unit, 'before', texts.before),
      compileTypes(job, bench, unit, 'after', texts.after),
    ])
    if (before === undefined || after === undefined) continue
    for (const [name, { severity }] of layoutsFound(unit.source, texts, { before, after }, []))
      if (severity === 'error') found.add(name)
  }
  return [...found]
}

/** What can't be preprocessed is for the compiler to explain. */
async function textsIfRead(job: Job, bench: BuildTrees, unit: Unit): Promise<UnitTexts | undefined> {
  try {
    const [before, after] = await preprocessedTexts(job, bench, unit)
    return { before: outline(before), after: outline(after) }
  } catch (error) {
    if (error instanceof Fault && error.code === 'does-not-preprocess') return undefined
    throw error
  }
}
