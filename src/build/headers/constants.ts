// SPDX-License-Identifier: GPL-3.0-or-later
// Numbers that the build takes from C for assembly and for other headers (offsets of members, bounds):
// kernel/bounds.c and the architecture's asm-offsets.c. They are built into code that no live patch
// replaces, so a header that changes one of them is refused.
import { mkdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Finding } from '../../ground/finding.ts'
import type { Job } from '../../ground/job.ts'
import { mostFrequent } from '../../ground/values/grouped.ts'
import type { FileChange } from '../../patch/patch.ts'
import { macroHeaders } from '../compiler/author-macros.ts'
import { PatchErrors, sourceError } from '../compiler/compile-errors.ts'
import type { BuildTrees } from '../compiler/compile-unit.ts'
import { runCompiler } from '../compiler/compiler-run.ts'
import type { Unit, Units } from '../kbuild/units.ts'
import { includersOf, narrowUnits } from './header-units.ts'
import { constantSources, type Survey } from './survey.ts'

/** The flags that most units beside a file have, where none is made of it by the usual rule. */
function unitBeside(units: readonly Unit[], source: string): Unit | undefined {
  const dir = path.posix.dirname(source)
  const beside = units.filter(
    (unit) => path.posix.dirname(unit.source) === dir && unit.home !== 'elsewhere' && unit.standard,
  )
  const usual = mostFrequent(beside, ({ flags = [] }) => flags.filter((flag) => !/KBUILD_/.test(flag)).join('\n'))
  return usual && { ...usual, source, argument: source, object: source.replace(/\.c$/, '.s'), home: 'elsewhere' }
}

/** The lines of the assembly that carry the numbers. */
async function numbersOf(job: Job, bench: BuildTrees, unit: Unit, side: 'before' | 'after'): Promise<string[]> {
  const output = path.join(bench.dir, 'constants', side, unit.object)
  await mkdir(path.dirname(output), { recursive: true })
  const flags = (unit.flags ?? []).filter((flag) => !/^-g/.test(flag))
  const run = await runCompiler(
    job,
    bench.kernel.compiler.program,
    [...flags, ...macroHeaders().flags, '-S', '-o', output, unit.argument],
    {
      cwd: side === 'before' ? bench.kernel.source : bench.shadow,
      temporary: path.join(bench.dir, 'tmp'),
    },
  )
  if (!run.ok)
    throw side === 'before'
      ? sourceError(bench.kernel, unit, run.messages)
      : new PatchErrors(bench.kernel, unit, bench.changes, run.messages)
  return (await readFile(output, 'latin1')).split('\n').filter((line) => line.includes('->'))
}

/** Refuses headers that change a number which the running kernel's assembly was built with. */
export async function checkConstants(
  job: Job,
  bench: BuildTrees,
  survey: Survey,
  units: Units,
  headers: readonly FileChange[],
): Promise<Finding[]> {
  const sources = [...includersOf(survey, headers)].filter((file) => constantSources.test(file))
  const all = sources.length === 0 ? [] : units.all()
  const unitsOf = sources.flatMap((source) => unitBeside(all, source) ?? [])
  const reached = await narrowUnits(job, bench, unitsOf)
  const findings: Finding[] = []
  for (const unit of reached) {
    const before = await numbersOf(job, bench, unit, 'before')
    const after = await numbersOf(job, bench, unit, 'after')
    const changed = after.filter((line) => !before.includes(line))
    if (before.join('\n') === after.join('\n')) continue
    const names = changed.map((line) => /->(\w+)/.exec(line)?.[1] ?? '').filter((name) => name !== '')
    findings.push({
      severity: 'error',
      rule: 'generated-constants',
      unit: unit.source,
      message:
        `The headers change numbers that the kernel's assembly and other headers are built with ` +
        `(${names.join(', ') || unit.source})`,
      hint: 'Leave the layout of these types as it is; this fix needs a reboot otherwise',
    })
  }
  return findings
}
