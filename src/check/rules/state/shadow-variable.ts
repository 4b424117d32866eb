// SPDX-License-Identifier: GPL-3.0-or-later
// Shadow variables outlive the code that knows them: when the live patch goes, nothing can find those that are left.

import { callsIn } from '../../../c/tokens/calls.ts'
import { tokenize } from '../../../c/tokens/lexer.ts'
import { callbackMacros } from '../../../extract/callbacks.ts'
import { listed } from '../../../ground/listed.ts'
import type { FileChange } from '../../../patch/patch.ts'
import { type Found, note } from '../../subject/rule.ts'

/** A callback that runs when the live patch goes. */
const undoes = new RegExp(
  `\\b(?:${(['pre_unpatch', 'post_unpatch'] as const).flatMap(callbackMacros).join('|')})\\s*\\(`,
)

/** The number in a call of `klp_shadow_*`: its argument `at`, as it is written. */
function numbersIn(text: string, callee: RegExp, at: number): string[] {
  const numbers = callsIn(tokenize(text), callee).map(
    ({ values }) => values[at]?.map((one) => one.text).join(' ') ?? '',
  )
  // A prototype names a type before its parameter.
  return numbers.filter((number) => number !== '' && !/^(?:unsigned|const|void|struct)\b/.test(number))
}

export function shadowFindings(changes: readonly FileChange[]): Found[] {
  const texts = changes.map(({ after = '' }) => after)
  const isUndone = texts.some((text) => undoes.test(text))
  const freed = new Set(isUndone ? texts.flatMap((text) => numbersIn(text, /^klp_shadow_free_all$/, 0)) : [])
  return changes.flatMap(({ path: file, before = '', after = '' }): Found[] => {
    const taker = /^klp_shadow_(?:alloc|get_or_alloc)$/
    const known = numbersIn(before, taker, 1)
    const left = numbersIn(after, taker, 1).filter((number) => !known.includes(number) && !freed.has(number))
    if (left.length === 0) return []
    return [
      {
        unit: file,
        message:
          `${file} allocates shadow variables (${listed(left)}), and no callback frees what is left ` +
          'of them when the live patch goes',
      },
    ]
  })
}

export const shadowVariable = note(
  'shadow-variable',
  'Shadow variables that the patch allocates, without a callback that frees them all at unpatch',
  'When the live patch is gone nobody can find them: their memory stays, and a later live patch ' +
    'with the same number meets old values',
  'Call klp_shadow_free_all() with the same number in a callback (INARCH_POST_UNPATCH)',
  ['Documentation/livepatch/shadow-vars.rst: klp_shadow_free_all'],
  ({ changes }) => shadowFindings(changes),
)
