// SPDX-License-Identifier: GPL-3.0-or-later
// The bound of an array that only its initial value tells. Where it is declared without that value and its size is asked for,
// the compiler says what it is.
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { runCompiler } from '../build/compiler-run.ts'
import type { Job } from '../ground/job.ts'
import { withScratch } from '../ground/scratch.ts'
import type { Closure } from './closure.ts'
import { definitionOf } from './declared.ts'
import type { SourceUnit } from './request.ts'
import { type View, withoutSideOutputs } from './view.ts'

const probe = 'inarch_bound_'

/** The bounds of the arrays that are bound to the running program and whose size is asked for, by name. */
export async function boundsOf(
  job: Job,
  unit: SourceUnit,
  view: View,
  closure: Closure,
): Promise<Map<string, number>> {
  const bounds = new Map<string, number>()
  const names: string[] = []
  let end = 0
  for (const { name, item, needsBound } of closure.bindings.values()) {
    const one = definitionOf(item, name)
    if (!needsBound || one?.openBound === undefined || one.value === undefined) continue
    names.push(name)
    end = Math.max(end, item.tokens.at(-1)!.end)
  }
  if (names.length === 0) return bounds
  // What comes behind the last of them is not needed, and the preprocessor has done its work.
  const text = view.expanded.text.slice(0, end).replace(/^#(?!pragma).*$/gm, '')
  const asked = names.map(
    (name, at) => `unsigned long ${probe}${at} = sizeof(${name}) / sizeof((${name})[0]);`,
  )
  const assembly = await withScratch(async (dir) => {
    const input = path.join(dir, 'unit.c')
    const output = path.join(dir, 'unit.s')
    await writeFile(input, `${text}\n${asked.join('\n')}\n`, 'latin1')
    const { ok } = await runCompiler(
      job,
      unit.compiler,
      [...withoutSideOutputs(unit.flags), '-w', '-S', '-x', 'cpp-output', '-o', output, input],
      { cwd: unit.cwd },
    )
    return ok ? await readFile(output, 'latin1') : ''
  })
  for (const [at, name] of names.entries()) {
    const value = new RegExp(`^${probe}${at}:\\n\\s*\\.(?:quad|long|xword)\\s+(\\d+)`, 'm').exec(
      assembly,
    )?.[1]
    if (value !== undefined) bounds.set(name, Number(value))
  }
  return bounds
}
