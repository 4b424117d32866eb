// SPDX-License-Identifier: GPL-3.0-or-later
// A file that somebody wants. It is not seen before it is whole: it is written beside its place and renamed. Files that
// belong together are all written before the first is renamed, so that none stands beside one of an earlier run.
// Devices and pipes, which may be named as well, are written to; a rename would put a file in their place.
import { constants } from 'node:fs'
import { mkdir, open, realpath, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { diskFull, isDiskFull } from './disk-full.ts'
import { Fault } from './fault.ts'
import { ownerMark, sweep } from './owner-mark.ts'

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'its directory does not exist',
  ENOTDIR: 'what should be its directory is a file',
  EEXIST: 'there is a file of this name',
  EISDIR: 'it is a directory',
  ELOOP: 'symbolic links lead in a circle',
  ENXIO: 'nobody reads from it',
  EACCES: 'you may not write there',
  EPERM: 'the system lets nothing be written there',
  EROFS: 'its file system is read-only',
  ENAMETOOLONG: 'the name is longer than the file system allows',
}

/** What is thrown where the place was badly chosen; other refusals of the system stay what they are. */
async function refused(place: string, error: unknown): Promise<unknown> {
  const { code = '', message } = error as NodeJS.ErrnoException
  if (isDiskFull(code))
    return diskFull(message, `${place} can't be written: its disk is full`, 'Free some space, or choose another place')
  // /proc and /sys say that something is missing where nothing can be made.
  const above = path.dirname(path.resolve(place))
  const isThere = code === 'ENOENT' && (await stat(above).catch(() => undefined))?.isDirectory() === true
  const reason = isThere ? 'nothing can be made in its directory' : reasons[code]
  return reason === undefined
    ? error
    : new Fault('usage', 'output-place', `${place} can't be written: ${reason}`, {
        remedy: 'Choose another place',
      })
}

/**
 * Makes a directory that somebody named, with those above it.
 * @returns those that were made, from the top
 * @throws Fault `usage/output-place`
 */
export async function makeOutputDirectory(dir: string): Promise<string[]> {
  const made: string[] = []
  const make = async (place: string, again = false): Promise<void> => {
    try {
      await mkdir(place)
      made.push(place)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EEXIST' && (await stat(place)).isDirectory()) return
      const above = path.dirname(place)
      if (code !== 'ENOENT' || above === place || again) throw error
      // When the one above is there, somebody else has just made it; or nothing can be made in it, as in /proc.
      if ((await stat(above).catch(() => undefined)) === undefined) await make(above)
      await make(place, true)
    }
  }
  try {
    await make(path.resolve(dir))
    return made
  } catch (error) {
    await removeEmpty(made)
    throw await refused(dir, error)
  }
}

/** Takes directories back that were made for nothing; one into which somebody else has put something stays. */
async function removeEmpty(made: readonly string[]): Promise<void> {
  for (const dir of made.toReversed()) await rmdir(dir).catch(() => {})
}

export interface WholeFile {
  readonly file: string
  readonly content: Buffer | string
}

/** Where a file is written, and where it goes when it is whole. */
interface Draft {
  readonly unfinished: string
  readonly place: string
}

/** Writes a file beside its place, and says so in `drafts` before it begins; what is no file is written to. */
async function draft({ file, content }: WholeFile, drafts: Draft[]): Promise<void> {
  const status = await stat(file).catch(() => undefined)
  if (status?.isDirectory() === true) throw Object.assign(new Error(file), { code: 'EISDIR' })
  if (status !== undefined && !status.isFile()) {
    // A pipe that nobody reads from would be waited for; and who reads must not see an end before all is there.
    const first = await open(file, constants.O_WRONLY | constants.O_NONBLOCK)
    await writeFile(file, content).finally(() => first.close())
    return
  }
  const place = status === undefined ? file : await realpath(file)
  const prefix = `.${path.basename(place)}.`
  sweep(path.dirname(place), prefix)
  const unfinished = path.join(path.dirname(place), `${prefix}${ownerMark()}`)
  drafts.push({ unfinished, place })
  await writeFile(unfinished, content)
}

async function writeTogether(files: readonly WholeFile[]): Promise<void> {
  const drafts: Draft[] = []
  const telling = async (file: string, work: () => Promise<void>) => {
    try {
      await work()
    } catch (error) {
      throw await refused(file, error)
    }
  }
  try {
    for (const one of files) await telling(one.file, () => draft(one, drafts))
    for (const { unfinished, place } of drafts) await telling(place, () => rename(unfinished, place))
  } finally {
    for (const { unfinished } of drafts) await rm(unfinished, { force: true })
  }
}

/**
 * Writes `file`; its directory must exist. Nothing is left behind when that fails.
 * @throws Fault `usage/output-place`, `environment/disk-full`
 */
export async function writeWhole(file: string, content: Buffer | string): Promise<void> {
  await writeTogether([{ file, content }])
}

/**
 * Writes files that belong together, and makes their directories. When that fails, none of them is new, and nothing is
 * left behind.
 * @throws as `writeWhole`
 */
export async function writeAllWhole(files: readonly WholeFile[]): Promise<void> {
  const made: string[] = []
  try {
    for (const dir of new Set(files.map(({ file }) => path.dirname(file))))
      made.push(...(await makeOutputDirectory(dir)))
    await writeTogether(files)
  } catch (error) {
    await removeEmpty(made)
    throw error
  }
}
