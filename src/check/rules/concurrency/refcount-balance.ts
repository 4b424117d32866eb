// SPDX-License-Identifier: GPL-3.0-or-later
// References and memory that change hands otherwise than before. An object outlives a task's switch: what old code
// has set up comes to new code, and the other way round. So it is dangerous when one function gets what another one
// puts and both change, or when the put or the free moves from one function to another. It is not when one
// function only puts what it, or old code, has got already: that is how a leak is fixed.

import { listed } from '../../../ground/listed.ts'
import { type Balance, type PrimitiveUse, primitiveUsesOf, titleOf } from '../../locks/balance.ts'
import { ownershipFindings } from '../../semantics/values/ownership.ts'
import { type ChangedFunctions, changedFunctionsOf } from '../../subject/changed-functions.ts'
import type { Found, Rule } from '../../subject/rule.ts'

interface Shift {
  readonly name: string
  readonly file: string
  readonly balance: Balance
  /** What the patch adds. */
  readonly take: number
  readonly give: number
  /** How often it takes at all, on both sides together. */
  readonly takes: number
}

function shiftsOf(all: readonly PrimitiveUse[]): Map<string, Shift[]> {
  const found = new Map<string, Shift[]>()
  for (const { of, balances } of all) {
    const own = new Map<string, Shift>()
    for (const balance of balances) {
      if (balance.kind !== 'reference' && balance.kind !== 'memory') continue
      const known = own.get(balance.key)
      own.set(balance.key, {
        name: of.name,
        file: of.file,
        balance: known?.balance ?? balance,
        take: (known?.take ?? 0) + balance.after.take - balance.before.take,
        give: (known?.give ?? 0) + balance.after.give - balance.before.give,
        takes: (known?.takes ?? 0) + balance.after.take + balance.before.take,
      })
    }
    for (const [key, shift] of own)
      if (shift.take !== 0 || shift.give !== 0) found.set(key, [...(found.get(key) ?? []), shift])
  }
  return found
}

const dangers: readonly {
  readonly one: (shift: Shift) => boolean
  readonly other: (shift: Shift) => boolean
  readonly kinds: readonly Balance['kind'][]
  readonly say: (one: readonly string[], other: readonly string[], title: string) => string
}[] = [
  {
    kinds: ['reference'],
    one: ({ take }) => take > 0,
    other: ({ take, give }) => give > 0 && take <= 0,
    say: (one, other, title) =>
      `References to ${title} are now taken in ${listed(one)} and dropped in ${listed(other)}; what the ` +
      'old code has set up has none, and would be dropped once too often',
  },
  {
    kinds: ['reference'],
    one: ({ take }) => take < 0,
    other: ({ take, give }) => give < 0 && take >= 0,
    say: (one, other, title) =>
      `References to ${title} are no longer taken in ${listed(one)} and dropped in ${listed(other)}; a ` +
      'task that still runs the old code drops what the new code never took, and what the old code took ' +
      'is never dropped',
  },
  {
    kinds: ['reference'],
    one: ({ take, give }) => take < 0 && give >= 0,
    other: ({ take, give }) => take > 0 && give <= 0,
    say: (one, other, title) =>
      `References to ${title} that ${listed(one)} took are now taken in ${listed(other)}; where a task ` +
      'switches between them, nobody takes one, or both do',
  },
  {
    kinds: ['reference', 'memory'],
    one: ({ take, give }) => give < 0 && take >= 0,
    other: ({ take, give }) => give > 0 && take <= 0,
    say: (one, other, title) =>
      `What ${listed(one)} released (${title}) is now released in ${listed(other)}; where old and new ` +
      'code meet, it is released twice or never',
  },
  {
    kinds: ['reference'],
    one: ({ take, give, takes }) => takes > 0 && take === 0 && give > 0,
    other: ({ give, takes }) => give > 0 && takes === 0,
    say: (one, other, title) =>
      `References to ${title} that ${listed(one)} takes are now dropped in ${listed(other)} as well; ` +
      'where old and new code meet, they are dropped twice or never',
  },
]

export function referenceFindings(functions: ChangedFunctions): Found[] {
  const found: Found[] = []
  for (const shifts of shiftsOf(primitiveUsesOf(functions)).values()) {
    const said = new Set<Shift>()
    for (const { kinds, one: isOne, other: isOther, say } of dangers) {
      const ones = shifts.filter((shift) => kinds.includes(shift.balance.kind) && isOne(shift))
      const others = shifts.filter((shift) => kinds.includes(shift.balance.kind) && isOther(shift))
      const apart = (one: Shift, other: Shift) =>
        other !== one && !(said.has(one) && said.has(other)) && functions.areApart(one.name, other.name)
      // What a search returns with a reference, each of its callers drops: one call, in one patch state.
      const names = (list: readonly Shift[]) => list.map(({ name }) => name)
      const some = ones.filter(
        (one) => others.some((other) => apart(one, other)) && !functions.isBelowAny(one.name, names(others)),
      )
      const their = others.filter((other) => some.some((one) => apart(one, other)))
      const [first] = some
      if (first === undefined) continue
      for (const shift of [...some, ...their]) said.add(shift)
      found.push({
        symbol: first.name,
        unit: first.file,
        functions: [...names(some), ...names(their)],
        message: `${say(names(some), names(their), titleOf(first.balance))}: these functions must switch together`,
      })
    }
  }
  return [...found, ...ownershipFindings(functions)]
}

export const refcountBalance: Rule = {
  name: 'refcount-balance',
  severity: 'warning',
  looksFor:
    'References, counters and memory that one changed function takes and another one gives back, otherwise than before',
  why:
    'Objects that the old code has set up come to the new code and the other way round; a reference ' +
    'that only one side counts ends in a use after free or a leak',
  remedy:
    'Mark what the new code has set up with a shadow variable and put only what is marked, or fix the ' +
    'bug within one function',
  restsOn: [
    {
      file: 'Documentation/livepatch/livepatch.rst',
      says: 'no data are stored in the modified structures at the moment',
    },
    {
      file: 'Documentation/core-api/kref.rst',
      says: 'When you are done with a pointer, you must call kref_put()',
    },
  ],
  find: (_job, subject) => referenceFindings(changedFunctionsOf(subject)),
}
