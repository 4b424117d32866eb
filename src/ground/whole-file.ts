// SPDX-License-Identifier: GPL-3.0-or-later
// A file that is not seen before it is whole: it is written beside its place and renamed.
import { rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'

/** Writes `file`; its directory must exist. Nothing is left behind when that fails. */
export async function writeWhole(file: string, content: Buffer | string): Promise<void> {
  const unfinished = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}`)
  try {
    await writeFile(unfinished, content)
    await rename(unfinished, file)
  } finally {
    await rm(unfinished, { force: true })
  }
}
