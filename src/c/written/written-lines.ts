// SPDX-License-Identifier: GPL-3.0-or-later
// A C file as it was written, and which of its lines count in this configuration. The preprocessor itself tells that:
// the file is handed to it with a #define behind each #if, #elif and #else, and those that come out again were reached.
import path from 'node:path'
import { directivesIn } from '../tokens/directives.ts'
import { tokenize } from '../tokens/lexer.ts'

export interface Directive {
  /** Its first and last line in the probed text, from 1. */
  readonly from: number
  readonly to: number
  /** `define`, `undef`, `include`, `pragma`, `if`, … */
  readonly name: string
  /** What follows the name, comments included. */
  readonly argument: string
  /** For `define`, `undef`, and the pragmas push_macro and pop_macro: the macro. */
  readonly macro?: string
}

/** Whether a directive keeps a macro for later, or brings it back. */
export function stacksMacro({ name, macro }: Directive): boolean {
  return name === 'pragma' && macro !== undefined
}

export interface WrittenLine {
  readonly text: string
  /** A probe line or one that must not reach the output, such as an #include that was replaced by the file. */
  readonly hidden: boolean
  /** The innermost condition it stands under; 0 for none. */
  readonly branch: number
  /** Where it stands: the file, and its line there from 1. */
  readonly file: string
  readonly number: number
}

/** What a `#line` directive says. */
export interface Place {
  /** Its line in the probed text, from 1. */
  readonly from: number
  /** The number of the next line. */
  readonly number: number
  /** As written, in quotes; undefined when it says nothing of a file. */
  readonly file: string | undefined
}

/** A file with probes. Lines count from 1; `lines[0]` is the first. */
export interface Probed {
  readonly text: string
  readonly lines: readonly WrittenLine[]
  readonly directives: readonly Directive[]
  /** Its `#line` directives, which the preprocessor does not see: lines are counted as they are. */
  readonly places: readonly Place[]
  /** Directories in which its quoted includes are looked for first. */
  readonly dirs: readonly string[]
}

const probe = 'inarch_probe_'

/** The macro that `push_macro("X")` or `pop_macro("X")` names. */
function stackedMacro(pragma: string): string | undefined {
  return /^\s*(?:push|pop)_macro\s*\(\s*"(\w+)"\s*\)/.exec(pragma)?.[1]
}

interface Raw {
  readonly from: number
  readonly to: number
  readonly name: string
  readonly argument: string
  /** Its first word, where it is one. */
  readonly word: string | undefined
}

/** The directives of a text, with their lines from 0. */
function directivesOf(text: string): Raw[] {
  const tokens = tokenize(text)
  return directivesIn(text, tokens).map(({ name, from, to, start, behindName, end }) => {
    const line = tokens[from]!.line - 1
    const first = from + 2 < to ? tokens[from + 2] : undefined
    return {
      from: line,
      to: line + text.slice(start, end).split('\n').length - 1,
      name,
      argument: text.slice(behindName, end),
      word: first?.kind === 'name' ? first.text : undefined,
    }
  })
}

/** The files that replace an `#include` line: by its argument, the text and the path. */
export type Splices = (argument: string) => { readonly text: string; readonly file: string } | undefined

/**
 * Puts probes into a file, and files in the place of the `#include`s that `splices` names.
 * @param isHidden whether a #define must not take effect here
 */
export function probeFile(text: string, file: string, splices: Splices, isHidden: (macro: string) => boolean): Probed {
  const lines: WrittenLine[] = []
  const directives: Directive[] = []
  const places: Place[] = []
  const dirs: string[] = [path.dirname(file)]
  let branches = 0
  const insert = (source: string, file: string, outer: number, depth: number) => {
    const own = source.split('\n')
    if (own.at(-1) === '') own.pop()
    const stack: number[] = [outer]
    let done = 0
    const copy = (to: number) => {
      for (; done < to; done++) put(own[done] ?? '', false)
    }
    const put = (text: string, hidden: boolean) =>
      lines.push({ text, hidden, branch: stack.at(-1)!, file, number: done + 1 })
    const hide = (to: number) => {
      for (; done <= to; done++) put('', true)
    }
    for (const { from, to, name, argument, word } of directivesOf(source)) {
      copy(from)
      const isPragma = name === 'pragma'
      const macro = /^(?:define|undef)$/.test(name) ? word : isPragma ? stackedMacro(argument) : undefined
      const place = /^(?:line)?$/.test(name) ? /^\s*(\d+)\s*("(?:[^"\\]|\\.)*")?/.exec(argument) : null
      if (place !== null) {
        hide(to)
        places.push({ from: lines.length, number: Number(place[1]), file: place[2] })
        continue
      }
      if (name === 'define' && macro !== undefined && isHidden(macro)) {
        hide(to)
        continue
      }
      const splice = name === 'include' && depth < 8 ? splices(argument.trim()) : undefined
      if (splice !== undefined) {
        hide(to)
        dirs.push(path.dirname(splice.file))
        insert(splice.text, splice.file, stack.at(-1)!, depth + 1)
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
        put(`#define ${probe}${branches}`, true)
      }
    }
    copy(own.length)
  }
  insert(text, file, 0, 0)
  return { text: `${lines.map((line) => line.text).join('\n')}\n`, lines, directives, places, dirs }
}

/** The probe that a `#define` of this name is; undefined for any other macro. */
export function probeNumber(macro: string): number | undefined {
  return macro.startsWith(probe) ? Number(macro.slice(probe.length)) : undefined
}

/** What counts of a probed file. */
export interface Written {
  readonly probed: Probed
  /** Those that count, without conditions; and the pragmas that `_Pragma` makes. */
  readonly directives: readonly Directive[]
  /** Of these, the ones that stand in other code: made by `_Pragma`. */
  readonly operators: ReadonlySet<Directive>
  /** The `#line` directives that count. */
  readonly places: readonly Place[]
  /** The probed text with spaces in place of directives, probes and what does not count: offsets stay. */
  readonly code: string
  /** Offset of each line in `code`; `starts[0]` is line 1's. */
  readonly starts: readonly number[]
  /** Whether a line (from 1) counts and is no probe. */
  readonly isActive: (line: number) => boolean
  /** Lines of an #if, #elif, #else or #endif. */
  readonly conditions: ReadonlySet<number>
  /** The directive that stands on a line, if it counts. */
  readonly directiveAt: ReadonlyMap<number, Directive>
}

/**
 * @param reached the probes that the preprocessor came by
 * @param pragmas those that the preprocessor wrote for the file: also ones that a macro or `_Pragma` stands for
 */
export function writtenView(
  probed: Probed,
  reached: ReadonlySet<number>,
  pragmas: readonly { readonly line: number; readonly text: string }[],
): Written {
  const { lines } = probed
  const isReached = ({ branch }: WrittenLine) => branch === 0 || reached.has(branch)
  const isActive = (line: number): boolean => {
    const one = lines[line - 1]
    return one !== undefined && !one.hidden && isReached(one)
  }
  const directiveLines = new Set<number>()
  const directiveAt = new Map<number, Directive>()
  const conditions = new Set<number>()
  const isCondition = ({ name }: Directive) => /^(?:if|el|endif)/.test(name)
  const directives = probed.directives.filter((one) => isActive(one.from) && !isCondition(one))
  for (const one of probed.directives)
    for (let line = one.from; line <= one.to; line++) {
      directiveLines.add(line)
      if (isCondition(one)) conditions.add(line)
    }
  for (const one of directives) for (let line = one.from; line <= one.to; line++) directiveAt.set(line, one)
  const places = probed.places.filter(({ from }) => isReached(lines[from - 1]!))
  const starts: number[] = []
  let offset = 0
  const code = lines.map(({ text }, index) => {
    starts.push(offset)
    offset += text.length + 1
    return isActive(index + 1) && !directiveLines.has(index + 1) ? text : ' '.repeat(text.length)
  })
  const text = `${code.join('\n')}\n`
  const operators = [...pragmas.filter((one) => stackedMacro(one.text) === undefined), ...stackOperators(text, starts)]
    .filter(({ line }) => isActive(line) && directiveAt.get(line)?.name !== 'pragma')
    .map(({ line, text }): Directive => {
      const macro = stackedMacro(text)
      const argument = ` ${text}`
      return { from: line, to: line, name: 'pragma', argument, ...(macro === undefined ? {} : { macro }) }
    })
  return {
    probed,
    directives: [...directives, ...operators].sort((a, b) => a.from - b.from),
    operators: new Set(operators),
    places,
    code: text,
    starts,
    isActive,
    conditions,
    directiveAt,
  }
}

/** `_Pragma("push_macro(\"X\")")` and the like, of which gcc's preprocessor writes nothing. */
function stackOperators(code: string, starts: readonly number[]): { line: number; text: string }[] {
  const found: { line: number; text: string }[] = []
  let line = 0
  for (const { 1: quoted, index } of code.matchAll(/\b_Pragma\s*\(\s*"((?:push|pop)_macro(?:[^"\\\n]|\\.)*)"\s*\)/g)) {
    while (line < starts.length && starts[line]! <= index) line++
    found.push({ line, text: quoted!.replace(/\\(.)/g, '$1') })
  }
  return found
}
