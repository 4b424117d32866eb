// SPDX-License-Identifier: GPL-3.0-or-later
// A file that somebody wants. It is not seen before it is whole: it is written beside its place and renamed. Devices and
// pipes, which may be named as well, are written to; a rename would put a file in their place.
import { constants } from 'node:fs'
import { mkdir, open, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Fault } from './fault.ts'

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
  const { code = '' } = error as NodeJS.ErrnoException
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
 * @throws Fault `usage/output-place`
 */
export async function makeOutputDirectory(dir: string): Promise<void> {
  const make = async (place: string, again = false): Promise<void> => {
    try {
      await mkdir(place)
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
  await make(path.resolve(dir)).catch(async (error: unknown) => {
    throw await refused(dir, error)
  })
}

/**
 * Writes `file`; its directory must exist. Nothing is left behind when that fails.
 * @throws Fault `usage/output-place`
 */
export async function writeWhole(file: string, content: Buffer | string): Promise<void> {
  try {
    const status = await stat(file).catch(() => undefined)
    if (status !== undefined && !status.isFile() && !status.isDirectory()) {
      // A pipe that nobody reads from would be waited for; and who reads must not see an end before all is there.
      const first = await open(file, constants.O_WRONLY | constants.O_NONBLOCK)
      await writeFile(file, content).finally(() => first.close())
      return
    }
    const place = status === undefined ? file : await realpath(file)
    const unfinished = path.join(path.dirname(place), `.${path.basename(place)}.${process.pid}`)
    try {
      await writeFile(unfinished, content)
      await rename(unfinished, place)
    } finally {
      await rm(unfinished, { force: true })
    }
  } catch (error) {
    throw await refused(file, error)
  }
}
