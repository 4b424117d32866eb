// SPDX-License-Identifier: GPL-3.0-or-later
// What a compiler says against a patch, told with the patch's own lines. The compiler shows no lines of files itself
// (`#line` could make it show any file); the line that it means is taken from the patched text.
import path from 'node:path'
import { Fault } from '../../ground/fault.ts'
import { inNumbers } from '../../ground/in-numbers.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { FileChange, Origin } from '../../patch/patch.ts'
import type { Unit } from '../kbuild/units.ts'
import { exhaustion } from './compiler-run.ts'

const errorLine = /^([^\s:][^:\n]*):(\d+):(?:\d+:)? (?:fatal )?[eE]rror: (.*)$/
const noteLine = /^([^\s:][^:\n]*):(\d+):(?:\d+:)? note: (.*)$/
const most = 100

/** The header or the file that the compiler did not find. */
export function missingFile(messages: string): string | undefined {
  const [, name, clangs] =
    /fatal error: (?:([^:\n]+): No such file or directory|'([^'\n]+)' file not found)/.exec(messages) ?? []
  return name ?? clangs
}

/** Errors, and what is noted about them, at most 100 lines. */
export function errorLines(messages: string): string {
  const lines = messages.split('\n').filter((line) => /\b(?:[eE]rror|note): /.test(line))
  return lines.slice(0, most).join('\n')
}

/** The same without anything that may come from a file: what is quoted, and words of our input. */
export function withoutWords(messages: string): string {
  const lines = messages.split('\n').flatMap((line) => /^[\w./-]+:\d+:(?:\d+:)? (?:fatal )?[eE]rror/.exec(line) ?? [])
  return lines.map((line) => `${line}: the compiler can't read this`).join('\n')
}

/** What the unit as the kernel has it does not compile for. */
export function sourceError(kernel: Kernel, unit: Unit, messages: string): Fault {
  const missing = missingFile(messages)
  const { program, versionText } = kernel.compiler
  const detail = errorLines(messages)
  if (missing !== undefined)
    return new Fault(
      'environment',
      'generated-file-missing',
      `${unit.source} includes ${missing}, which is not in the source of ${kernel.release} and which ` +
        'kbuild did not generate',
      { detail, remedy: 'Use --build-dir with a built tree of this kernel' },
    )
  const spent = exhaustion(messages)
  if (spent !== undefined)
    return new Fault(
      'environment',
      'compiler-exhausted',
      `${program} ${spent} to compile ${unit.source}, even without the patch`,
    )
  return new Fault('environment', 'source-does-not-compile', `${unit.source} does not compile even without the patch`, {
    detail,
    remedy: `Check that ${program} is ${versionText}`,
  })
}

/** What wrote a line, or what wrote a line close above or below it: a lost brace is noticed later. */
function nearestOrigin(
  origins: ReadonlyMap<number, Origin>,
  line: number,
): (Origin & { readonly exact: boolean }) | undefined {
  for (let distance = 0; distance <= 20; distance++)
    for (const candidate of [line - distance, line + distance]) {
      const origin = origins.get(candidate)
      if (origin !== undefined) return { ...origin, exact: distance === 0 }
    }
  return undefined
}

/** The files in which the assembler found errors; it does not tell what it read when there are any. */
export function assembledFiles(messages: string): string[] {
  if (!messages.includes('Assembler messages:')) return []
  return [...messages.matchAll(/^([^\s:][^:\n]*):\d+: Error: /gm)].map(([, file]) => file!)
}

/** The assembler repeats its input, which may be another file's. */
function withoutInput(message: string): string {
  return message.replace(/(?:[:;,] )?[`‘'"].*$/, '')
}

interface PatchError {
  /** Place and message. */
  readonly sentence: string
  /** The same for a reader who has the file before him. */
  readonly lines: readonly string[]
}

function readErrors(changes: readonly FileChange[], messages: string): PatchError[] {
  const errors: { sentence: string; lines: string[] }[] = []
  const isAssembler = messages.includes('Assembler messages:')
  for (const row of messages.split('\n')) {
    const note = noteLine.exec(row)
    if (note !== null && !/in expansion of macro|each undeclared identifier/.test(row)) errors.at(-1)?.lines.push(row)
    const [, file, at, said] = errorLine.exec(row) ?? []
    if (file === undefined || at === undefined || said === undefined) continue
    const message = isAssembler && row.includes(' Error: ') ? withoutInput(said) : said
    const line = Number(at)
    const change = changes.find((one) => path.posix.normalize(file) === one.path)
    const origin = change === undefined ? undefined : nearestOrigin(change.origins, line)
    const place =
      origin === undefined
        ? `${file}:${line}`
        : origin.exact
          ? `${origin.patch}:${origin.line}`
          : `${file}:${line}, near ${origin.patch}:${origin.line}`
    const text = change?.after?.split('\n')[line - 1]?.trim()
    errors.push({
      sentence: `${place}: ${message}`,
      lines: [
        `${file}:${line}${origin === undefined ? '' : ` (${origin.patch}:${origin.line})`}: error: ${message}`,
        ...(text === undefined || text === '' ? [] : [`    ${text.slice(0, 160)}`]),
      ],
    })
  }
  return errors
}

/** A unit does not compile with the patch. */
export class PatchErrors extends Fault {
  readonly errors: readonly PatchError[]

  constructor(kernel: Kernel, unit: Unit, changes: readonly FileChange[], messages: string) {
    const spent = exhaustion(messages)
    const { program } = kernel.compiler
    const errors = spent === undefined ? readErrors(changes, messages) : []
    const sentence =
      spent !== undefined
        ? `${program} ${spent} to compile ${unit.source} with the patch`
        : /internal compiler error|PLEASE submit a bug report/.test(messages)
          ? `${program} breaks down over ${unit.source} with the patch`
          : `${unit.source} does not compile with the patch`
    super('patch', spent === undefined ? 'compile-error' : 'compiler-exhausted', errors[0]?.sentence ?? sentence, {
      detail: errors.flatMap(({ lines }) => lines).join('\n'),
    })
    this.errors = errors
  }
}

/** All that is wrong with a patch, each error once: a header's is met in every unit. */
export function allErrors(faults: readonly PatchErrors[]): Fault {
  // What else the compiler thinks was meant differs from unit to unit.
  const known = ({ sentence }: PatchError) => sentence.replace(/; did you mean .*/, '')
  const errors = new Map(faults.flatMap((fault) => fault.errors.map((error) => [known(error), error] as const)))
  const [first] = errors.values()
  const [fault] = faults
  if (first === undefined || fault === undefined || errors.size === 1) return fault!
  const lines = [...errors.values()].flatMap((error) => error.lines)
  const more = lines.length > 2 * most ? [`… and ${inNumbers(lines.length - 2 * most, 'line')} more`] : []
  return new Fault('patch', 'compile-error', `${first.sentence} (and ${inNumbers(errors.size - 1, 'more error')})`, {
    detail: [...lines.slice(0, 2 * most), ...more].join('\n'),
  })
}
