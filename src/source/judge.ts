// SPDX-License-Identifier: GPL-3.0-or-later
// The compiler is the judge of an extract: it must go through with the unit's own flags, and without a warning that the unit
// itself does not cause.
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { macroHeaders } from '../build/macros.ts'
import { command } from '../ground/command.ts'
import { Fault } from '../ground/fault.ts'
import type { Finding } from '../ground/finding.ts'
import type { Job } from '../ground/job.ts'
import { withScratch } from '../ground/scratch.ts'
import { refusedFlag } from './flags.ts'
import type { SourceUnit } from './request.ts'
import { withoutSideOutputs } from './view.ts'

/** What the compiler says about a file, without making anything of it. */
async function check(job: Job, unit: SourceUnit, input: string, flags: readonly string[]) {
  return await command(unit.compiler, [...flags, ...withoutSideOutputs(unit.flags), '-fsyntax-only', input], {
    cwd: unit.cwd,
    signal: job.signal,
    allowFailure: true,
  })
}

/**
 * Makes sure that a unit compiles.
 * @returns its warnings
 * @throws Fault `patch/does-not-compile`, `usage/unknown-flag`
 */
export async function checkUnit(job: Job, unit: SourceUnit): Promise<string> {
  const { exitCode, stderr } = await check(job, unit, unit.file, [])
  if (exitCode === 0) return stderr
  refusedFlag(unit, stderr)
  const lines = stderr.split('\n')
  const first = Math.max(
    lines.findIndex((line) => /\berror: /.test(line)),
    0,
  )
  throw new Fault('patch', 'does-not-compile', `${unit.file} does not compile`, {
    remedy: 'Check that the flags behind -- are those with which the file is compiled',
    detail: lines
      .slice(first, first + 3)
      .join('\n')
      .trimEnd(),
  })
}

/** Where the compiler speaks, without the place: `warning: unused variable ‘x’`. */
function warningsOf(messages: string): string[] {
  return messages.split('\n').flatMap((line) => /\b(?:warning|error): .*/.exec(line)?.[0] ?? [])
}

/** Compiles an extract and says what the compiler has against it and not against the unit. */
export async function judgeExtract(
  job: Job,
  unit: SourceUnit,
  text: string,
  unitMessages: string,
): Promise<Finding[]> {
  const known = new Set(warningsOf(unitMessages))
  return await withScratch(async (dir) => {
    const file = path.join(dir, path.basename(unit.file))
    await writeFile(file, text, 'latin1')
    const own = ['-iquote', path.dirname(unit.file), ...macroHeaders().flags]
    const { stderr } = await check(job, unit, file, own)
    return [...new Set(warningsOf(stderr))]
      .filter((message) => !known.has(message))
      .map((message) => ({
        severity: message.startsWith('error') ? ('error' as const) : ('warning' as const),
        rule: message.startsWith('error') ? 'extract-does-not-compile' : 'extract-warns',
        unit: unit.file,
        message: `The compiler says about the extract: ${message.replace(/^(?:warning|error): /, '')}`,
      }))
  })
}
