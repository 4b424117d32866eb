// SPDX-License-Identifier: GPL-3.0-or-later
// The text of a unit behind the preprocessor, before and after the fix.
import path from 'node:path'
import { type BuildTrees, shadowFiles } from '../../build/compiler/compile-unit.ts'
import { preprocess } from '../../build/compiler/preprocess.ts'
import { makeShadow } from '../../build/kbuild/shadow-tree.ts'
import type { Unit } from '../../build/kbuild/units.ts'
import { Fault } from '../../ground/fault.ts'
import type { Job } from '../../ground/job.ts'
import { refuseDigraphs } from '../view/digraphs.ts'

/** Numbers that move when a line or an expression is added elsewhere are the same on both sides. */
const unnumbered = ['-w', '-D__LINE__=0', '-D__COUNTER__=0']

/** The unit's text on one side; undefined when the preprocessor can't read it. */
async function textOf(job: Job, bench: BuildTrees, unit: Unit, side: 'before' | 'after'): Promise<string | undefined> {
  const { kernel, changes } = bench
  const output = path.join(bench.dir, 'text', side, `${unit.object}.i`)
  const own = side === 'before' ? [] : shadowFiles(kernel, [unit], changes, true)
  const tree = side === 'before' ? kernel.source : bench.shadow
  const text = await preprocess(job, kernel, unit, tree, output, unnumbered)
  if (text !== undefined) return text
  // As when it is compiled: what a program of kbuild would have made is missing.
  const generated = await bench.generated(unit)
  if (generated.length === 0) return undefined
  const whole = `${output}.tree`
  makeShadow(kernel.source, whole, [...generated, ...own], bench.climbed)
  return await preprocess(job, kernel, unit, whole, output, unnumbered)
}

/**
 * The unit's text on both sides behind the preprocessor, with line markers.
 * @throws Fault `patch/does-not-preprocess`, `patch/digraphs`
 */
export async function preprocessedTexts(
  job: Job,
  bench: BuildTrees,
  unit: Unit,
): Promise<[before: string, after: string]> {
  const [before, after] = await Promise.all([textOf(job, bench, unit, 'before'), textOf(job, bench, unit, 'after')])
  if (before === undefined || after === undefined)
    throw new Fault(
      'patch',
      'does-not-preprocess',
      `${unit.source} compiles, but the preprocessor alone can't read it`,
      { remedy: 'Build this fix with --engine binary' },
    )
  for (const text of [before, after]) refuseDigraphs({ file: unit.source, flags: unit.flags ?? [] }, text)
  return [before, after]
}
