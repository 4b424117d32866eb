// SPDX-License-Identifier: GPL-3.0-or-later
// The core's own interface (kernel/include/inarch-core.h), as the kernel's loader sees it: the module that exports it,
// and the checksum by which a live patch and the core know that they mean the same one.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { shippedFile } from '../../ground/installation.ts'

/** The core's name as the kernel knows it. */
export const coreModule = 'inarch_core'

export const coreHeader = 'kernel/include/inarch-core.h'

/**
 * The version of every symbol that the core exports. It is the header's: a live patch that was made with another one
 * is refused by the kernel's loader (CONFIG_MODVERSIONS).
 */
export async function coreVersion(): Promise<number> {
  const text = await readFile(shippedFile(coreHeader))
  return createHash('sha256').update(text).digest().readUInt32LE(0)
}
