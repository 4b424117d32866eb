// SPDX-License-Identifier: GPL-3.0-or-later
// Runs the preprocessor on a unit, with kbuild's flags. Its output goes through a file: the kernel's texts
// are not all UTF-8, and not a byte may be lost where two of them are compared.
import { mkdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import type { Job } from '../../ground/job.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Unit } from '../kbuild/units.ts'
import { macroHeaders } from './author-macros.ts'
import { runCompiler } from './compiler-run.ts'

/**
 * The unit's text (latin1) after the preprocessor, without line markers.
 * @param cwd the source tree, or a shadow of it
 * @param output a file to use meanwhile
 * @param how more flags: `-P` takes the line markers out
 * @returns undefined when the preprocessor fails, as when a generated header is missing
 */
export async function preprocess(
  job: Job,
  kernel: Kernel,
  unit: Unit,
  cwd: string,
  output: string,
  how: readonly string[] = ['-P'],
): Promise<string | undefined> {
  if (unit.flags === undefined) return undefined
  await mkdir(path.dirname(output), { recursive: true })
  const flags = unit.flags.filter((flag) => !/^-g/.test(flag))
  const { ok } = await runCompiler(
    job,
    kernel.compiler.program,
    [...flags, ...macroHeaders().flags, '-E', ...how, '-o', output, unit.argument],
    { cwd },
  )
  const text = ok ? await readFile(output, 'latin1') : undefined
  await rm(output, { force: true })
  return text
}
