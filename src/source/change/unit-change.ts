// SPDX-License-Identifier: GPL-3.0-or-later
// Gets what `sourceChangeOf` looks at for each unit that a patch changes: its text on both sides behind the
// preprocessor, the compiler's own words about it, both objects; and asks the kernel for what is to be replaced.
import os from 'node:os'
import path from 'node:path'
import pLimit from 'p-limit'
import type { CompiledPairs } from '../../build/compile.ts'
import { type BuildTrees, shadowFiles } from '../../build/compiler/compile-unit.ts'
import { dumpBefore } from '../../build/compiler/ipa-dump.ts'
import { preprocess } from '../../build/compiler/preprocess.ts'
import { makeShadow } from '../../build/kbuild/shadow-tree.ts'
import type { Unit } from '../../build/kbuild/units.ts'
import type { UnitPair } from '../../build/objects.ts'
import { Fault } from '../../ground/fault.ts'
import type { Finding } from '../../ground/finding.ts'
import { inNumbers } from '../../ground/in-numbers.ts'
import type { Job } from '../../ground/job.ts'
import { parseModuleSymbols } from '../../kernel/module-symbols.ts'
import { openModule } from '../../kernel/modules.ts'
import { readSymbols } from '../../kernel/symbols.ts'
import type { Replaced } from './replaced.ts'
import { type SourceChange, sourceChangeOf } from './source-change.ts'
import { compareUnit } from './unit-comparison.ts'

export type { SourceChange }

/**
 * Finds what must be replaced in each unit.
 * @param compiled from `compilePairs`, whose directory must still be there
 * @throws Fault `patch/does-not-preprocess`, and what `dumpBefore` throws
 */
export async function findSourceChanges(job: Job, compiled: CompiledPairs): Promise<SourceChange[]> {
  const { pairs, bench } = compiled
  if (bench === undefined || pairs.length === 0) return []
  const title = `Comparing the source of ${inNumbers(pairs.length, 'unit')}`
  return await job.journal.step(title, async (step) => {
    const units = bench.known
    const limit = pLimit(os.availableParallelism())
    let done = 0
    const found = await Promise.all(
      pairs.map((pair) =>
        limit(async () => {
          const unit = units.find(pair.unit).find(({ home }) => home !== 'elsewhere')
          if (unit === undefined) throw new Fault('unexpected', 'no-unit', `${pair.unit} is no unit`)
          const change = await sourceChange(job, bench, unit, pair)
          step.progress(`${++done} of ${pairs.length}`)
          return change
        }),
      ),
    )
    const count = found.reduce((sum, { functions }) => sum + functions.length, 0)
    step.result(`${inNumbers(count, 'function')} to replace`)
    return found
  })
}

/** Numbers that move when a line or an expression is added elsewhere are the same on both sides. */
const unnumbered = ['-w', '-D__LINE__=0', '-D__COUNTER__=0']

/** The unit's text on one side; undefined when the preprocessor can't read it. */
async function textOf(
  job: Job,
  bench: BuildTrees,
  unit: Unit,
  side: 'before' | 'after',
): Promise<string | undefined> {
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
 * @throws Fault `patch/does-not-preprocess`
 */
export async function textsOf(
  job: Job,
  bench: BuildTrees,
  unit: Unit,
): Promise<[before: string, after: string]> {
  const [before, after] = await Promise.all([
    textOf(job, bench, unit, 'before'),
    textOf(job, bench, unit, 'after'),
  ])
  if (before === undefined || after === undefined)
    throw new Fault(
      'patch',
      'does-not-preprocess',
      `${unit.source} compiles, but the preprocessor alone can't read it`,
      { remedy: 'Build this fix with --engine binary' },
    )
  return [before, after]
}

async function sourceChange(job: Job, bench: BuildTrees, unit: Unit, pair: UnitPair): Promise<SourceChange> {
  const name = pair.unit
  const object = pair.module ?? 'vmlinux'
  if (pair.before === undefined)
    throw new Fault('refused', 'new-unit', `${name} is new, and kbuild does not know it`)
  const [[before, after], dump] = await Promise.all([
    textsOf(job, bench, unit),
    dumpBefore(job, bench, unit, pair.before),
  ])
  const compared = await compareUnit(job, bench, unit, pair)
  const change = sourceChangeOf({ unit: name, object, before, after, dump, compared }, bench.changes)
  const missing = await missingSymbols(bench, name, object, change.functions)
  return { ...change, findings: [...change.findings, ...missing] }
}

/** Functions that the kernel itself does not have: then its source is not this one. */
async function missingSymbols(
  { kernel }: BuildTrees,
  unit: string,
  object: string,
  replaced: readonly Replaced[],
): Promise<Finding[]> {
  if (replaced.length === 0) return []
  const { lookup } =
    object === 'vmlinux' ? await readSymbols(kernel) : parseModuleSymbols(await openModule(kernel, object))
  return replaced
    .filter(({ symbol }) => lookup(symbol).length === 0)
    .map(
      ({ symbol }): Finding => ({
        severity: 'error',
        rule: 'no-symbol',
        symbol,
        unit,
        message: `${object} has no symbol ${symbol}`,
        hint: 'Check that the kernel is the one the source belongs to',
      }),
    )
}
