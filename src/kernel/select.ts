// SPDX-License-Identifier: GPL-3.0-or-later
// Which kernel the user means, and that it is there.
import os from 'node:os'
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import { archiveKernels, deliverable } from './archive.ts'
import { fetchKernel } from './debian.ts'
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
}

/** The series for which Inarch is made first. */
const defaultSeries = '6.1'
const defaultFlavour = 'cloud-amd64'
const day = 86_400_000

/** Understands `latest`, `6.1`, `6.1-amd64`, `6.1-cloud`, `6.1-rt`; undefined for anything else. */
function parseWish(wanted: string): Wish | undefined {
  if (wanted === 'latest') return { flavour: defaultFlavour }
  const match = /^(\d+\.\d+)(?:-([a-z][a-z\d-]*))?$/.exec(wanted)
  if (match === null) return undefined
  const flavour = match[2] ?? defaultFlavour
  return { series: match[1]!, flavour: flavour.endsWith('amd64') ? flavour : `${flavour}-amd64` }
}

function newest<T extends Candidate>(candidates: readonly T[], wish: Wish): T | undefined {
  return candidates
    .filter((one) => one.flavour === wish.flavour && (wish.series ?? one.series) === one.series)
    .sort((a, b) => compareVersions(b.version, a.version))[0]
}

/** The kernel that is used when the user names none; undefined when there is nothing to choose from. */
export function defaultAmong<T extends Candidate>(
  candidates: readonly T[],
  running = os.release(),
): T | undefined {
  return (
    candidates.find((one) => one.release === running) ??
    newest(candidates, { series: defaultSeries, flavour: defaultFlavour }) ??
    newest(candidates, { flavour: defaultFlavour }) ??
    candidates[0]
  )
}

/**
 * The kernel that `wanted` names, fetched when it is not there yet: an exact release, a series (`6.12`,
 * its newest cloud kernel; `6.12-amd64`, its newest of that flavour), `latest`, or nothing: then the
 * running kernel if it can be had, otherwise the newest cloud kernel of 6.1, otherwise of any series.
 * Without the archive, the choice is among the fetched ones. What the archive turns out not to have, in
 * spite of its lists, is passed over for the next older one.
 * @throws Fault `usage/kernel-unknown` and all that `fetchKernel` throws
 */
export async function selectKernel(job: Job, wanted?: string): Promise<Kernel> {
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
    const stored = parseRelease(running) === undefined ? undefined : await readStored(kernelDir(running))
    if (stored !== undefined) return stored
  }
  const choose = (candidates: readonly Candidate[]) =>
    wish === undefined ? defaultAmong(candidates) : newest(candidates, wish)
  for (;;) {
    const { release } = await chooseKernel(job, choose, wanted)
    try {
      return await fetchKernel(job, release)
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'source-missing') throw error
      job.journal.note(`${error.message}; looking for one before ${release}`)
    }
  }
}

/** Lets `choose` choose among the kernels that can be had. */
async function chooseKernel(
  job: Job,
  choose: (candidates: readonly Candidate[]) => Candidate | undefined,
  wanted: string | undefined,
): Promise<Candidate> {
  const fetched = choose(await storedKernels())
  let chosen: Candidate | undefined
  try {
    // With a fitting kernel at hand, yesterday's knowledge of the archive is good enough.
    chosen = choose(deliverable(await archiveKernels(job, fetched === undefined ? undefined : day)))
  } catch (error) {
    if (!(error instanceof Fault) || error.kind !== 'environment' || fetched === undefined) throw error
    job.journal.note(`${error.message}; using ${fetched.release}, which is fetched`)
  }
  chosen ??= fetched
  if (chosen !== undefined) return chosen
  throw new Fault(
    'usage',
    'kernel-unknown',
    `There is no kernel for ${wanted ?? 'this machine'} in the Debian archive`,
    { remedy: 'See `inarch kernels` for those that can be had' },
  )
}
