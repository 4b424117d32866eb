// SPDX-License-Identifier: GPL-3.0-or-later
// Headers that programs are compiled with.

import { closing, findOutside, partsOf, type Token } from '../../../c/tokens/lexer.ts'
import { isTagWord } from '../../../c/tokens/words.ts'
import { enumeratorsIn } from '../../../c/written/enumerators.ts'
import { definitionsOf } from '../../../c/written/functions.ts'
import { macroValues } from '../../../c/written/macro-values.ts'
import { listed, shortened } from '../../../ground/listed.ts'
import type { FileChange } from '../../../patch/patch.ts'
import { kernelFiles } from '../../subject/kernel-files.ts'
import { type Found, warning } from '../../subject/rule.ts'

interface Declarations {
  /** By name, the text that says what it is. */
  readonly texts: ReadonlyMap<string, string>
  /** Those that mark the end of a list, and move when the list grows. */
  readonly ends: ReadonlySet<string>
}

/** How a mark of the end is called. Other names are built so, too. */
const marks = /(?:^|_)(?:MAX|LAST|NUM|COUNT|END|NR|SENTINEL)(?:_|$)|^__\w+/
const hasName = /(?<!\w)[A-Za-z_]\w*/

/** The marks at the end of an enum: the last one that counts on, and those behind it that are made of other names. */
function endsOf(item: readonly Token[]): string[] {
  const open = item.findIndex(({ text }) => text === '{')
  const inner = item.slice(open + 1, closing(item, open) - 1)
  const parts = partsOf(inner).flatMap(({ from, to }) => (from < to ? [inner.slice(from, to)] : []))
  const isMade = ([, equals, ...value]: readonly Token[]) =>
    equals?.text === '=' && value.some(({ kind }) => kind === 'name')
  const last = parts.findLastIndex((part) => !isMade(part))
  return parts
    .slice(Math.max(0, last))
    .flatMap(([name]) => (name !== undefined && marks.test(name.text) ? [name.text] : []))
}

function declared(text: string): Declarations {
  const texts = new Map<string, string>()
  const ends = new Set<string>()
  for (const [name, value] of macroValues(text)) {
    texts.set(name, value)
    if (marks.test(name) && hasName.test(value)) ends.add(name)
  }
  const { rest } = definitionsOf(text)
  for (let from = 0, to = 0; from < rest.length; from = to + 1) {
    to = findOutside(rest, from, ';')
    if (to === rest.length) break
    const item = rest.slice(from, to + 1)
    const words = item.map((one) => one.text)
    const at = words.findIndex(isTagWord)
    const open = words.indexOf('{')
    const title = at >= 0 && open > at ? words.slice(at, open).join(' ') : words.join(' ')
    if (words[at] === 'enum' && open > at) {
      for (const [name, value] of enumeratorsIn(item)) texts.set(name, value)
      for (const name of endsOf(item)) ends.add(name)
    } else texts.set(title, words.join(' '))
  }
  return { texts, ends }
}

export function uapiFindings(changes: readonly FileChange[]): Found[] {
  return kernelFiles(changes)
    .filter(({ path }) => /(?:^|\/)include\/uapi\/.*\.h$/.test(path))
    .flatMap(({ path, before, after }): Found[] => {
      const [old, young] = [declared(before ?? ''), declared(after ?? '')]
      const isRequest = (text: string | undefined) => /\b_IO[RWC]*\b/.test(text ?? '')
      const changed = [...old.texts].filter(([name, text]) => {
        const isEnd = old.ends.has(name) && (young.ends.has(name) || !young.texts.has(name))
        return young.texts.get(name) !== text && !isEnd && !isRequest(text)
      })
      const added = [...young.texts.keys()].filter((name) => !old.texts.has(name) && !young.ends.has(name))
      const names = (list: readonly string[]) => listed(shortened(list, 4))
      const found: Found[] = []
      if (changed.length > 0)
        found.push({
          symbol: changed[0]![0],
          unit: path,
          message:
            `A header for programs changes ${names(changed.map(([name]) => name))}; running programs were ` +
            `compiled with the old ${changed.length === 1 ? 'one' : 'ones'}`,
        })
      if (added.length > 0)
        found.push({
          severity: 'note',
          symbol: added[0]!,
          unit: path,
          message: `Programs can use what is new (${names(added)}) only as long as the live patch is applied`,
          hint: 'Nothing needs to be done; programs must expect it to go away with a revert',
        })
      return found
    })
}

export const uapiChanged = warning(
  'uapi-changed',
  'A changed constant, enumerator or struct in a header that programs are compiled with',
  'Programs that run now were compiled with the old one, and with a revert the kernel goes back to it',
  'Keep what there is, and let the new code accept both',
  ['Documentation/kbuild/headers_install.rst: describe the API for user space'],
  (subject) => uapiFindings(subject.changes),
)
