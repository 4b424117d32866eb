// SPDX-License-Identifier: GPL-3.0-or-later
// A unit after the preprocessor: the tokens that came from its main file, with the lines they came from, and the macros
// of all its headers. It rests on the line markers and on -dD, which gcc and clang write alike.
import { addOnce } from '../../ground/values/grouped.ts'
import { type Token, tokenize } from '../tokens/lexer.ts'
import { TopLevelSplitter } from '../tokens/top-level.ts'
import { probeNumber } from '../written/written-lines.ts'

export interface Expanded {
  /** All that the preprocessor wrote. */
  readonly text: string
  /**
   * The top-level pieces that came from the main file. Token offsets are those in `text`, lines those of the main file.
   */
  readonly items: readonly (readonly Token[])[]
  /** The definitions of each macro, in order: parameters and body, as in `(a,b) a + b`. */
  readonly macros: ReadonlyMap<string, readonly string[]>
  /** Macros that headers, the compiler or the command line define. */
  readonly ofHeaders: ReadonlySet<string>
  /** Macros that the compiler or the command line defines. */
  readonly predefined: ReadonlySet<string>
  /** The probes that were reached. */
  readonly reached: ReadonlySet<number>
  /** Each #include that was obeyed, where a file was read or had been read before. */
  readonly includes: readonly Included[]
  /** The header that defines each macro, the first one. */
  readonly definers: ReadonlyMap<string, string>
  /** The pragmas of the main file. */
  readonly pragmas: readonly { readonly line: number; readonly text: string }[]
  /** Parts of `text` that came from other files: start and end in turn. */
  readonly headers: readonly number[]
  /** The files that were included, in order of their first line. */
  readonly files: ReadonlySet<string>
  /** Each part of a header: where it is, and the files through which it was included, the outermost first. */
  readonly parts: readonly HeaderPart[]
}

export interface Included {
  /** The including file; undefined for the main one. */
  readonly from: string | undefined
  /** Its line, where it is the main file's. */
  readonly line: number
  /** The file's name, as in the line markers; undefined when it was never read. */
  readonly file: string | undefined
}

export interface HeaderPart {
  readonly start: number
  readonly end: number
  readonly files: readonly string[]
  /** The line of the main file that includes it. */
  readonly line: number
}

const marker = /^# (\d+) "((?:[^"\\]|\\.)*)"((?: \d)*)$/
const inclusion = /^#include(?:_next)?\s*((?:"[^"]*")|(?:<[^>]*>))/
const definition = /^#define ([A-Za-z_$\u0080-\uffff][\w$\u0080-\uffff]*)(.*)$/

/**
 * Reads what `-E -dD` wrote.
 * @param main the name that the main file has in the line markers
 */
export function readExpanded(text: string, main: string): Expanded {
  const macros = new Map<string, string[]>()
  const predefined = new Set<string>()
  const ofHeaders = new Set<string>()
  const reached = new Set<number>()
  const obeyed: { from: string | undefined; line: number; argument: string; file: string | undefined }[] = []
  const definers = new Map<string, string>()
  const pragmas: { line: number; text: string }[] = []
  const headers: number[] = []
  const files = new Set<string>()
  const parts: HeaderPart[] = []
  let stack: readonly string[] = []
  const splitter = new TopLevelSplitter()
  let file = ''
  let line = 0
  /** Where the main file includes what is read now. */
  let includeLine = 0
  let partStart = 0
  /** The line before was an #include. */
  let isIncluding = false
  const flush = (end: number) => {
    if (end > partStart) {
      if (file === main) splitter.add(tokenize(text, partStart, end, line))
      else {
        headers.push(partStart, end)
        if (stack.length > 0) parts.push({ start: partStart, end, files: stack, line: includeLine })
        // A file that is included amid a declaration of the main file is a part of it.
        if (includeLine !== 0 && splitter.isOpen)
          splitter.add(tokenize(text, partStart, end, 0).map((token) => ({ ...token, line: includeLine })))
      }
      if (file === main) {
        for (let at = text.indexOf('\n', partStart); at !== -1 && at < end; at = text.indexOf('\n', at + 1)) line++
      }
    }
  }
  for (let start = 0; start < text.length; ) {
    let end = text.indexOf('\n', start)
    if (end === -1) end = text.length
    if (text.charCodeAt(start) === 35) {
      flush(start)
      const one = text.slice(start, end)
      const mark = marker.exec(one)
      if (mark !== null) {
        const name = mark[2]!
        const last = obeyed.at(-1)
        if (isIncluding && last !== undefined && mark[3]!.startsWith(' 1')) last.file = name
        // The line of the #include itself may be marked first.
        if (mark[3] !== '') isIncluding = false
        if (name === main) {
          line = Number(mark[1])
          includeLine = 0
        } else {
          if (file === main) includeLine = line
          files.add(name)
        }
        // 1 enters a file, 2 comes back to one.
        if (name === main) stack = []
        else if (mark[3]!.startsWith(' 1')) stack = [...stack, name]
        else if (mark[3]!.startsWith(' 2')) stack = stack.slice(0, Math.max(stack.lastIndexOf(name) + 1, 1))
        file = name
      } else {
        const include = inclusion.exec(one)
        isIncluding = include !== null
        if (include !== null)
          obeyed.push({
            from: file === main ? undefined : file,
            line,
            argument: include[1]!,
            file: undefined,
          })
        const define = definition.exec(one)
        if (define !== null) {
          const number = probeNumber(define[1]!)
          if (number !== undefined) reached.add(number)
          else {
            if (file !== main) ofHeaders.add(define[1]!)
            if (file !== main && !definers.has(define[1]!)) definers.set(define[1]!, file)
            if (file.startsWith('<')) predefined.add(define[1]!)
            addOnce(macros, define[1]!, define[2]!)
          }
        } else if (file === main && one.startsWith('#pragma ')) pragmas.push({ line, text: one.slice(8) })
        if (file === main) line++
      }
      partStart = end + 1
    }
    start = end + 1
  }
  flush(text.length)
  // What was read before is not read again; its #include is written as it was then, as a rule.
  const read = new Map(
    obeyed.flatMap(({ argument, file: one }) => (one === undefined ? [] : [[argument, one] as const])),
  )
  const includes = obeyed.map(({ from, line: at, argument, file: one }) => ({
    from,
    line: at,
    file: one ?? read.get(argument),
  }))
  return {
    includes,
    definers,
    text,
    items: splitter.finish(),
    macros,
    ofHeaders,
    predefined,
    reached,
    pragmas,
    headers,
    files,
    parts,
  }
}
