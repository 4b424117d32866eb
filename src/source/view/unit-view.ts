// SPDX-License-Identifier: GPL-3.0-or-later
// A unit seen from both sides of the preprocessor at once: each top-level piece of the main file as it was written,
// with the declarations that it stands for when macros are expanded.
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { runCompiler } from '../../build/compiler/compiler-run.ts'
import { type Expanded, readExpanded } from '../../c/expanded/expanded-text.ts'
import { withPrototypesByType } from '../../c/expanded/function-typedefs.ts'
import { type Declaration, parseDeclaration } from '../../c/tokens/declarators.ts'
import { isClosing, isOpening, type Token, tokenize } from '../../c/tokens/lexer.ts'
import { declarationsIn } from '../../c/tokens/top-level.ts'
import { probeFile, type Written, writtenView } from '../../c/written/written-lines.ts'
import { Fault } from '../../ground/fault.ts'
import type { Job } from '../../ground/job.ts'
import { withScratch } from '../../ground/scratch.ts'
import { countInFront } from '../../ground/values/sorted.ts'
import { refusedFlag, refusedInput } from './compiler-flags.ts'
import { refuseDigraphs } from './digraphs.ts'
import { filesWithCode, includedText } from './included-code.ts'
import type { SourceUnit } from './request.ts'

/** A declaration of the main file, macros expanded. */
export interface Item {
  readonly tokens: readonly Token[]
  readonly declaration: Declaration
  readonly chunk: Chunk
}

/** Lines of the main file that belong together, and what they declare. */
export interface Chunk {
  /** From 1, of the probed text. */
  readonly from: number
  readonly to: number
  readonly items: Item[]
  /** The tokens as written. */
  readonly tokens: readonly Token[]
}

export interface View {
  readonly written: Written
  readonly expanded: Expanded
  readonly chunks: readonly Chunk[]
}

/** Macros that make a header define what must exist once. */
const definesOnce = new Set(['CREATE_TRACE_POINTS'])

/** Flags without those that make the compiler write files besides its output, or debug information. */
export function withoutSideOutputs(flags: readonly string[]): string[] {
  const kept: string[] = []
  for (let index = 0; index < flags.length; index++) {
    const flag = flags[index]!
    if (/^-(?:MF|MT|MQ)$/.test(flag)) index++
    else if (!/^-(?:Wp,-M|M|save-temps|fdump|g(?!nu))/.test(flag)) kept.push(flag)
  }
  return kept
}

/** Runs a unit's compiler with its flags. @param dirs in which quoted includes are looked for first */
export function runInPlace(job: Job, unit: SourceUnit, dirs: readonly string[], more: readonly string[]) {
  const beside = [...new Set(dirs)].flatMap((one) => ['-iquote', one === '' ? '.' : one])
  return runCompiler(job, unit.compiler, [...beside, ...withoutSideOutputs(unit.flags), ...more], { cwd: unit.cwd })
}

/**
 * A text behind the preprocessor, as if it stood in the place of a unit.
 * @param dirs in which its quoted includes are looked for first
 * @throws Fault `patch/does-not-preprocess`
 */
export async function preprocess(job: Job, unit: SourceUnit, text: string, dirs: readonly string[]): Promise<Expanded> {
  return withScratch(async (dir) => {
    const input = path.join(dir, 'unit.c')
    const output = path.join(dir, 'unit.i')
    await writeFile(input, `#line 1 "${unit.file.replace(/["\\]/g, '\\$&')}"\n${text}`, 'latin1')
    const { ok, messages } = await runInPlace(job, unit, dirs, ['-E', '-dD', '-dI', '-x', 'c', '-o', output, input])
    if (!ok) {
      refusedFlag(unit, messages)
      refusedInput(unit, messages)
      throw new Fault('patch', 'does-not-preprocess', `${unit.file} does not go through the preprocessor`, {
        remedy: `Check the flags, and that ${unit.compiler} compiles the file with them`,
        detail: messages.trimEnd().split('\n').slice(-12).join('\n'),
      })
    }
    return readExpanded(await readFile(output, 'latin1'), unit.file)
  })
}

/** The lines that an item covers. */
function span(tokens: readonly Token[]): { from: number; to: number } {
  let from = Number.POSITIVE_INFINITY
  let to = 0
  for (const { line } of tokens) {
    if (line < from) from = line
    if (line > to) to = line
  }
  return { from, to }
}

/** Groups items that share lines, and widens each group until its brackets are closed as written. */
function chunksOf(written: Written, items: readonly (readonly Token[])[]): Chunk[] {
  const tokens = tokenize(written.code)
  const spans = items.map((one) => ({ ...span(one), items: [one] })).sort((a, b) => a.from - b.from || a.to - b.to)
  const groups: { from: number; to: number; items: (readonly Token[])[]; tokens: Token[] }[] = []
  let at = 0
  for (const one of spans) {
    const last = groups.at(-1)
    if (last !== undefined && one.from <= last.to) {
      last.items.push(...one.items)
      if (one.to <= last.to) continue
      last.to = one.to
    } else {
      while (at < tokens.length && tokens[at]!.line < one.from) at++
      groups.push({ ...one, tokens: [] })
    }
    const group = groups.at(-1)!
    let depth = 0
    const count = (token: Token) => (depth += isOpening(token) ? 1 : isClosing(token) ? -1 : 0)
    for (const token of group.tokens) count(token)
    while (at < tokens.length && (tokens[at]!.line <= group.to || depth > 0)) {
      const token = tokens[at++]!
      group.tokens.push(token)
      count(token)
      if (token.line > group.to) group.to = token.line
    }
  }
  return groups.map(({ from, to, items: own, tokens: text }) => {
    const chunk = { from, to, tokens: text, items: [] as Item[] }
    for (const one of own) chunk.items.push({ tokens: one, declaration: parseDeclaration(one, 0, one.length), chunk })
    return chunk
  })
}

/** The declarations of the headers: each a chunk of its own, before line 1 and with no text as written. */
function headerChunks({ text, headers }: Expanded): Chunk[] {
  const parts: Token[][] = []
  for (let at = 0; at < headers.length; at += 2) parts.push(tokenize(text, headers[at]!, headers[at + 1]!))
  const items = declarationsIn(parts)
  return items.map((tokens, at) => {
    const line = at - items.length - 1
    const chunk = { from: line, to: line, tokens: [], items: [] as Item[] }
    chunk.items.push({ tokens, declaration: parseDeclaration(tokens, 0, tokens.length), chunk })
    return chunk
  })
}

/** Whether a declaration comes from a header. */
export function isFromHeader({ chunk }: Item): boolean {
  return chunk.from < 0
}

/**
 * Opens a unit: one run of the preprocessor, two where a file that it includes defines code.
 * @param withHeaders whether the headers' declarations are wanted, too
 * @throws Fault `patch/no-such-file`, `patch/digraphs`, `patch/does-not-preprocess`
 */
export async function openView(job: Job, unit: SourceUnit, withHeaders = false): Promise<View> {
  const text = await readFile(path.resolve(unit.cwd, unit.file), 'latin1').catch((error) => {
    throw new Fault('patch', 'no-such-file', `${unit.file} can't be read`, { detail: String(error.message) })
  })
  refuseDigraphs(unit, text)
  const look = async (spliced: ReadonlySet<string>) => {
    const probed = probeFile(text, unit.file, includedText(unit, spliced), (macro) => definesOnce.has(macro))
    return { probed, expanded: await preprocess(job, unit, probed.text, probed.dirs) }
  }
  let { probed, expanded } = await look(new Set())
  const code = filesWithCode(unit, expanded)
  if (code.size > 0) ({ probed, expanded } = await look(code))
  refuseDigraphs(unit, expanded.text)
  const written = writtenView(probed, expanded.reached, expanded.pragmas)
  const own = chunksOf(written, expanded.items)
  const chunks = withHeaders ? [...headerChunks(expanded), ...own] : own
  return { written, expanded, chunks: withPrototypesByType(chunks, expanded.text) }
}

/** Whether a header declares this function or variable. */
export function isDeclaredByHeaders(view: View, name: string, isFunction: boolean): boolean {
  return !headersThatDeclare(view, name, isFunction).next().done
}

/** The parts of the headers in which this function or variable is declared: offsets of the expanded text. */
export function* headersThatDeclare(
  { expanded: { text, headers } }: View,
  name: string,
  isFunction: boolean,
): Generator<readonly [from: number, to: number]> {
  // A tag has a space of names of its own: `extern struct mutex lock;` declares no mutex.
  const variable = `\\bextern\\b[^;{}()]*(?<!\\b(?:struct|union|enum)\\s+)\\b${name}\\b`
  const mark = new RegExp(isFunction ? `[\\s*]${name}\\s*\\(` : variable, 'g')
  for (const { index } of text.matchAll(mark)) {
    // Parts of headers are ordered.
    const at = 2 * countInFront(headers.length / 2, (part) => headers[2 * part + 1]! <= index)
    if (at < headers.length && headers[at]! <= index && text[text.lastIndexOf('\n', index) + 1] !== '#')
      yield [headers[at]!, headers[at + 1]!]
  }
}
