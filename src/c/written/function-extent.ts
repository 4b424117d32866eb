// SPDX-License-Identifier: GPL-3.0-or-later
// Where a function stands in a C file, for people who want to read it: found in the text as it was written, without a
// preprocessor. It leans on how the kernel's sources are laid out (Documentation/process/coding-style.rst): a
// definition begins at the left margin, and so does the brace that ends it.

/** 1-based lines of a file, both inclusive. */
export interface Extent {
  readonly first: number
  readonly last: number
}

/** Characters between a function's name and its body: parameters and attributes. */
const longestHead = 4000
/** Lines of a definition in front of its name: attributes and the returned type. */
const linesInFront = 4

/**
 * @param name the function's name in C, or what its symbol is called when a macro such as SYSCALL_DEFINE3 makes it
 * @returns the lines of its definition, of the last one when conditions choose among several; undefined when it is not
 *   found
 */
export function extentOf(text: string, name: string): Extent | undefined {
  const lines = text.split('\n')
  let found: Extent | undefined
  for (const { pattern } of spellings(name)) {
    let next = 0
    for (const [index, line] of lines.entries()) {
      const offset = next
      next += line.length + 1
      const match = pattern.exec(line)
      if (match !== null) {
        const body = bodyAfter(text, offset + match.index + match[0].length - 1)
        if (body !== undefined) {
          const first = beginOf(lines, index)
          if (first === undefined) continue
          if (!isHead([...lines.slice(first - 1, index), line.slice(0, match.index)].join(' '))) continue
          const last = endOf(text, lines, body)
          if (last !== undefined) found = { first, last }
        }
      }
    }
    if (found !== undefined) return found
  }
  return undefined
}

/** The ways in which a definition of this symbol can begin; each pattern ends behind the opening parenthesis. */
function spellings(name: string): { readonly pattern: RegExp }[] {
  const word = name.replace(/[^\w]/g, '\\$&')
  const call = /^__(?:x64|ia32|x32|do|se)_(?:compat_)?sys_(\w+)$|^__do_compat_sys_(\w+)$/.exec(name)
  const system = call?.[1] ?? call?.[2]
  return [
    { pattern: new RegExp(`\\b${word}\\s*\\(`) },
    ...(system === undefined ? [] : [{ pattern: new RegExp(`^(?:COMPAT_)?SYSCALL_DEFINE\\d\\((?=${system}\\b)`) }]),
    // BPF_CALL_2(name, …), and whatever else takes the name as its first argument.
    { pattern: new RegExp(`^(?:static\\s+)?[A-Z][A-Z0-9_]*\\((?=\\s*${word}\\s*[,)])`) },
  ]
}

/**
 * @param open the offset of the parenthesis behind a function's name
 * @returns the offset of its body's brace; undefined when this is no definition
 */
function bodyAfter(text: string, open: number): number | undefined {
  const limit = Math.min(text.length, open + longestHead)
  let depth = 0
  for (let at = open; at < limit; at++) {
    const character = text[at]
    if (text.startsWith('/*', at)) {
      const end = text.indexOf('*/', at + 2)
      if (end < 0) return undefined
      at = end + 1
    } else if (character === '"') {
      at++
      while (at < limit && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
    } else if (character === '(') depth++
    else if (character === ')') depth--
    else if (depth === 0) {
      if (character === '{') return at
      // An attribute may follow; anything else shows a call or a prototype.
      if (!/[\w\s]/.test(character ?? '')) return undefined
    }
  }
  return undefined
}

/** The 1-based line at which a definition begins whose name is in `lines[index]`. */
function beginOf(lines: readonly string[], index: number): number | undefined {
  let first = index
  if (/^\s/.test(lines[index] ?? '') && !/^\w/.test(lines[index - 1] ?? '')) return undefined
  while (first > 0 && index - first < linesInFront) {
    const above = lines[first - 1] ?? ''
    if (!/^[A-Za-z_]/.test(above) || /[;}:]\s*$|\*\/\s*$/.test(above)) break
    first--
  }
  return /^[A-Za-z_]/.test(lines[first] ?? '') ? first + 1 : undefined
}

/** True for what can stand in front of a function's name: words, and attributes with balanced parentheses. */
function isHead(text: string): boolean {
  let rest = text.replace(/\/\*.*?\*\//g, ' ')
  for (let before = ''; before !== rest; ) {
    before = rest
    rest = rest.replace(/\([^()]*\)/g, ' ')
  }
  return !/[(/={]/.test(rest)
}

/** The 1-based line of the brace that closes a body. */
function endOf(text: string, lines: readonly string[], body: number): number | undefined {
  const line = text.slice(0, body).split('\n').length
  const rest = text.slice(body, text.indexOf('\n', body) < 0 ? undefined : text.indexOf('\n', body))
  // A body of one line.
  if (/\}\s*;?\s*$/.test(rest) && rest.split('{').length === rest.split('}').length) return line
  for (let at = line; at < lines.length; at++) if (lines[at]?.startsWith('}')) return at + 1
  return undefined
}
