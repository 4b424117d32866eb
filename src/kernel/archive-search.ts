// SPDX-License-Identifier: GPL-3.0-or-later
// A search through several archives. One that can't be read (no network, lists that have expired, a key that is not
// there) does not end it: that is noted, the others are asked, and whoever finds nothing is told what was not read.
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import { type Archive, suiteOf } from './apt.ts'
import { type ArchiveKernel, archiveKernels } from './archive.ts'

/** An archive that could not be read, and why. */
export interface Unread {
  readonly archive: Archive
  readonly fault: Fault
}

export interface Search<T> {
  readonly found: T | undefined
  readonly unread: readonly Unread[]
}

/** The archive's kernels, or why they can't be read. */
export async function readArchive(job: Job, archive: Archive, age?: number): Promise<ArchiveKernel[] | Unread> {
  try {
    return await archiveKernels(job, archive, age)
  } catch (error) {
    if (!(error instanceof Fault) || error.kind !== 'environment') throw error
    return { archive, fault: error }
  }
}

export interface SearchOptions<T> {
  /** The lists are read again when they are older than this many ms. */
  readonly age?: number | undefined
  /** What is taken in place of an archive that can't be read; without it the search goes on. */
  readonly instead?: (archive: Archive) => T | undefined
}

/** The first that `choose` takes of an archive's kernels, with the archives asked in their order. */
export async function searchArchives<T extends { readonly release: string }>(
  job: Job,
  archives: readonly Archive[],
  choose: (kernels: readonly ArchiveKernel[]) => T | undefined,
  { age, instead = () => undefined }: SearchOptions<T> = {},
): Promise<Search<T>> {
  const unread: Unread[] = []
  for (const archive of archives) {
    const read = await readArchive(job, archive, age)
    let found: T | undefined
    if (Array.isArray(read)) found = choose(read)
    else {
      unread.push(read)
      found = instead(archive)
      const next = found === undefined ? 'is left out' : `is left out; using ${found.release}, which is fetched`
      job.journal.note(`${read.fault.message}: ${suiteOf(archive)} ${next}`)
    }
    if (found !== undefined) return { found, unread }
  }
  return { found: undefined, unread }
}

/**
 * Why nothing was found where archives could not be read: the reason itself where it is the same for all, or where it
 * is this machine's.
 * @param wanted what was looked for, such as `6.12`
 */
export function unreadFault(wanted: string, asked: readonly Archive[], unread: readonly Unread[]): Fault {
  const full = unread.find(({ fault }) => fault.code === 'disk-full')
  if (full !== undefined) return full.fault
  const [first] = unread
  if (unread.length === asked.length && unread.every(({ fault }) => fault.message === first?.fault.message))
    return first!.fault
  const names = unread.map(({ archive }) => suiteOf(archive)).join(', ')
  return new Fault('environment', 'archive-unread', `No kernel for ${wanted} was found, and not read: ${names}`, {
    remedy: 'Do what is said of each, or choose one that can be had (see `inarch kernels --all`)',
    detail: unread
      .map(({ archive, fault }) => [`${suiteOf(archive)}: ${fault.message}`, fault.remedy, fault.detail])
      .flatMap((lines) => lines.filter((line) => line !== undefined))
      .join('\n'),
  })
}
