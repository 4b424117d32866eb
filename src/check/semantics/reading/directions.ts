// SPDX-License-Identifier: GPL-3.0-or-later
// In which direction a function goes by its name: it puts something in or takes something, it takes out or gives back,
// or it looks for what is there. What two functions of one pair are called without that word is the pair's name.

export type Direction = 'up' | 'down' | 'look'

const words: readonly (readonly [Direction, RegExp])[] = [
  [
    'down',
    /^(?:sub|del|delete|remove|erase|dec|free|put|uncharge|unaccount|unacct|unreserve|release|unmap|unpin|unlink|detach|unregister|pop|unpack|decode)$/,
  ],
  ['look', /^(?:lookup|find|search)$/],
  [
    'up',
    /^(?:add|insert|inc|alloc|zalloc|get|charge|account|acct|reserve|map|pin|link|attach|register|store|push|pack|encode)$/,
  ],
]

/**
 * Undefined for a function that says no direction. `ida_alloc_range` goes up, `__free_pages` is `*_pages` and goes
 * down.
 */
export function directionOf(callee: string): { readonly direction: Direction; readonly pair: string } | undefined {
  const parts = callee.replace(/^_+/, '').split('_')
  for (const [direction, pattern] of words) {
    const at = parts.findIndex((part) => pattern.test(part))
    if (at >= 0) return { direction, pair: parts.with(at, '*').join('_') }
  }
  return undefined
}
