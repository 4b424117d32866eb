// SPDX-License-Identifier: GPL-3.0-or-later
// A unit's text on both sides behind the preprocessor, taken apart, for the rules that need to know what a unit
// declares.
import os from 'node:os'
import pLimit from 'p-limit'
import type { BuildTrees } from '../../build/compiler/compile-unit.ts'
import type { Unit } from '../../build/kbuild/units.ts'
import { type Outline, outline } from '../../c/expanded/outline.ts'
import type { Job } from '../../ground/job.ts'
import { preprocessedTexts } from '../../source/change/unit-texts.ts'
import type { StudiedUnit, Subject } from '../subject/subject.ts'

export interface UnitTexts {
  readonly before: Outline
  readonly after: Outline
}

/** As many at a time as there are processors, whichever rule asks. */
const limit = pLimit(os.availableParallelism())

/** @throws Fault `patch/does-not-preprocess` when the preprocessor alone can't read what the compiler can */
export async function readTexts(unit: Unit, job: Job, bench: BuildTrees): Promise<UnitTexts> {
  const [before, after] = await limit(() => preprocessedTexts(job, bench, unit))
  return { before: outline(before), after: outline(after) }
}

/** `readTexts`, once for each unit of a fix. */
export function unitTexts(job: Job, { facts, bench }: Subject, { unit }: StudiedUnit): Promise<UnitTexts> {
  return facts.once(readTexts, unit, job, bench)
}
