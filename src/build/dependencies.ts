// SPDX-License-Identifier: GPL-3.0-or-later
// Which files a unit is made of, as the compiler sees it: with this configuration's #ifs decided.
import path from 'node:path'
import { command } from '../ground/command.ts'
import type { Job } from '../ground/job.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Unit } from './units.ts'

/**
 * The paths in the source tree of all files that the unit takes in, itself among them. Generated
 * headers that are missing do not stop it; they are named without a directory.
 */
export async function dependencies(job: Job, kernel: Kernel, unit: Unit): Promise<ReadonlySet<string>> {
  const { stdout } = await command(
    kernel.compiler.program,
    [...(unit.flags ?? []), '-M', '-MG', unit.argument],
    { cwd: kernel.source, signal: job.signal },
  )
  const files = stdout.slice(stdout.indexOf(':') + 1).split(/(?<!\\)\s+|\\\n/)
  return new Set(
    files.filter((file) => file !== '').map((file) => path.posix.normalize(file.replaceAll('\\ ', ' '))),
  )
}
