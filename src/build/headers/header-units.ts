// SPDX-License-Identifier: GPL-3.0-or-later
// Finds the units that a changed header can change. All that may include it are considered; those that
// can't need what changes, by the words in their text, are dropped without a look at the compiler; the
// others are preprocessed on both sides, and dropped when what differs is nothing that they use.
import os from 'node:os'
import path from 'node:path'
import pLimit from 'p-limit'
import type { Job } from '../../ground/job.ts'
import type { FileChange } from '../../patch/patch.ts'
import type { BuildTrees } from '../compiler/compile-unit.ts'
import { preprocess } from '../compiler/preprocess.ts'
import type { Unit } from '../kbuild/units.ts'
import { changedNames, filesThatNeed, Names } from './changed-names.ts'
import { mayDiffer } from './narrow.ts'
import type { Survey } from './survey.ts'

export interface Candidates<File> {
  /** Those that may include one of the headers. */
  readonly considered: readonly File[]
  /** Those of them that may need what changes. */
  readonly units: readonly File[]
}

/** Every name that the headers change; undefined when they change more than names. */
function namesOf(headers: readonly FileChange[], survey: Survey): Names | undefined {
  const all = new Names()
  for (const header of headers) {
    const names = changedNames(header, survey.isMacro)
    if (names === undefined) return undefined
    for (const { name, use } of names.all()) all.add(name, use)
  }
  return all
}

/** The files that may include one of the headers, as it is or as it will be. */
export function includersOf(survey: Survey, headers: readonly FileChange[]): Set<string> {
  return survey.includers(
    headers.flatMap(({ path: file, before }) =>
      // A new one is found where an include asks for its name, whatever it has led to so far.
      before === undefined ? [file, ...survey.namesInclude(path.posix.basename(file))] : [file],
    ),
  )
}

/**
 * The files that need to be looked at for these headers: of those that may include one, those that may
 * need what changes.
 * @param source the source tree
 */
export function findCandidates<File extends { readonly source: string }>(
  source: string,
  survey: Survey,
  files: readonly File[],
  headers: readonly FileChange[],
): Candidates<File> {
  const including = includersOf(survey, headers)
  const considered = files.filter((file) => including.has(file.source))
  const names = namesOf(headers, survey)
  const users = names === undefined ? undefined : filesThatNeed(source, survey, names)
  if (users === undefined) return { considered, units: considered }
  const needing = survey.includers(users)
  return { considered, units: considered.filter((file) => needing.has(file.source)) }
}

/** Directories that must be real in a shadow, because a path that goes through them and back up is followed. */
export function climbedDirectories(survey: Survey, sources: Iterable<string>): string[] {
  const files = [...survey.closure(sources)].filter((file) => survey.climbs(file))
  return [...new Set(['include/trace', ...files.map((file) => path.posix.dirname(file))])]
}

/**
 * Preprocesses each unit on both sides, on all processors, and keeps those whose code may differ.
 * @param onProgress called with the number of units that are done
 */
export async function narrowUnits(
  job: Job,
  { kernel, shadow, dir }: Pick<BuildTrees, 'kernel' | 'shadow' | 'dir'>,
  units: readonly Unit[],
  onProgress: (done: number) => void = () => {},
): Promise<Unit[]> {
  const limit = pLimit(os.availableParallelism())
  let done = 0
  const look = async (unit: Unit): Promise<Unit | undefined> => {
    const output = path.join(dir, 'text', `${unit.object}.i`)
    const before = await preprocess(job, kernel, unit, kernel.source, output)
    const after = before === undefined ? undefined : await preprocess(job, kernel, unit, shadow, output)
    onProgress(++done)
    // What can't be preprocessed is for the compiler to explain.
    if (before === undefined || after === undefined) return unit
    return mayDiffer(before, after) ? unit : undefined
  }
  const reached = await Promise.all(units.map((unit) => limit(() => look(unit))))
  return reached.filter((one) => one !== undefined)
}
