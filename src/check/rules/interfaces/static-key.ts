// SPDX-License-Identifier: GPL-3.0-or-later
// Switches in the code (jump labels). What a key is set to now was decided by the old code.

import { callsIn } from '../../../c/tokens/calls.ts'
import { tokenize } from '../../../c/tokens/lexer.ts'
import { wordsAt } from '../../../c/tokens/names.ts'
import { isTagWord } from '../../../c/tokens/words.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { listed } from '../../../ground/listed.ts'
import type { FileChange } from '../../../patch/patch.ts'
import type { ChangedFunctions } from '../../subject/changed-functions.ts'
import { type Found, foundIn, ofTexts, warning } from '../../subject/rule.ts'

const switcher = /^static_(?:branch|key)_(?:slow_)?(?:enable|disable|inc|dec)(?:_cpuslocked|_deferred)?$/

/** The calls that switch keys: `static_branch_enable(&key)`. */
function switchesIn({ body }: Definition): string[] {
  return callsIn(body, switcher).map(
    ({ name, values }) =>
      `${name} ${values
        .flat()
        .map(({ text }) => text)
        .join('')}`,
  )
}

/** True when the patch defines the key: then the old code has left it in no state. */
function isBrought(key: string, changes: readonly FileChange[]): boolean {
  const name = /^&?(\w+)$/.exec(key)?.[1]
  if (name === undefined) return false
  const stands = (text = '') => {
    const tokens = tokenize(text)
    return wordsAt(tokens, name).some((at) => {
      const [before, keyword, storage] = [1, 2, 3].map((back) => tokens[at - back]?.text)
      const isMacro = before === '(' && keyword?.startsWith('DEFINE_STATIC_KEY_')
      return isMacro || (storage !== 'extern' && isTagWord(keyword) && before?.startsWith('static_key'))
    })
  }
  return changes.some(({ after }) => stands(after)) && !changes.some(({ before }) => stands(before))
}

export function keyFindings(functions: ChangedFunctions, changes: readonly FileChange[]): Found[] {
  return functions.all.flatMap((of) => {
    if (of.before === undefined || of.after === undefined) return []
    const [old, young] = [switchesIn(of.before), switchesIn(of.after)]
    const count = (list: readonly string[], one: string) => list.filter((other) => other === one).length
    const differ = [...new Set([...old, ...young])].filter(
      (one) => count(old, one) !== count(young, one) && !isBrought(one.split(' ')[1] ?? '', changes),
    )
    if (differ.length === 0) return []
    const keys = [...new Set(differ.map((one) => (one.split(' ')[1] ?? '').replace(/^&/, '')))]
    const [names, keep] = [listed(keys), keys.length === 1 ? 'keeps' : 'keep']
    return foundIn(
      of,
      `${of.name} enables or disables ${names} differently; ${names} ${keep} the state and count that the old code ` +
        'gave it',
    )
  })
}

export const staticKey = warning(
  'static-key',
  'A changed function that enables or disables a static key, or counts it, otherwise than before',
  'The key keeps the state, and the count, that the old code gave it; with the new code’s rule it ' +
    'may never be enabled again, or disabled',
  'Bring the key into the state that the new code expects, in a callback (INARCH_POST_PATCH)',
  [
    'Documentation/staging/static-keys.rst: The state and the reference count can be retrieved',
    'kernel/jump_label.c: static_key_enable',
  ],
  ofTexts(keyFindings),
)
