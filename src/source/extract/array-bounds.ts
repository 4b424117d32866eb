// SPDX-License-Identifier: GPL-3.0-or-later
// The bound of an array that only its initial value tells. Where it is declared without that value and its size is
// asked for, the compiler says what it is; of an array inside of a function always, as nothing else in the file
// declares it.
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { runCompiler } from '../../build/compiler/compiler-run.ts'
import type { StaticLocal } from '../../c/expanded/local-statics.ts'
import type { Job } from '../../ground/job.ts'
import { withScratch } from '../../ground/scratch.ts'
import { definitionOf } from '../view/declared-names.ts'
import type { SourceUnit } from '../view/request.ts'
import { type View, withoutSideOutputs } from '../view/unit-view.ts'
import type { Closure } from './closure.ts'

const probe = 'inarch_bound_'

export interface Bounds {
  readonly ofName: ReadonlyMap<string, number>
  readonly ofLocal: ReadonlyMap<StaticLocal, number>
}

/** The bounds of the arrays that are bound to the running program. */
export async function boundsOf(job: Job, unit: SourceUnit, view: View, closure: Closure): Promise<Bounds> {
  const ofName = new Map<string, number>()
  const ofLocal = new Map<StaticLocal, number>()
  const questions: ((value: number) => void)[] = []
  /** What is put into the expanded text, and where. */
  const asked: { at: number; text: string }[] = []
  let end = 0
  const ask = (name: string, at: number | undefined, last: number, answer: (value: number) => void) => {
    end = Math.max(end, last)
    const text = `unsigned long ${probe}${questions.length} = sizeof(${name}) / sizeof((${name})[0]);`
    asked.push(
      at === undefined
        ? { at: Number.POSITIVE_INFINITY, text: `${text}\n` }
        : { at, text: ` static __attribute__((__used__)) ${text}` },
    )
    questions.push(answer)
  }
  for (const { name, item, needsBound } of closure.bindings.values()) {
    const one = definitionOf(item, name)
    if (needsBound && one?.openBound !== undefined && one.value !== undefined)
      ask(name, undefined, item.tokens.at(-1)!.end, (value) => ofName.set(name, value))
  }
  for (const [item, bound] of closure.locals)
    for (const { local } of bound)
      if (local.declarator.openBound !== undefined && local.value !== undefined)
        ask(local.name, item.tokens[local.to - 1]!.end, item.tokens.at(-1)!.end, (value) => ofLocal.set(local, value))
  if (questions.length === 0) return { ofName, ofLocal }
  // What comes behind the last of them is not needed, and the preprocessor has done its work.
  let text = ''
  let from = 0
  for (const one of asked.sort((a, b) => a.at - b.at)) {
    const to = Math.min(one.at, end)
    text += view.expanded.text.slice(from, to).replace(/^#(?!pragma).*$/gm, '')
    if (to === end && from < end) text += '\n'
    text += one.text
    from = to
  }
  text += view.expanded.text.slice(from, end).replace(/^#(?!pragma).*$/gm, '')
  const assembly = await withScratch(async (dir) => {
    const input = path.join(dir, 'unit.c')
    const output = path.join(dir, 'unit.s')
    await writeFile(input, `${text}\n`, 'latin1')
    const { ok } = await runCompiler(
      job,
      unit.compiler,
      [...withoutSideOutputs(unit.flags), '-w', '-S', '-x', 'cpp-output', '-o', output, input],
      { cwd: unit.cwd },
    )
    return ok ? await readFile(output, 'latin1') : ''
  })
  for (const [at, answer] of questions.entries()) {
    // Inside of a function, gcc puts a number behind the name, and clang the function's name before it.
    const line = new RegExp(`^(?:\\w+\\.)?${probe}${at}(?:\\.\\d+)?:\\n\\s*\\.(?:quad|long|xword)\\s+(\\d+)`, 'm')
    const value = line.exec(assembly)?.[1]
    if (value !== undefined) answer(Number(value))
  }
  return { ofName, ofLocal }
}
