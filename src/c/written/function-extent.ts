// SPDX-License-Identifier: GPL-3.0-or-later
// Where a function stands in a C file, for people who want to read it: found in the text as it was written, without a
// preprocessor. It leans on how the kernel's sources are laid out (Documentation/process/coding-style.rst): a
// definition begins at the left margin, and so does the brace that ends it.
import { directivesIn } from '../tokens/directives.ts'
import { closing, openingOf, type Token, tokenize } from '../tokens/lexer.ts'

/** 1-based lines of a file, both inclusive. */
export interface Extent {
  readonly first: number
  readonly last: number
}

/** Lines of a definition in front of its name: attributes and the returned type. */
const linesInFront = 4

/**
 * @param name the function's name in C, or what its symbol is called when a macro such as SYSCALL_DEFINE3 makes it
 * @returns the lines of its definition, of the last one when conditions choose among several; undefined when it is not
 *   found
 */
export function extentOf(text: string, name: string): Extent | undefined {
  const all = tokenize(text)
  const directives = directivesIn(text, all)
  const code = directives.flatMap(({ from }, at) => all.slice(directives[at - 1]?.to ?? 0, from))
  const tokens = [...code, ...all.slice(directives.at(-1)?.to ?? 0)]
  const isAtMargin = ({ start }: Token) => start === 0 || text[start - 1] === '\n'
  for (const isNamed of spellings(name)) {
    let found: Extent | undefined
    for (let at = 0; at + 1 < tokens.length; at++)
      if (tokens[at + 1]!.text === '(' && isNamed(tokens, at)) found = extentAt(tokens, at, isAtMargin) ?? found
    if (found !== undefined) return found
  }
  return undefined
}

/** The ways in which a definition of this symbol can begin: each tells it by the word before the parenthesis. */
function spellings(name: string): ((tokens: readonly Token[], at: number) => boolean)[] {
  const call = /^__(?:x64|ia32|x32|do|se)_(?:compat_)?sys_(\w+)$|^__do_compat_sys_(\w+)$/.exec(name)
  const system = call?.[1] ?? call?.[2]
  return [
    (tokens, at) => tokens[at]!.text === name,
    (tokens, at) => /^(?:COMPAT_)?SYSCALL_DEFINE\d$/.test(tokens[at]!.text) && tokens[at + 2]?.text === system,
    // BPF_CALL_2(name, …), and whatever else takes the name as its first argument.
    (tokens, at) =>
      /^[A-Z][A-Z0-9_]*$/.test(tokens[at]!.text) &&
      tokens[at + 2]?.text === name &&
      /^[,)]$/.test(tokens[at + 3]?.text ?? ''),
  ]
}

/** The lines of a definition by the place of its name; undefined when this is a call or a prototype. */
function extentAt(tokens: readonly Token[], at: number, isAtMargin: (token: Token) => boolean): Extent | undefined {
  let body = closing(tokens, at + 1)
  // An attribute may follow.
  while (tokens[body]?.kind === 'name' || tokens[body]?.text === '(')
    body = tokens[body]!.text === '(' ? closing(tokens, body) : body + 1
  if (tokens[body]?.text !== '{') return undefined
  let first = at
  for (let before = at - 1; before >= 0 && tokens[before]!.line >= tokens[at]!.line - linesInFront; before--) {
    const { kind, text } = tokens[before]!
    if (text === ')') before = openingOf(tokens, before)
    else if (kind !== 'name' && text !== '*') break
    if (isAtMargin(tokens[before]!)) first = before
  }
  if (!isAtMargin(tokens[first]!)) return undefined
  const end = tokens[closing(tokens, body) - 1]!
  const isOneLine = end.text === '}' && end.line === tokens[body]!.line
  const brace = isOneLine ? end : tokens.slice(body + 1).find((token) => token.text === '}' && isAtMargin(token))
  return brace && { first: tokens[first]!.line, last: brace.line }
}
