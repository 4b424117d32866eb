// SPDX-License-Identifier: GPL-3.0-or-later
// The code that a live patch replaces, as the manifest holds it for the comparison with the running kernel.
import { fieldSize } from '../../match/destination.ts'
import type { Destination, Expectation } from '../../match/expectation.ts'
import { type MatchRecord, unpackExpectation } from '../../match/record.ts'
import type { Code } from './assembly.ts'
import { quote } from './module-code.ts'

/**
 * The function's own code, without its cold part; undefined when the manifest does not have it.
 * @throws Fault `usage/bad-manifest`
 */
export function codeBefore(match: MatchRecord | undefined): Code | undefined {
  if (match === undefined) return undefined
  const expected = unpackExpectation(match.expected)
  const [main] = expected.parts
  return {
    bytes: Buffer.from(main.code, 'base64'),
    references: main.fields.map(({ at, form, to }) => {
      const relative = form === 'near' || form === 'far' || form === 'short'
      const inside = 'part' in to && to.part === 0 ? { inside: to.plus ?? 0 } : {}
      return { at, size: fieldSize(form), relative, ...nameOf(to, expected), ...inside }
    }),
  }
}

function nameOf(to: Destination, expected: Expectation): { name: string; plus: number; quoted?: string } {
  if ('symbol' in to) return { name: to.symbol, plus: to.plus ?? 0 }
  if ('part' in to) return { name: expected.parts[to.part]?.name ?? 'out-of-line code', plus: to.plus ?? 0 }
  if ('holds' in to) {
    const text = Buffer.from(to.holds, 'base64').toString('utf8').replace(/\0.*$/s, '')
    return { name: 'a constant', plus: 0, quoted: quote(text) }
  }
  if ('entry' in to) return { name: 'its entry of a table', plus: 0 }
  if ('complaint' in to) return { name: 'what UBSAN tells', plus: 0 }
  return { name: 'value' in to ? `0x${to.value.toString(16)}` : 'unknown', plus: 0 }
}
