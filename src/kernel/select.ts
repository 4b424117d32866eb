// SPDX-License-Identifier: GPL-3.0-or-later
// Which kernel the user means, and that it is there.
import os from 'node:os'
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import { type Archive, allArchives, archiveOf, usualArchives } from './apt.ts'
import { deliverable } from './archive.ts'
import { searchArchives, unreadFault } from './archive-search.ts'
import { fetchKernel } from './debian.ts'
import { type Distribution, distributionCalled, distributionOfRelease, hostDistribution } from './distributions.ts'
import type { Kernel } from './kernel.ts'
import { kernelDir, readStored, storedKernels } from './store.ts'
import { compareVersions, parseRelease } from './version.ts'

/** A kernel that could be used; both an archive's and a fetched one are. */
export interface Candidate {
  readonly release: string
  readonly version: string
  readonly series: string
  readonly flavour: string
}

/** What a user can ask for, besides an exact release. */
interface Wish {
  readonly series?: string
  readonly flavour: string
  /** Only what this distribution has. */
  readonly distribution?: Distribution
}

const defaultFlavour = 'cloud-amd64'
const day = 86_400_000

/**
 * Understands `latest`, `6.1`, `6.1-amd64`, `6.1-cloud`, `6.1-rt`, `trixie`, `trixie-rt`, `stable`, `testing-amd64`;
 * undefined for anything else.
 */
function parseWish(wanted: string): Wish | undefined {
  const [, name = '', kind = defaultFlavour] = /^(\d+\.\d+|[a-z]+)(?:-([a-z][a-z\d-]*))?$/.exec(wanted) ?? []
  const flavour = kind.endsWith('amd64') ? kind : `${kind}-amd64`
  if (name === 'latest') return { flavour }
  const distribution = distributionCalled(name)
  if (distribution !== undefined) return { flavour, distribution, ...seriesOfDistribution(distribution) }
  return /^\d/.test(name) ? { series: name, flavour } : undefined
}

function seriesOfDistribution({ series }: Distribution): { readonly series?: string } {
  return series === undefined ? {} : { series }
}

function newest<T extends Candidate>(candidates: readonly T[], wish: Wish): T | undefined {
  return candidates
    .filter((one) => one.flavour === wish.flavour && (wish.series ?? one.series) === one.series)
    .sort((a, b) => compareVersions(b.version, a.version))[0]
}

/** Whether a kernel is of the series that its distribution brings; backports are not. */
function isOwnSeries({ release, series }: Candidate): boolean {
  return distributionOfRelease(release)?.series === series
}

/** The kernel that is used when the user names none; undefined when there is nothing to choose from. */
export function defaultAmong<T extends Candidate>(
  candidates: readonly T[],
  running = os.release(),
  distribution = hostDistribution(),
): T | undefined {
  const own = distribution === undefined ? {} : seriesOfDistribution(distribution)
  return (
    candidates.find((one) => one.release === running) ??
    newest(candidates, { ...own, flavour: defaultFlavour }) ??
    newest(candidates.filter(isOwnSeries), { flavour: defaultFlavour }) ??
    newest(candidates, { flavour: defaultFlavour }) ??
    candidates[0]
  )
}

/** The archives in which a wish is looked for, in this order; nothing to go on means the host's, then stable. */
function archivesFor(wish: Wish | undefined): Archive[] {
  if (wish?.distribution !== undefined) return [archiveOf(wish.distribution)]
  return wish === undefined ? usualArchives() : allArchives()
}

/**
 * The kernel that `wanted` names, fetched when it is not there yet: an exact release, `running`, a series (`6.12`, its
 * newest cloud kernel; `6.12-amd64`, its newest of that flavour), a distribution (`trixie`, `stable-rt`), `latest`, or
 * nothing: then the running kernel if it can be had, otherwise the newest cloud kernel of the host's distribution, or
 * of stable. A series is looked for in the host's own distribution first, then in stable, then in the others. Without
 * the archive, the choice is among the fetched ones. What the archive turns out not to have, in spite of its lists, is
 * passed over for the next older one.
 * @throws Fault `usage/kernel-unknown` and all that `fetchKernel` throws
 */
export async function selectKernel(job: Job, asked?: string): Promise<Kernel> {
  const wanted = asked === 'running' ? os.release() : asked
  const wish = wanted === undefined ? undefined : parseWish(wanted)
  if (wanted !== undefined && wish === undefined) {
    // It becomes the name of a directory: a path must not lead to another kernel's.
    if (!/^[A-Za-z0-9][A-Za-z0-9._+~-]*$/.test(wanted))
      throw new Fault('usage', 'kernel-unknown', `${wanted} is not the release of a kernel`, {
        remedy: 'Name it as `uname -r` prints it, such as 6.1.0-56-cloud-amd64; see `inarch kernels`',
      })
    return fetchKernel(job, wanted)
  }
  if (wanted === undefined) {
    const running = os.release()
    const isStored = parseRelease(running) !== undefined && (await readStored(kernelDir(running))) !== undefined
    if (isStored) return await fetchKernel(job, running)
  }
  for (;;) {
    const { release } = await chooseKernel(job, wish, wanted)
    try {
      return await fetchKernel(job, release)
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'source-missing') throw error
      job.journal.note(`${error.message}; looking for one before ${release}`)
    }
  }
}

/**
 * The best kernel for a wish, among those that can be had. In place of an archive that can't be read stand the fetched
 * kernels of its distribution.
 * @throws Fault `usage/kernel-unknown`; where archives could not be read, `environment/archive-unread` or their own
 */
export async function chooseKernel(job: Job, wish: Wish | undefined, wanted: string | undefined): Promise<Candidate> {
  const choose = (candidates: readonly Candidate[]) =>
    wish === undefined ? defaultAmong(candidates) : newest(candidates, wish)
  const stored = await storedKernels()
  const ofDistribution = (distribution: Distribution | undefined) =>
    stored.filter(({ release }) => distributionOfRelease(release) === distribution)
  const fetched = choose(wish?.distribution === undefined ? stored : ofDistribution(wish.distribution))
  const archives = archivesFor(wish)
  const { found, unread } = await searchArchives<Candidate>(job, archives, (known) => choose(deliverable(known)), {
    // With a fitting kernel at hand, yesterday's knowledge of the archive is good enough.
    age: fetched === undefined ? undefined : day,
    instead: ({ distribution }) => choose(ofDistribution(distribution)),
  })
  const chosen = found ?? fetched
  if (chosen !== undefined) return chosen
  if (unread.length > 0) throw unreadFault(wanted ?? 'this machine', archives, unread)
  throw new Fault(
    'usage',
    'kernel-unknown',
    `There is no kernel for ${wanted ?? 'this machine'} in the Debian archive`,
    {
      remedy: 'See `inarch kernels` for those that can be had',
    },
  )
}
