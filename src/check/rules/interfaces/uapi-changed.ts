// SPDX-License-Identifier: GPL-3.0-or-later
// Headers that programs are compiled with.

import { findOutside } from '../../../c/tokens/lexer.ts'
import { isTagWord } from '../../../c/tokens/words.ts'
import { enumeratorsIn } from '../../../c/written/enumerators.ts'
import { definitionsOf } from '../../../c/written/functions.ts'
import { macroValues } from '../../../c/written/macro-values.ts'
import { listed, shortened } from '../../../ground/listed.ts'
import type { FileChange } from '../../../patch/patch.ts'
import { kernelFiles } from '../../subject/kernel-files.ts'
import { type Found, warning } from '../../subject/rule.ts'

/** What a header declares: by name, the text that says what it is. */
function declared(text: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const [name, value] of macroValues(text)) found.set(name, value)
  const { rest } = definitionsOf(text)
  for (let from = 0, to = 0; from < rest.length; from = to + 1) {
    to = findOutside(rest, from, ';')
    if (to === rest.length) break
    const item = rest.slice(from, to + 1)
    const words = item.map((one) => one.text)
    const at = words.findIndex(isTagWord)
    const open = words.indexOf('{')
    const title = at >= 0 && open > at ? words.slice(at, open).join(' ') : words.join(' ')
    if (words[at] === 'enum' && open > at) for (const [name, value] of enumeratorsIn(item)) found.set(name, value)
    else found.set(title, words.join(' '))
  }
  return found
}

/** Marks the end of a list, and moves when the list grows. */
const end = /(?:^|_)(?:MAX|LAST|NUM|COUNT|END|NR|SENTINEL)(?:_|$)|^__\w+/

export function uapiFindings(changes: readonly FileChange[]): Found[] {
  return kernelFiles(changes)
    .filter(({ path }) => /(?:^|\/)include\/uapi\/.*\.h$/.test(path))
    .flatMap(({ path, before, after }): Found[] => {
      const [old, young] = [declared(before ?? ''), declared(after ?? '')]
      const isRequest = (text: string | undefined) => /\b_IO[RWC]*\b/.test(text ?? '')
      const changed = [...old].filter(([name, text]) => young.get(name) !== text && !end.test(name) && !isRequest(text))
      const added = [...young.keys()].filter((name) => !old.has(name) && !end.test(name))
      const names = (list: readonly string[]) => listed(shortened(list, 4))
      if (changed.length > 0)
        return [
          {
            symbol: changed[0]![0],
            unit: path,
            message:
              `A header for programs changes ${names(changed.map(([name]) => name))}; running programs were ` +
              `compiled with the old ${changed.length === 1 ? 'one' : 'ones'}`,
          },
        ]
      if (added.length === 0) return []
      return [
        {
          severity: 'note',
          symbol: added[0]!,
          unit: path,
          message: `Programs can use what is new (${names(added)}) only as long as the live patch is applied`,
          hint: 'Nothing needs to be done; programs must expect it to go away with a revert',
        },
      ]
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
