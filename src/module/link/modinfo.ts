// SPDX-License-Identifier: GPL-3.0-or-later
// What compiled files say of the module that they become part of (MODULE_INFO, MODULE_LICENSE): the lines of
// their `.modinfo`, each `key=value`.
import type { ObjectFile } from '../../elf/read.ts'

export interface ModuleInfo {
  readonly description: string | undefined
  /** All others, as they stand there. */
  readonly lines: readonly string[]
}

export function modinfoIn(files: readonly ObjectFile[]): ModuleInfo {
  const all = files.flatMap((file) => {
    const data = file.sections.find(({ name }) => name === '.modinfo')?.data ?? Buffer.alloc(0)
    return data
      .toString('utf8')
      .split('\0')
      .filter((line) => line.indexOf('=') > 0)
  })
  const key = 'description='
  return {
    description: all.find((line) => line.startsWith(key))?.slice(key.length),
    lines: all.filter((line) => !line.startsWith(key)),
  }
}
