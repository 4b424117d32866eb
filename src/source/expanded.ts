// SPDX-License-Identifier: GPL-3.0-or-later
// A unit after the preprocessor: the tokens that came from its main file, with the lines they came from, and the macros of
// all its headers. It rests on the line markers and on -dD, which gcc and clang write alike.
import { type Token, tokenize } from './lexer.ts'
import { Pile } from './pile.ts'
import { probeNumber } from './written.ts'

export interface Expanded {
  /** All that the preprocessor wrote. */
  readonly text: string
  /** The top-level pieces that came from the main file. Token offsets are those in `text`, lines those of the main file. */
  readonly items: readonly (readonly Token[])[]
  /** The definitions of each macro, in order: parameters and body, as in `(a,b) a + b`. */
  readonly macros: ReadonlyMap<string, readonly string[]>
  /** Macros that headers, the compiler or the command line define. */
  readonly ofHeaders: ReadonlySet<string>
  /** Macros that the compiler or the command line defines. */
  readonly predefined: ReadonlySet<string>
  /** The probes that were reached. */
  readonly reached: ReadonlySet<number>
  /** The pragmas of the main file. */
  readonly pragmas: readonly { readonly line: number; readonly text: string }[]
  /** Parts of `text` that came from other files: start and end in turn. */
  readonly headers: readonly number[]
  /** The files that were included, in order of their first line. */
  readonly files: ReadonlySet<string>
  /** Each part of a header: where it is, and the files through which it was included, the outermost first. */
  readonly parts: readonly HeaderPart[]
}

export interface HeaderPart {
  readonly start: number
  readonly end: number
  readonly files: readonly string[]
  /** The line of the main file that includes it. */
  readonly line: number
}

const marker = /^# (\d+) "((?:[^"\\]|\\.)*)"((?: \d)*)$/
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
  const pragmas: { line: number; text: string }[] = []
  const headers: number[] = []
  const files = new Set<string>()
  const parts: HeaderPart[] = []
  let stack: readonly string[] = []
  const pile = new Pile()
  let file = ''
  let line = 0
  /** Where the main file includes what is read now. */
  let includeLine = 0
  let partStart = 0
  const flush = (end: number) => {
    if (end > partStart) {
      if (file === main) pile.add(tokenize(text, partStart, end, line))
      else {
        headers.push(partStart, end)
        if (stack.length > 0) parts.push({ start: partStart, end, files: stack, line: includeLine })
        // A file that is included amid a declaration of the main file is a part of it.
        if (includeLine !== 0 && pile.isOpen)
          pile.add(tokenize(text, partStart, end, 0).map((token) => ({ ...token, line: includeLine })))
      }
      if (file === main) {
        for (let at = text.indexOf('\n', partStart); at !== -1 && at < end; at = text.indexOf('\n', at + 1))
          line++
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
        const define = definition.exec(one)
        if (define !== null) {
          const number = probeNumber(define[1]!)
          if (number !== undefined) reached.add(number)
          else {
            const known = macros.get(define[1]!)
            if (file !== main) ofHeaders.add(define[1]!)
            if (file.startsWith('<')) predefined.add(define[1]!)
            if (known === undefined) macros.set(define[1]!, [define[2]!])
            else if (!known.includes(define[2]!)) known.push(define[2]!)
          }
        } else if (file === main && one.startsWith('#pragma ')) pragmas.push({ line, text: one.slice(8) })
        if (file === main) line++
      }
      partStart = end + 1
    }
    start = end + 1
  }
  flush(text.length)
  return {
    text,
    items: pile.finish(),
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
