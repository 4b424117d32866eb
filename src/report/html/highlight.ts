// SPDX-License-Identifier: GPL-3.0-or-later
// Colours for C and for assembly, as markup with classes; made when the report is made, so that the page needs no
// script.
import hljs from 'highlight.js/lib/core'
import c from 'highlight.js/lib/languages/c'
import { escapeText, Html } from './html.ts'

hljs.registerLanguage('c', c)

/** Our classes, by those of highlight.js; what is not here has the text's own colour. */
const classes: Readonly<Record<string, string>> = {
  'hljs-keyword': 'k',
  'hljs-built_in': 'k',
  'hljs-type': 't',
  'hljs-literal': 'n',
  'hljs-number': 'n',
  'hljs-string': 's',
  'hljs-comment': 'c',
  'hljs-meta': 'm',
  'hljs-title': 'f',
}

/** What a chapter may have with colours, in characters: they cost a thousand times what the text alone does. */
const largest = 500_000
/** Lines and words for which the rules of colours take very long; no C has them. */
const [longestLine, tooLongWord] = [1000, /\w{64}/]

/**
 * The lines of a C text with colours. A comment or a string that goes over several lines keeps its colour on each.
 * @param text may be a part of a file, such as one side of a hunk
 * @param among the size of all texts of the chapter, in characters
 */
export function highlightC(text: string, among: number): Html[] {
  const lines = text.split('\n')
  if (among > largest || tooLongWord.test(text) || lines.some(({ length }) => length > longestLine))
    return lines.map((line) => new Html(escapeText(line)))
  const marked = hljs.highlight(text, { language: 'c', ignoreIllegals: true }).value
  return linesOf(marked).map((line) => new Html(line))
}

/** Splits what highlight.js wrote (text, entities and nested spans) into lines, each with whole spans. */
function linesOf(marked: string): string[] {
  const lines: string[] = []
  const open: string[] = []
  let line = ''
  for (const [token] of marked.matchAll(/<span class="[^"]*">|<\/span>|\n|[^<\n]+/g)) {
    if (token === '\n') {
      lines.push(line + '</i>'.repeat(open.filter((one) => one !== '').length))
      line = open.join('')
    } else if (token === '</span>') {
      if (open.pop() !== '') line += '</i>'
    } else if (token.startsWith('<')) {
      const name = /class="(\S+?)[" ]/.exec(token)?.[1] ?? ''
      const own = classes[name]
      const tag = own === undefined ? '' : `<i class=${own}>`
      open.push(tag)
      line += tag
    } else line += escapeText(unescapeMarkup(token))
  }
  lines.push(line + '</i>'.repeat(open.filter((one) => one !== '').length))
  return lines
}

/** Undoes the escaping of highlight.js; ours is stricter. */
function unescapeMarkup(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#x27;', "'")
    .replaceAll('&amp;', '&')
}

/** An instruction as `disassemble` writes it, in AT&T syntax, with colours. */
export function highlightInstruction(text: string): Html {
  const space = text.indexOf(' ')
  const [name, rest] = space < 0 ? [text, ''] : [text.slice(0, space), text.slice(space)]
  let marked = `<i class=k>${escapeText(name)}</i>`
  for (const [token] of rest.matchAll(
    /"(?:[^"\\]|\\.)*"|%[a-z0-9]+|\$?-?0x[0-9a-f]+\b|[A-Za-z_.][\w.]*|[^"%$A-Za-z_.]+|./g,
  )) {
    const kind = token.startsWith('"')
      ? 's'
      : token.startsWith('%')
        ? 't'
        : /^\$?-?0x/.test(token)
          ? 'n'
          : /^[A-Za-z_.]/.test(token)
            ? 'f'
            : ''
    marked += kind === '' ? escapeText(token) : `<i class=${kind}>${escapeText(token)}</i>`
  }
  return new Html(marked)
}
