// SPDX-License-Identifier: GPL-3.0-or-later
// HTML as a tagged template in which everything is escaped that is not HTML already: what a report shows comes from
// patches, consoles and names that anybody may have made.
import { escaped, revealed } from '../../ground/invisible-characters.ts'

/** Markup that may stand in a page as it is. Made by `html` only. */
export class Html {
  constructor(readonly text: string) {}
}

export type Content = Html | string | number | undefined | false | readonly Content[]

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/**
 * Text as it may stand in an element or in a quoted attribute. Control characters, and those that turn the direction of
 * writing so that code looks like other code, are shown by their numbers.
 */
export function escapeText(text: string): string {
  return revealed(text, '\t\n', visible).replace(/[&<>"']/g, (character) => entities[character] ?? '')
}

function visible(character: string): string {
  const code = character.charCodeAt(0)
  return code < 0x20 ? String.fromCharCode(0x2400 + code) : escaped(character)
}

function textOf(content: Content): string {
  if (content instanceof Html) return content.text
  if (Array.isArray(content)) return content.map(textOf).join('')
  if (content === undefined || content === false) return ''
  return escapeText(String(content))
}

/** Attributes in the template must be quoted. */
export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Html {
  let text = parts[0] ?? ''
  for (const [index, content] of contents.entries()) text += textOf(content) + (parts[index + 1] ?? '')
  return new Html(text)
}

/** The contents with something between them. */
export function joined(contents: readonly Content[], between: Content): Html {
  return html`${contents.flatMap((content, index) => (index === 0 ? [content] : [between, content]))}`
}
