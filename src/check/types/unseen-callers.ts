// SPDX-License-Identifier: GPL-3.0-or-later
// Who calls a function without seeing the header in which a patch changes its prototype: files of assembly, and C files
// that declare it themselves. Every other caller is compiled with the new prototype, and is replaced if its code
// differs.
import { readFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import pLimit from 'p-limit'
import { preprocess } from '../../build/compiler/preprocess.ts'
import { openSurvey } from '../../build/headers/survey.ts'
import type { Unit } from '../../build/kbuild/units.ts'
import { outline } from '../../c/expanded/outline.ts'
import { withoutComments } from '../../c/tokens/lexer.ts'
import type { Job } from '../../ground/job.ts'
import type { Subject } from '../subject/subject.ts'

/** More than so many files with a word in them are not looked into: then it is an everyday word. */
const mostFiles = 40

/** True when the name stands in the text as more than a comment or a member. */
function says(text: string, name: string): boolean {
  const code = withoutComments(text).replace(/"(?:[^"\\\n]|\\.)*"/g, ' ')
  return new RegExp(`(?<![\\w.>])${name}(?!\\w)`).test(code)
}

/** True when the unit declares the function, and has none of its own by this name. */
function usesAsDeclared(text: string, name: string): boolean {
  const side = outline(text)
  const items = side.itemsWith(name)
  return (
    items.every((item) => side.functionName(item) !== name) &&
    items.some(
      (item) =>
        item.body === undefined &&
        side.meaning(item).declaration.declarators.some((one) => one.name === name && one.isFunction),
    )
  )
}

/** Files of the kernel that go on calling the function by its old prototype. */
export async function callersLeft(job: Job, subject: Subject, name: string): Promise<string[]> {
  const { kernel, changes, units, bench } = subject
  const { known } = bench
  const survey = await openSurvey(job, kernel, known)
  const word = new RegExp(`\\b${name}\\b`)
  const declaring = changes.filter(({ after }) => after !== undefined && word.test(after)).map((one) => one.path)
  const compiled = new Set([...units.map(({ unit }) => unit.source), ...survey.includers(declaring)])
  const files = survey.filesWith(name).filter((file) => !compiled.has(file))
  const read = (file: string) => readFile(path.join(kernel.source, file), 'latin1').catch(() => '')
  const saying: string[] = []
  for (const file of files) if (says(await read(file), name)) saying.push(file)
  const headers = saying.filter((file) => file.endsWith('.h'))
  const reached = new Set([...saying, ...(headers.length === 0 ? [] : survey.includers(headers))])
  const assembly = known.assembly().filter(({ source }) => saying.includes(source))
  const mayCall = known
    .all()
    .filter(({ source, home }) => home !== 'elsewhere' && reached.has(source) && !compiled.has(source))
    .slice(0, mostFiles)
  const limit = pLimit(os.availableParallelism())
  const calling = await Promise.all(
    mayCall.map((unit: Unit) =>
      limit(async () => {
        if (!unit.source.endsWith('.c')) return true
        const output = path.join(subject.bench.dir, 'text', 'callers', `${unit.object}.i`)
        const text = await preprocess(job, kernel, unit, kernel.source, output, ['-w'])
        return text !== undefined && usesAsDeclared(text, name)
      }),
    ),
  )
  const found = [
    ...assembly.map(({ source }) => source),
    ...mayCall.filter((_, i) => calling[i]).map(({ source }) => source),
  ]
  return [...new Set(found)]
}
