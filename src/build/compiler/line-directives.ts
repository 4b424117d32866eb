// SPDX-License-Identifier: GPL-3.0-or-later
// Keeps line numbers from counting as change. A hunk that adds a line moves all lines below it, and
// every `__LINE__` there (WARN_ON, BUG_ON, lockdep) would compile to other bytes. So the patched text
// gets `#line` directives that give the lines below a hunk their old numbers back.

/** Where the lexer stands at the start of a line. */
interface State {
  /** What goes on from the line before, if anything does. */
  within: 'comment' | 'line comment' | '"' | "'" | undefined
  /** The line before ends with a backslash. */
  continued: boolean
  /** The line before ends inside a directive, such as a macro's definition. */
  inDirective: boolean
  /** Open parentheses: a directive inside a macro's arguments is undefined behaviour (C11 6.10.3). */
  depth: number
  /** For each open #if: the depth where it began, at which its other branches begin too. */
  readonly conditions: number[]
}

/** Reads one line of C, without its newline, and moves the state behind it; returns the directive's name. */
function lex(line: string, state: State): string | undefined {
  const name = state.within === undefined && !state.continued ? /^\s*#\s*([a-z]+)/.exec(line)?.[1] : undefined
  const { conditions } = state
  if (name !== undefined) {
    state.inDirective = true
    if (/^if(n?def)?$/.test(name)) conditions.push(state.depth)
    else if (/^(else|elif)/.test(name)) state.depth = conditions.at(-1) ?? state.depth
    else if (name === 'endif') conditions.pop()
  }
  // A function's braces stand alone in the first column; whatever confused the count ends there.
  if (state.within === undefined && !state.inDirective && /^[{}]\s*$/.test(line)) state.depth = 0
  state.continued = /\\\r?$/.test(line)
  for (let i = 0; i < line.length; i++) {
    const c = line[i]!
    if (state.within === 'line comment') break
    if (state.within === 'comment') {
      const end = line.indexOf('*/', i)
      if (end === -1) break
      state.within = undefined
      i = end + 1
    } else if (state.within !== undefined) {
      if (c === '\\') i++
      else if (c === state.within) state.within = undefined
    } else if (c === '/' && line[i + 1] === '*') {
      state.within = 'comment'
      i++
    } else if (c === '/' && line[i + 1] === '/') {
      state.within = 'line comment'
    } else if (c === '"' || c === "'") {
      state.within = c
    } else if (!state.inDirective) {
      if (c === '(') state.depth++
      else if (c === ')' && state.depth > 0) state.depth--
    }
  }
  if (!state.continued) {
    // Only a block comment outlives its line; it also keeps its directive open.
    if (state.within !== 'comment') {
      state.within = undefined
      state.inDirective = false
    }
  }
  return name
}

function isSafe(line: string, state: State): boolean {
  return (
    state.within === undefined &&
    !state.continued &&
    !state.inDirective &&
    state.depth === 0 &&
    // The parenthesis may follow a macro's name on the line before.
    !/^\s*\(/.test(line)
  )
}

/**
 * Adds `#line` directives to a patched file, so that every line that was there before keeps its number
 * from the first safe place after the hunk on.
 * @param after the patched text
 * @param lineage for each line of `after`: its 1-based number before the patch, 0 for a new line
 * @returns the text with the directives; the same text when no line has moved
 */
export function keepLineNumbers(after: string, lineage: readonly number[]): string {
  const lines = after.split(/(?<=\n)/)
  const state: State = { within: undefined, continued: false, inDirective: false, depth: 0, conditions: [] }
  const result: string[] = []
  let number = 1
  // A directive in a branch that the preprocessor skips does nothing: it is said again behind the branch.
  let repeat = false
  let branchEnded = false
  lines.forEach((whole, index) => {
    const line = whole.replace(/\n$/, '')
    const old = lineage[index] ?? 0
    const due = old !== 0 && (old !== number || (repeat && branchEnded))
    if (due && isSafe(line, state)) {
      result.push(`#line ${old}\n`)
      number = old
      repeat = state.conditions.length > 0
      branchEnded = false
    }
    result.push(whole)
    number++
    const directive = lex(line, state)
    if (directive !== undefined && /^(else|elif|endif)/.test(directive)) branchEnded = true
  })
  return result.join('')
}
