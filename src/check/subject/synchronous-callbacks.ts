// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a function whose address is passed to another function can be called after that function has returned. A
// timer or a table keeps the address; what calls it at once, or only compares it, does not.

import type { Token } from '../../c/tokens/lexer.ts'
import type { Definition } from '../../c/written/functions.ts'
import type { Finding } from '../../ground/finding.ts'
import { changedFunctionsOf, type ReadFix } from './changed-functions.ts'

/** Takes a function to sort, search, visit or run with it, and returns when that is done. */
const synchronous =
  /(?:^|_)(?:b?sort\w*|bsearch|search|find\w*|for_?each\w*|foreach\w*|iter\w*|walk\w*|on_each_cpu\w*|smp_call_function\w*|stop_machine\w*|cmp|compare|lookup\w*|match\w*|wait_on_bit\w*|scan\w*|apply\w*|test|traverse\w*|call_func|work_on_cpu\w*|IS_ERR\w*|WARN\w*)$/

/** Takes any address as a token for who holds a block device; it is compared, and never called. */
const compared =
  /^(?:bd_prepare_to_claim|bd_abort_claiming|blkdev_(?:get|put)\w*|bdev_(?:file_)?open\w*|bd_(?:un)?link_disk_holder)$/

/**
 * Whether all that a function's text does with a name lasts no longer than a call; false when it does nothing with it.
 */
export function isOnlyCalledSynchronously(definition: Definition | undefined, name: string): boolean {
  const calls: (Token | undefined)[] = []
  const body = definition?.body ?? []
  let seen = 0
  for (const [at, { text }] of body.entries()) {
    if (text === '(') calls.push(body[at - 1])
    else if (text === ')') calls.pop()
    else if (text === name && body[at + 1]?.text !== '(') {
      seen++
      const consumer = calls.findLast((one) => one?.kind === 'name')?.text ?? ''
      if (!synchronous.test(consumer) && !compared.test(consumer)) return false
    }
  }
  return seen > 0
}

/** A new function whose address nobody keeps is only noted. */
export function withSynchronousCallbacks(findings: readonly Finding[], fix: ReadFix): Finding[] {
  return findings.map((finding): Finding => {
    const { rule, symbol } = finding
    if (rule !== 'address-of-new-function' || symbol === undefined) return finding
    const { after, all } = changedFunctionsOf(fix)
    if (!after.definitions.has(symbol)) return finding
    const users = all.filter(({ after: text }) =>
      text?.body.some((one, at) => one.text === symbol && text.body[at + 1]?.text !== '('),
    )
    const isTable = users.length === 0 || after.isInTable(symbol)
    if (isTable || !users.every(({ after: text }) => isOnlyCalledSynchronously(text, symbol))) return finding
    return {
      ...finding,
      severity: 'note',
      message: `The patch passes the address of the new function ${symbol} to a call that only runs or compares it`,
      hint: 'Nothing needs to be done',
    }
  })
}
