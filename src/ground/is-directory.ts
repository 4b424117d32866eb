// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a path that the user gave is a directory.
import { statSync } from 'node:fs'

/** False too when there is nothing at `place`, or it can't be looked at. */
export function isDirectory(place: string): boolean {
  try {
    return statSync(place).isDirectory()
  } catch {
    return false
  }
}
