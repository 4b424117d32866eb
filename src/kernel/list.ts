// SPDX-License-Identifier: GPL-3.0-or-later
// What kernels there are: those in the cache and those that the archive can serve.
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import { archiveKernels, deliverable } from './archive.ts'
import { type Candidate, defaultAmong } from './select.ts'
import { kernelDir, storedKernels, storedSize } from './store.ts'
import { compareVersions } from './version.ts'

export interface ListedKernel extends Candidate {
  readonly fetched: boolean
  /** Whether the archive has it (still). */
  readonly available: boolean
  /** Whether it is used when no kernel is named. */
  readonly default: boolean
  /** What it takes on the disk, with all that was made from it; 0 when it is not fetched. */
  readonly bytes: number
  /** What fetching it downloads; 0 when the archive does not have it. */
  readonly downloadBytes: number
}

/** Every kernel, newest version first; without the archive, the fetched ones. */
export async function listKernels(job: Job): Promise<ListedKernel[]> {
  const stored = await storedKernels()
  const served = await archiveKernels(job).then(deliverable, (error: unknown) => {
    if (!(error instanceof Fault) || error.kind !== 'environment') throw error
    job.journal.note(`${error.message}: only the kernels that are fetched are shown`)
    return []
  })
  const fetched = new Set(stored.map((kernel) => kernel.release))
  const available = new Map(served.map((kernel) => [kernel.release, kernel]))
  const all: Candidate[] = [...served, ...stored.filter((kernel) => !available.has(kernel.release))]
  const chosen = defaultAmong(all)
  const listed = await Promise.all(
    all.map(async ({ release, version, series, flavour }) => ({
      release,
      version,
      series,
      flavour,
      fetched: fetched.has(release),
      available: available.has(release),
      default: release === chosen?.release,
      bytes: fetched.has(release) ? await storedSize(kernelDir(release)) : 0,
      downloadBytes: available.get(release)?.packages.reduce((sum, one) => sum + one.size, 0) ?? 0,
    })),
  )
  return listed.sort((a, b) => compareVersions(b.version, a.version) || (a.flavour < b.flavour ? -1 : 1))
}
