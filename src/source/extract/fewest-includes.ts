// SPDX-License-Identifier: GPL-3.0-or-later
// Leaves out of an extract the #includes of which it needs nothing, and proves it: behind the preprocessor the text is
// the same without them, token by token, and the compiler says nothing about it that it does not say anyway.
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { macroHeaders } from '../../build/compiler/author-macros.ts'
import type { Expanded } from '../../c/expanded/expanded-text.ts'
import { withoutComments, wordsOf } from '../../c/tokens/lexer.ts'
import { Fault } from '../../ground/fault.ts'
import type { Job } from '../../ground/job.ts'
import { withScratch } from '../../ground/scratch.ts'
import type { SourceUnit } from '../view/request.ts'
import { preprocess, runInPlace, type View } from '../view/unit-view.ts'
import { neededIncludes } from './includes.ts'

/**
 * @param full the extract with all #includes
 * @param write makes it with some of them only, by their lines
 */
export async function withFewestIncludes(
  job: Job,
  unit: SourceUnit,
  view: View,
  full: string,
  write: (isIncluded: (line: number) => boolean) => string,
): Promise<string> {
  const lines = view.written.directives.flatMap(({ name, from }) => (name === 'include' ? [from] : []))
  if (lines.length < 2) return full
  const own: SourceUnit = { ...unit, flags: [...unit.flags, ...macroHeaders().flags] }
  const { dirs } = view.written.probed
  const whole = await expandedOrNot(job, own, full, dirs)
  if (whole === undefined) return full
  const words = new Set(wordsOf(withoutComments(full).replace(/^\s*#\s*include.*$/gm, ' ')))
  for (const tokens of whole.items) for (const { kind, text: word } of tokens) if (kind === 'name') words.add(word)
  const needed = neededIncludes(view.expanded, words)
  // A directory's own header often leans on others of the directory.
  const near = view.written.directives.flatMap(({ name, argument, from }) =>
    name === 'include' && argument.trim().startsWith('"') ? [from] : [],
  )
  for (const kept of [needed, new Set([...needed, ...near])]) {
    if (kept.size === lines.length) return full
    const fewer = write((line) => kept.has(line))
    const less = await expandedOrNot(job, own, fewer, dirs)
    if (less === undefined || meaningOf(less) !== meaningOf(whole)) continue
    if (await isAccepted(job, own, fewer, dirs)) return fewer
  }
  return full
}

async function expandedOrNot(
  job: Job,
  unit: SourceUnit,
  text: string,
  dirs: readonly string[],
): Promise<Expanded | undefined> {
  try {
    // A line further down is no other meaning.
    const flags = [...unit.flags, '-w', '-D__LINE__=0', '-D__COUNTER__=0']
    return await preprocess(job, { ...unit, flags }, text, dirs)
  } catch (error) {
    if (error instanceof Fault) return undefined
    throw error
  }
}

function meaningOf({ items, pragmas }: Expanded): string {
  return [...items.map((tokens) => tokens.map(({ text }) => text).join(' ')), ...pragmas.map(({ text }) => text)].join(
    '\n',
  )
}

async function isAccepted(job: Job, unit: SourceUnit, text: string, dirs: readonly string[]): Promise<boolean> {
  return await withScratch(async (dir) => {
    const file = path.join(dir, path.basename(unit.file))
    await writeFile(file, text, 'latin1')
    const { ok, messages } = await runInPlace(job, unit, dirs, ['-Wimplicit', '-fsyntax-only', '-x', 'c', file])
    return ok && !/\bwarning: /.test(messages)
  })
}
