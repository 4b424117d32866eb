// SPDX-License-Identifier: GPL-3.0-or-later
// Gets what `sourceChangeOf` looks at for each unit that a patch changes: its text on both sides behind the
// preprocessor, the compiler's own words about it, both objects; and asks the kernel for what is to be replaced.
import os from 'node:os'
import pLimit from 'p-limit'
import type { BuildTrees } from '../../build/compiler/compile-unit.ts'
import { dumpBefore } from '../../build/compiler/ipa-dump.ts'
import type { Finding } from '../../ground/finding.ts'
import { inNumbers } from '../../ground/in-numbers.ts'
import type { Job } from '../../ground/job.ts'
import { parseModuleSymbols } from '../../kernel/module-symbols.ts'
import { openModule } from '../../kernel/modules.ts'
import { readSymbols } from '../../kernel/symbols.ts'
import type { Replaced } from './replaced.ts'
import { type SourceChange, sourceChangeOf } from './source-change.ts'
import type { ComparedUnit } from './unit-comparison.ts'
import { preprocessedTexts } from './unit-texts.ts'

/**
 * Finds what must be replaced in each unit.
 * @param bench on which the units were compiled; its directory must still be there
 * @throws Fault `patch/does-not-preprocess`, and what `dumpBefore` throws
 */
export async function findSourceChanges(
  job: Job,
  bench: BuildTrees | undefined,
  units: readonly ComparedUnit[],
): Promise<SourceChange[]> {
  if (bench === undefined || units.length === 0) return []
  const title = `Comparing the source of ${inNumbers(units.length, 'unit')}`
  return await job.journal.step(title, async (step) => {
    const limit = pLimit(os.availableParallelism())
    let done = 0
    const found = await Promise.all(
      units.map((unit) =>
        limit(async () => {
          const change = await sourceChange(job, bench, unit)
          step.progress(`${++done} of ${units.length}`)
          return change
        }),
      ),
    )
    const count = found.reduce((sum, { functions }) => sum + functions.length, 0)
    step.result(`${inNumbers(count, 'function')} to replace`)
    return found
  })
}

async function sourceChange(
  job: Job,
  bench: BuildTrees,
  { unit, pair, change: compared, object }: ComparedUnit,
): Promise<SourceChange> {
  const [[before, after], dump] = await Promise.all([
    preprocessedTexts(job, bench, unit),
    dumpBefore(job, bench, unit, pair.before),
  ])
  const change = sourceChangeOf({ unit: pair.unit, object, before, after, dump, compared }, bench.changes)
  const missing = await missingSymbols(bench, pair.unit, object, change.functions)
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
