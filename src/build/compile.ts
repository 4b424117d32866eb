// SPDX-License-Identifier: GPL-3.0-or-later
// From the changed files to a pair of objects for each unit whose code may change: the C files themselves,
// and what the changed headers reach.
import { readFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import pLimit from 'p-limit'
import type { Finding } from '../ground/finding.ts'
import { inNumbers } from '../ground/in-numbers.ts'
import type { Job } from '../ground/job.ts'
import { toldFirst } from '../ground/listed.ts'
import { checkCompiler } from '../kernel/compiler.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { FileChange } from '../patch/patch.ts'
import { classifyChanges, objections } from './classify-changes.ts'
import { allErrors, PatchErrors } from './compiler/compile-errors.ts'
import { type BuildTrees, compileAfter, compileBefore, shadowFiles } from './compiler/compile-unit.ts'
import { compilerIdentity } from './compiler/compiler.ts'
import { assemblyUnits, checkAssembly } from './headers/assembly.ts'
import { checkConstants } from './headers/constants.ts'
import { climbedDirectories, findCandidates, narrowUnits } from './headers/header-units.ts'
import { openSurvey, type Survey } from './headers/survey.ts'
import { makeShadow } from './kbuild/shadow-tree.ts'
import { openUnits, type Unit, type Units } from './kbuild/units.ts'
import type { UnitPair } from './objects.ts'
import { openBuildTrees } from './unpatched-units.ts'

/** How the units were found that had to be compiled. */
export interface Scope {
  /** Units that the patch changes, or that may include a header that it changes. */
  readonly considered: number
  /** Of these: may need what changes in a header, so that their text was compared after the preprocessor. */
  readonly preprocessed: number
  readonly compiled: number
}

export interface CompiledPairs {
  readonly pairs: readonly UnitPair[]
  /** About files that are no unit. With an `error` among them nothing was compiled, or not all. */
  readonly findings: readonly Finding[]
  readonly scope: Scope
  /** Both trees, as long as the directory lives; absent when nothing was compiled. */
  readonly bench?: BuildTrees
}

/**
 * What a few units show already that refuses the patch, whatever becomes of the others.
 * @returns what it is about, in words: `struct mm_struct`
 */
export type SeesRefusal = (bench: BuildTrees, units: readonly Unit[]) => Promise<readonly string[]>

/** With more units that a header may change, it pays to ask a few of them first. */
const many = 40

/** A unit whose two objects there are. */
interface CompiledUnit {
  readonly unit: Unit
  readonly before: string
  readonly after: string
}

function isC(unit: Unit): boolean {
  return unit.source.endsWith('.c')
}

/** Compiles units on both sides, on all processors. */
async function compileAll(job: Job, bench: BuildTrees, units: readonly Unit[]): Promise<CompiledUnit[]> {
  const title = `Compiling ${inNumbers(units.length, 'unit')} before and after the patch`
  return await job.journal.step(title, async (step) => {
    const limit = pLimit(os.availableParallelism())
    let done = 0
    const one = async (work: () => Promise<string>): Promise<string> => {
      const object = await limit(work)
      step.progress(`${++done} of ${units.length * 2} objects`)
      return object
    }
    // The source's own fault is told first: it explains the patched side's.
    const results = await Promise.allSettled(
      units.flatMap((unit) => [one(() => compileBefore(job, bench, unit)), one(() => compileAfter(job, bench, unit))]),
    )
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    const other = failures.find((reason) => !(reason instanceof PatchErrors))
    if (other !== undefined) throw other
    if (failures.length > 0) throw allErrors(failures)
    const objects = results.map((result) => (result as PromiseFulfilledResult<string>).value)
    step.result(inNumbers(units.length, 'unit'))
    return units.map((unit, i) => ({ unit, before: objects[2 * i]!, after: objects[2 * i + 1]! }))
  })
}

async function isChanged({ before, after }: CompiledUnit): Promise<boolean> {
  return !(await readFile(before)).equals(await readFile(after))
}

/** What there is to say about units that only a header changes, and really does. */
function findingsOf(units: Units, changed: readonly CompiledUnit[], others: number): Finding[] {
  const reachable = changed.filter(({ unit }) => unit.home !== 'elsewhere')
  return changed.flatMap(({ unit }) => objections(unit, units.find(unit.source), reachable.length + others > 0))
}

/** What the headers among the changes need to be compiled. */
async function findReached(
  job: Job,
  bench: BuildTrees,
  candidates: readonly Unit[],
  considered: number,
): Promise<Unit[]> {
  const title = `Comparing what ${inNumbers(candidates.length, 'unit')} of ${considered} include`
  return await job.journal.step(title, async (step) => {
    const reached = await narrowUnits(job, bench, candidates, (done) =>
      step.progress(`${done} of ${inNumbers(candidates.length, 'unit')}`),
    )
    step.result(`${inNumbers(reached.length, 'unit')} to compile`)
    return reached
  })
}

/** The few units that show that the patch is refused, before all that include a header are looked at. */
async function refusedBy(
  bench: BuildTrees,
  own: readonly Unit[],
  candidates: readonly Unit[],
  sees: SeesRefusal,
): Promise<{ units: readonly Unit[]; finding: Finding } | undefined> {
  if (candidates.length <= many) return undefined
  for (const units of [own, candidates.slice(0, 2)]) {
    const about = units.length === 0 ? [] : await sees(bench, units)
    if (about.length === 0) continue
    const looked = units === own ? [] : units
    const left = candidates.length - looked.length
    const message =
      `${toldFirst(about)} changes for data that are there, which refuses the patch whatever ` +
      `becomes of ${left} more units that may need it; they were not compiled, and what else they would say is not told`
    return {
      units: looked,
      finding: {
        severity: 'error',
        rule: 'not-all-compiled',
        message,
        hint:
          'Leave the layout as it is: put what is new into a shadow variable (docs/authoring.md, ' +
          '“Shadow variables”)',
      },
    }
  }
  return undefined
}

/**
 * Compiles every unit that the changes touch, before and after, on all processors.
 * @param changes from `applyPatches`
 * @param dir an empty directory for the objects, such as a scratch directory; they live as long as it
 * @param meanwhile what can be done while the first compilers run; nobody waits for it, and it must not fail
 * @param sees asked when a header may change many units
 * @throws Fault `patch/compile-error` with the patch's lines, `patch/compiler-exhausted`, `refused/reads-outside`;
 * `environment/generated-file-missing`,
 *   `source-does-not-compile`, `kbuild-failed`, `program-missing`
 */
export async function compilePairs(
  job: Job,
  kernel: Kernel,
  changes: readonly FileChange[],
  dir: string,
  meanwhile: (units: Units) => void = () => {},
  sees: SeesRefusal = async () => [],
): Promise<CompiledPairs> {
  const [checked, opened] = await Promise.allSettled([
    checkCompiler(kernel, job.signal),
    openUnits(job, kernel),
    // Asked for now, it is known when the trees are made.
    compilerIdentity(kernel.compiler),
  ])
  // Without its compiler nothing of a kernel can be opened.
  if (checked.status === 'rejected') throw checked.reason
  if (opened.status === 'rejected') throw opened.reason
  const units = opened.value
  const affected = await classifyChanges(job, kernel, units, changes)
  const changedFiles = affected.units
  if (affected.findings.some((finding) => finding.severity === 'error'))
    return {
      pairs: [],
      findings: affected.findings,
      scope: { considered: changedFiles.length, preprocessed: 0, compiled: 0 },
    }
  const survey: Survey | undefined = affected.headers.length === 0 ? undefined : await openSurvey(job, kernel, units)
  const { headers } = affected
  const direct = new Set(affected.units.map((unit) => unit.source))
  const others = survey === undefined ? [] : units.all().filter((unit) => !direct.has(unit.source))
  const found =
    survey === undefined
      ? { considered: [], units: [] }
      : findCandidates(kernel.source, survey, [...others, ...assemblyUnits(units)], headers)
  const considered = found.considered.filter(isC).length
  const candidates = found.units.filter(isC)
  const assembly = found.units.filter((unit) => !isC(unit))
  const looked = [...affected.units, ...candidates, ...assembly]
  let begun = false
  const once = () => {
    if (!begun) meanwhile(units)
    begun = true
  }
  const bench = await prepare(job, kernel, units, changes, dir, looked, survey, once)
  const scope = (compiled: number): Scope => ({
    considered: changedFiles.length + considered,
    preprocessed: candidates.length,
    compiled,
  })
  // What refuses the patch comes before the long work.
  const fixed =
    survey === undefined
      ? []
      : [...(await checkConstants(job, bench, survey, units, headers)), ...(await checkAssembly(job, bench, assembly))]
  if (fixed.length > 0) return { pairs: [], findings: [...affected.findings, ...fixed], scope: scope(0) }
  const refused = await refusedBy(bench, changedFiles, candidates, sees)
  const findings = [...affected.findings, ...(refused === undefined ? [] : [refused.finding])]
  const reached =
    refused?.units ?? (candidates.length === 0 ? [] : await findReached(job, bench, candidates, considered))
  const all = [...changedFiles, ...reached]
  if (all.length === 0) return { pairs: [], findings, scope: scope(0) }
  const compiled = await compileAll(job, bench, all)
  const own = compiled.slice(0, changedFiles.length)
  const changed: CompiledUnit[] = []
  for (const one of compiled.slice(changedFiles.length)) if (await isChanged(one)) changed.push(one)
  const pairs = [...own, ...changed.filter(({ unit }) => unit.home !== 'elsewhere')].map(
    ({ unit, before, after }): UnitPair => ({
      unit: unit.source,
      ...(unit.modules[0] === undefined ? {} : { module: unit.modules[0] }),
      before,
      after,
      objtool: unit.objtool,
    }),
  )
  return {
    pairs,
    findings: [...findings, ...findingsOf(units, changed, own.length)],
    scope: scope(all.length),
    bench,
  }
}

/** The shadow tree, and what all units that are looked at share. */
async function prepare(
  job: Job,
  kernel: Kernel,
  known: Units,
  changes: readonly FileChange[],
  dir: string,
  units: readonly Unit[],
  survey: Survey | undefined,
  meanwhile: () => void,
): Promise<BuildTrees> {
  const trees = await openBuildTrees(job, kernel, known, dir)
  const shadow = path.join(dir, 'shadow')
  const climbed =
    survey === undefined
      ? []
      : climbedDirectories(
          survey,
          units.map((unit) => unit.source),
        )
  makeShadow(kernel.source, shadow, shadowFiles(kernel, units, changes, true), climbed)
  return { ...trees, changes, shadow, climbed, meanwhile }
}
