// SPDX-License-Identifier: GPL-3.0-or-later
// The headers with which a patch can say more than its changes (kernel/include). The compiler looks for them
// behind all directories of the kernel, so that no header of the kernel is hidden by them.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { shippedFile } from '../../ground/installation.ts'

export interface Macros {
  readonly dir: string
  /** The compiler's arguments. */
  readonly flags: readonly string[]
  /** Changes with the headers' content. */
  readonly digest: string
}

/**
 * @param dir where the headers are; by default those that Inarch brings along
 * @throws Fault `environment/incomplete-installation`
 */
export function macroHeaders(dir = path.dirname(shippedFile('kernel/include/inarch.h'))): Macros {
  const hash = createHash('sha256')
  for (const name of readdirSync(dir).sort())
    hash
      .update(`${name}\0`)
      .update(readFileSync(path.join(dir, name)))
      .update('\0')
  return { dir, flags: ['-idirafter', dir], digest: hash.digest('hex') }
}
