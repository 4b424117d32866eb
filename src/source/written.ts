// SPDX-License-Identifier: GPL-3.0-or-later
// A C file as it was written, and which of its lines count in this configuration. The preprocessor itself tells that: the
// file is handed to it with a #define behind each #if, #elif and #else, and those that come out again were reached.
import path from 'node:path'

export interface Directive {
  /** Its first and last line in the probed text, from 1. */
  readonly from: number
  readonly to: number
  /** `define`, `undef`, `include`, `pragma`, `if`, … */
  readonly name: string
  /** What follows the name, comments included. */
  readonly argument: string
  /** For `define` and `undef`: the macro. */
  readonly macro?: string
}

export interface WrittenLine {
  readonly text: string
  /** A probe line or one that must not reach the output, such as an #include that was replaced by the file. */
  readonly hidden: boolean
  /** The innermost condition it stands under; 0 for none. */
  readonly branch: number
}

/** A file with probes. Lines count from 1; `lines[0]` is the first. */
export interface Probed {
  readonly text: string
  readonly lines: readonly WrittenLine[]
  readonly directives: readonly Directive[]
  /** Directories in which its quoted includes are looked for first. */
  readonly dirs: readonly string[]
}

const probe = 'inarch_probe_'

// Comments, strings, and whole directives with their continuation lines. A quote that is not closed on its line is no string:
// it stands in text that is left out, or in a comment of assembly.
const landmark =
  /\/\*[\s\S]*?\*\/|\/\/(?:\\\r?\n|[^\n])*|"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'|^[ \t]*#(?:\/\*[\s\S]*?\*\/|\/\/(?:\\\r?\n|[^\n])*|"(?:[^"\\\n]|\\[\s\S])*"|\\\r?\n|[^\n])*/gm

interface Raw {
  readonly from: number
  readonly to: number
  readonly name: string
  readonly argument: string
}

/** The directives of a text, with their lines from 0. */
function directivesOf(text: string): Raw[] {
  const found: Raw[] = []
  let line = 0
  let counted = 0
  const lineAt = (offset: number): number => {
    for (let at = text.indexOf('\n', counted); at !== -1 && at < offset; at = text.indexOf('\n', at + 1))
      line++
    counted = offset
    return line
  }
  for (const { 0: mark, index } of text.matchAll(landmark)) {
    const match = /^[ \t]*#(?:[ \t]|\/\*[\s\S]*?\*\/)*([a-z_]*)([\s\S]*)$/.exec(mark)
    if (match === null) continue
    const from = lineAt(index)
    found.push({ from, to: lineAt(index + mark.length), name: match[1]!, argument: match[2]! })
  }
  return found
}

/** The files that replace an `#include` line: by its argument, the text and the path. */
export type Splices = (argument: string) => { readonly text: string; readonly file: string } | undefined

/**
 * Puts probes into a file, and files in the place of the `#include`s that `splices` names.
 * @param isHidden whether a #define must not take effect here
 */
export function probeFile(
  text: string,
  file: string,
  splices: Splices,
  isHidden: (macro: string) => boolean,
): Probed {
  const lines: WrittenLine[] = []
  const directives: Directive[] = []
  const dirs: string[] = [path.dirname(file)]
  let branches = 0
  const insert = (source: string, outer: number, depth: number) => {
    const own = source.split('\n')
    if (own.at(-1) === '') own.pop()
    const stack: number[] = [outer]
    let done = 0
    const copy = (to: number, hidden = false) => {
      for (; done < to; done++) lines.push({ text: own[done] ?? '', hidden, branch: stack.at(-1)! })
    }
    for (const { from, to, name, argument } of directivesOf(source)) {
      copy(from)
      const macro = /^(?:define|undef)$/.test(name)
        ? /^(?:\s|\\\r?\n|\/\*[\s\S]*?\*\/)*([A-Za-z_]\w*)/.exec(argument)?.[1]
        : undefined
      if (name === 'define' && macro !== undefined && isHidden(macro)) {
        for (; done <= to; done++) lines.push({ text: '', hidden: true, branch: stack.at(-1)! })
        continue
      }
      const splice = name === 'include' && depth < 8 ? splices(argument.trim()) : undefined
      if (splice !== undefined) {
        for (; done <= to; done++) lines.push({ text: '', hidden: true, branch: stack.at(-1)! })
        dirs.push(path.dirname(splice.file))
        insert(splice.text, stack.at(-1)!, depth + 1)
        continue
      }
      if (/^(?:elif|else|endif)/.test(name) && stack.length > 1) stack.pop()
      const start = lines.length + 1
      copy(to + 1)
      directives.push({
        from: start,
        to: lines.length,
        name,
        argument,
        ...(macro === undefined ? {} : { macro }),
      })
      if (/^(?:if|el)/.test(name)) {
        stack.push(++branches)
        lines.push({ text: `#define ${probe}${branches}`, hidden: true, branch: branches })
      }
    }
    copy(own.length)
  }
  insert(text, 0, 0)
  return { text: `${lines.map((line) => line.text).join('\n')}\n`, lines, directives, dirs }
}

/** The probe that a `#define` of this name is; undefined for any other macro. */
export function probeNumber(macro: string): number | undefined {
  return macro.startsWith(probe) ? Number(macro.slice(probe.length)) : undefined
}

/** What counts of a probed file. */
export interface Written {
  readonly probed: Probed
  /** Those that count, without conditions. */
  readonly directives: readonly Directive[]
  /** The probed text with spaces in place of directives, probes and what does not count: offsets stay. */
  readonly code: string
  /** Offset of each line in `code`; `starts[0]` is line 1's. */
  readonly starts: readonly number[]
  /** Whether a line (from 1) counts and is no probe. */
  readonly isActive: (line: number) => boolean
  /** The directive that stands on a line, if it counts. */
  readonly directiveAt: ReadonlyMap<number, Directive>
}

/** @param reached the probes that the preprocessor came by */
export function writtenView(probed: Probed, reached: ReadonlySet<number>): Written {
  const { lines } = probed
  const isActive = (line: number): boolean => {
    const one = lines[line - 1]
    return one !== undefined && !one.hidden && (one.branch === 0 || reached.has(one.branch))
  }
  const directiveLines = new Set<number>()
  const directiveAt = new Map<number, Directive>()
  const directives = probed.directives.filter(
    ({ from, name }) => isActive(from) && !/^(?:if|el|endif)/.test(name),
  )
  for (const { from, to } of probed.directives)
    for (let line = from; line <= to; line++) directiveLines.add(line)
  for (const one of directives) for (let line = one.from; line <= one.to; line++) directiveAt.set(line, one)
  const starts: number[] = []
  let offset = 0
  const code = lines.map(({ text }, index) => {
    starts.push(offset)
    offset += text.length + 1
    return isActive(index + 1) && !directiveLines.has(index + 1) ? text : ' '.repeat(text.length)
  })
  return { probed, directives, code: `${code.join('\n')}\n`, starts, isActive, directiveAt }
}
