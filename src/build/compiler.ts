// SPDX-License-Identifier: GPL-3.0-or-later
// Tells one compiler from another, so that an object is never taken from the cache for a compiler that
// would have made another one. The program's file is looked at, not its version: that costs no process.
import { realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import { Fault } from '../ground/fault.ts'
import type { Compiler } from '../kernel/kernel.ts'

/**
 * A text that changes when the compiler does.
 * @throws Fault `environment/program-missing` when it is not in PATH
 */
export async function compilerIdentity(compiler: Compiler): Promise<string> {
  const dirs = (process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin').split(path.delimiter)
  for (const dir of compiler.program.includes('/') ? [''] : dirs) {
    try {
      const file = await realpath(path.join(dir, compiler.program))
      const { size, mtimeMs } = await stat(file)
      return [compiler.versionText, file, size, mtimeMs].join(' ')
    } catch {
      // Not in this directory.
    }
  }
  throw new Fault('environment', 'program-missing', `The compiler ${compiler.program} is not installed`, {
    remedy: `Install it: apt-get install ${compiler.program}`,
  })
}
