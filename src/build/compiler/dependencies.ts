// SPDX-License-Identifier: GPL-3.0-or-later
// Which files a unit is made of, as the compiler sees it: with this configuration's #ifs decided.
import path from 'node:path'
import type { Job } from '../../ground/job.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Unit } from '../kbuild/units.ts'
import { macroHeaders } from './author-macros.ts'
import { parseDependencies, runCompiler } from './compiler-run.ts'

/**
 * The paths of all files that the unit takes in, itself among them, as the compiler names them in `cwd`. Generated
 * headers that are missing do not stop it; they are named without a directory. Undefined when it came to no end.
 */
export async function dependenciesIn(
  job: Job,
  { compiler }: Kernel,
  unit: Unit,
  cwd: string,
): Promise<string[] | undefined> {
  const args = [...(unit.flags ?? []), ...macroHeaders().flags, '-M', '-MG', unit.argument]
  const { output } = await runCompiler(job, compiler.program, args, { cwd })
  return output.includes(':') ? parseDependencies(output) : undefined
}

/** The paths in the tree of what the unit takes in as the kernel has it; undefined as before. */
export async function dependencies(job: Job, kernel: Kernel, unit: Unit): Promise<ReadonlySet<string> | undefined> {
  const files = await dependenciesIn(job, kernel, unit, kernel.source)
  return files && new Set(files.map((file) => path.posix.normalize(file)))
}
