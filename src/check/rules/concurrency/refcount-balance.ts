// SPDX-License-Identifier: GPL-3.0-or-later
// References and memory that change hands otherwise than before. An object outlives a task's switch: what old code
// has set up comes to new code, and the other way round. So it is dangerous when one function gets what another one
// puts and both change, or when the put or the free moves from one function to another. It is not when one
// function only puts what it, or old code, has got already: that is how a leak is fixed.

import { listed } from '../../../ground/listed.ts'
import { grouped } from '../../../ground/values/grouped.ts'
import { type Balance, type PrimitiveUse, primitiveUsesOf, titleOf } from '../../locks/balance.ts'
import { unevenExitsOf } from '../../locks/uneven-exits.ts'
import { ownershipFindings } from '../../semantics/values/ownership.ts'
import type { ChangedFunctions } from '../../subject/changed-functions.ts'
import { type Found, foundIn, ofTexts, warning } from '../../subject/rule.ts'

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

/** What changes of each thing, in each function. */
function shiftsOf(all: readonly PrimitiveUse[]): Shift[][] {
  const counted = all.flatMap(({ of, balances }) => {
    const own = balances.filter(({ kind }) => kind === 'reference' || kind === 'memory')
    return [...grouped(own, ({ key }) => key).values()].map((its): Shift => {
      const sum = (count: (one: Balance) => number) => its.reduce((all, one) => all + count(one), 0)
      return {
        name: of.name,
        file: of.file,
        balance: its[0]!,
        take: sum(({ before, after }) => after.take - before.take),
        give: sum(({ before, after }) => after.give - before.give),
        takes: sum(({ before, after }) => after.take + before.take),
      }
    })
  })
  const changed = counted.filter(({ take, give }) => take !== 0 || give !== 0)
  return [...grouped(changed, ({ balance }) => balance.key).values()]
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
  const all = primitiveUsesOf(functions)
  for (const shifts of shiftsOf(all)) {
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
      found.push(
        foundIn(
          first,
          `${say(names(some), names(their), titleOf(first.balance))}: these functions must switch together`,
          { functions: [...names(some), ...names(their)] },
        ),
      )
    }
  }
  const told = new Set(found.flatMap((one) => one.functions ?? []))
  const exits = exitFindings(functions, all).filter(({ symbol }) => symbol === undefined || !told.has(symbol))
  return [...found, ...exits, ...ownershipFindings(functions)]
}

/** Ways out on which one function keeps, or gives back, what it never did before. */
function exitFindings(functions: ChangedFunctions, all: readonly PrimitiveUse[]): Found[] {
  return unevenExitsOf(functions).flatMap((one): Found[] => {
    const { of, how, kind, on, key, line } = one
    if ((kind !== 'reference' && kind !== 'memory') || (how !== 'kept' && how !== 'given')) return []
    // A function below it, or above, gives it back in its place.
    const isHandedOn = all.some(
      ({ of: other, balances }) =>
        other !== of &&
        !functions.areApart(of.name, other.name) &&
        balances.some(({ key: its, before, after }) => {
          return its === key && (how === 'kept' ? after.give > before.give : after.give < before.give)
        }),
    )
    if (isHandedOn) return []
    const what = kind === 'memory' ? 'frees' : 'gives back'
    const message =
      how === 'kept'
        ? `${of.name} can now return (line ${line}) with a reference to ${on} that it took and does not give back, ` +
          'which it never did before'
        : `${of.name} now ${what} ${on} once more on one way (line ${line}) than it ever did before`
    const hint = 'See whether each way gives back once what it took, and nothing else'
    return [foundIn(of, message, { hint })]
  })
}

export const refcountBalance = warning(
  'refcount-balance',
  'References, counters and memory that one changed function takes and another one gives back, otherwise than ' +
    'before, and those that a function on a way out now keeps, or gives back once more',
  'Objects that the old code has set up come to the new code and the other way round; a reference ' +
    'that only one side counts ends in a use after free or a leak',
  'Mark what the new code has set up with a shadow variable and put only what is marked, or fix the ' +
    'bug within one function',
  [
    'Documentation/livepatch/livepatch.rst: no data are stored in the modified structures at the moment',
    'Documentation/core-api/kref.rst: When you are done with a pointer, you must call kref_put()',
  ],
  ofTexts(referenceFindings),
)
