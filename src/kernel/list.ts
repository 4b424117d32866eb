// SPDX-License-Identifier: GPL-3.0-or-later
// What kernels there are: those in the cache and those that the archive can serve.
import os from 'node:os'
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import { type Archive, allArchives, archiveOf, suiteOf, usualArchives } from './apt.ts'
import { type ArchiveKernel, deliverable } from './archive.ts'
import { readArchive } from './archive-search.ts'
import {
  type Distribution,
  distributionCalled,
  distributionOfRelease,
  distributions,
  hostDistribution,
} from './distributions.ts'
import { type Candidate, defaultAmong } from './select.ts'
import { kernelDir, storedKernels, storedSize } from './store.ts'
import { compareVersions } from './version.ts'

export interface ListedKernel extends Candidate {
  /** The codename of the distribution that it comes from; empty when it is unknown. */
  readonly distribution: string
  /** Whether this machine runs it now. */
  readonly running: boolean
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

export interface ListOptions {
  /** The codename or role of one distribution; without it the host's own and stable. */
  readonly suite?: string | undefined
  readonly series?: string | undefined
  /** Of every distribution. */
  readonly all?: boolean | undefined
}

function archivesFor({ suite, all }: ListOptions): Archive[] {
  if (suite === undefined) return all === true ? allArchives() : usualArchives()
  const distribution = distributionCalled(suite)
  if (distribution === undefined)
    throw new Fault('usage', 'suite-unknown', `${suite} is no distribution of Debian that is known here`, {
      remedy: `Name one of ${distributions.map(({ codename, role }) => `${codename} (${role})`).join(', ')}`,
    })
  return [archiveOf(distribution)]
}

/**
 * The kernels of some distributions, newest version first; without the archive, the fetched ones.
 * @throws Fault `usage/suite-unknown`
 */
export async function listKernels(job: Job, options: ListOptions = {}): Promise<ListedKernel[]> {
  const archives = archivesFor(options)
  const stored = await storedKernels()
  const served: ArchiveKernel[] = []
  for (const archive of archives) {
    const read = await readArchive(job, archive)
    if (Array.isArray(read)) served.push(...deliverable(read))
    else job.journal.note(`${read.fault.message}: of ${suiteOf(archive)}, only the kernels that are fetched are shown`)
  }
  const fetched = new Set(stored.map((kernel) => kernel.release))
  const available = new Map(served.map((kernel) => [kernel.release, kernel]))
  const suite = options.suite === undefined ? undefined : distributionCalled(options.suite)
  const others = stored.filter(
    ({ release }) => !available.has(release) && (suite === undefined || distributionOfRelease(release) === suite),
  )
  const chosen = defaultOf(served, suite === undefined ? stored : [], suite)
  const all: Candidate[] = [...available.values(), ...others]
  const listed = await Promise.all(
    all
      .filter(({ series }) => options.series === undefined || series === options.series)
      .map(async ({ release, version, series, flavour }) => ({
        release,
        version,
        series,
        flavour,
        distribution: available.get(release)?.distribution ?? distributionOfRelease(release)?.codename ?? '',
        running: release === os.release(),
        fetched: fetched.has(release),
        available: available.has(release),
        default: release === chosen,
        bytes: fetched.has(release) ? await storedSize(kernelDir(release)) : 0,
        downloadBytes: available.get(release)?.packages.reduce((sum, one) => sum + one.size, 0) ?? 0,
      })),
  )
  return listed.sort((a, b) => compareVersions(b.version, a.version) || (a.flavour < b.flavour ? -1 : 1))
}

/**
 * The release that is used when none is named: of the host's own distribution, of stable, or of the fetched ones.
 * @param suite the only one that was read: another one's kernels are used only where the host runs one of them
 */
export function defaultOf(
  served: readonly (Candidate & { readonly distribution: string })[],
  stored: readonly Candidate[],
  suite: Distribution | undefined,
  host = hostDistribution(),
  running = os.release(),
): string | undefined {
  if (suite !== undefined && host !== undefined && suite !== host)
    return served.find(({ release }) => release === running)?.release
  const usual = usualArchives(host).map(({ distribution }) =>
    defaultAmong<Candidate>(
      served.filter((one) => one.distribution === (distribution?.codename ?? '')),
      running,
      host,
    ),
  )
  return (usual.find((one) => one !== undefined) ?? defaultAmong(stored, running, host))?.release
}
