// SPDX-License-Identifier: GPL-3.0-or-later
// Which function owns something and gives it back: an id, an entry of a list, a reference, a share of a counter. Where
// ownership goes from one function to another one, and one call does not run both, an object can meet the old code in
// one of them and the new code in the other: a work that new code queues is run by old code. The words that the
// primitives know are `refcount-balance`'s own matter.

import { callsIn } from '../../../c/tokens/calls.ts'
import type { Token } from '../../../c/tokens/lexer.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { variablesOf } from '../../../c/written/local-variables.ts'
import { listed } from '../../../ground/listed.ts'
import { grouped } from '../../../ground/values/grouped.ts'
import { lastName, operationsIn, plainly, withHelpers } from '../../locks/operations.ts'
import { primitiveOf } from '../../locks/primitives.ts'
import type { Library } from '../../subject/callee-bodies.ts'
import type { ChangedFunctions, Side } from '../../subject/changed-functions.ts'
import type { Found } from '../../subject/rule.ts'
import { type Acquisition, acquisitionsBy, isSameResource } from '../effects/acquisitions.ts'
import { spelled } from '../reading/calls-and-assignments.ts'
import { type DoneMoreOften, doneMoreOften } from '../reading/differences.ts'
import { asks, says } from '../reading/known-callees.ts'
import { amountsIn } from './counters.ts'

interface OwnershipChange {
  readonly role: Acquisition['role']
  /** What is given back, by what, in words that other functions share. */
  readonly key: string
  /** As it is written. */
  readonly text: string
  readonly acquisition?: Acquisition
}

/** What is told of a list, a tree or a table that an entry leaves, and of which argument is the entry or the table. */
const leaves =
  /^(?:__)?((?:h|pl|ll)?list|rb|xa|radix_tree|rhashtable|hash|device|cdev)_\w*?(?:del|delete|erase|remove)(?:_|$)/
const joins =
  /^(?:__)?((?:h|pl|ll)?list|rb|xa|radix_tree|rhashtable|hash|device|cdev)_\w*?(?:add|insert|store|alloc|link)(?:_|$)/
/** Twice is once: the entry is made fit to be taken out again, or it is only switched off. */
const idempotent = /^(?:h?list_\w+_init\w*|(?!clk_|regulator_)\w*disable\w*|\w*napi\w*)$/
/** An order of accesses. */
const ordering = /(?:^|_)(?:store|set|xchg|cmpxchg|fetch|try|clear)\w*_release$/

/**
 * What tells an argument in every function: a member, a struct, a variable of the file; undefined for what is only the
 * call's own.
 */
function nameOf(written: readonly Token[], definition: Definition): string | undefined {
  const variables = variablesOf(definition)
  const plain = plainly(written)
  if (!/^[A-Za-z_]\w*$/.test(plain)) return /[A-Za-z_]/.test(plain) ? lastName(plain) : undefined
  const variable = variables.get(plain)
  if (variable === undefined) return plain
  if (/^(?:struct|union) /.test(variable.type)) return variable.type
  const value = variable.value === undefined ? '' : plainly(variable.value)
  return /->|\./.test(value) ? lastName(value) : variable.isParameter ? plain : undefined
}

/** What one call takes or gives. */
function ownershipChangesBy(
  word: string,
  inner: readonly (readonly Token[])[],
  definition: Definition,
): OwnershipChange[] {
  if (says.test(word) || asks.test(word) || idempotent.test(word) || ordering.test(word)) return []
  const text = `${word}(${inner.map(spelled).join(', ')})`
  const link = leaves.exec(word) ?? joins.exec(word)
  if (link !== null) {
    const name = nameOf(inner[word.startsWith('hash_add') ? 1 : 0] ?? [], definition)
    return name === undefined ? [] : [{ role: leaves.test(word) ? 'give' : 'take', key: `${link[1]} ${name}`, text }]
  }
  const plain = primitiveOf(word, () => true)
  const names = inner.flatMap((one) => nameOf(one, definition) ?? [])
  const acquisitions = acquisitionsBy(word)
  if (plain?.kind === 'reference' && plain.argument === undefined) {
    const one = { role: plain.role, key: `${plain.family} ${names[0]}`, text }
    const [acquisition] = acquisitions
    return names.length === 0 ? [] : [acquisition === undefined ? one : { ...one, acquisition }]
  }
  return acquisitions.flatMap((acquisition): OwnershipChange[] => {
    const { role, thing, manner } = acquisition
    const key = `${thing.join(' ')} ${manner} ${names.join(' ')}`
    return role === 'give' && names.length === 0 ? [] : [{ role, key, text, acquisition }]
  })
}

/** What a function and its new helpers take and give, as far as the primitives do not say it. */
function ownershipChangesOf(side: Side, own: Definition, other: Side, library: Library): OwnershipChange[] {
  const mentions = (word: string) => side.mentions(word) || other.mentions(word)
  return withHelpers(side, own, other).flatMap((definition) => {
    const counted = new Set(operationsIn(definition, mentions).map(({ on }) => lastName(on)))
    const calls = callsIn(definition.body).flatMap((call): OwnershipChange[] => {
      const { name } = call
      const isOneSided = side.definitions.has(name) && !other.definitions.has(name)
      if (isOneSided || primitiveOf(name, mentions) !== undefined) return []
      const callee = side.definitions.get(name) ?? library.definition(name)
      return callee !== undefined && clears(callee) ? [] : ownershipChangesBy(name, call.values, definition)
    })
    const sums = amountsIn(definition, () => undefined).filter(
      ({ thing }) => !counted.has(thing) && !thing.endsWith('()'),
    )
    const shares = sums.map(({ thing, direction, text }): OwnershipChange => {
      return { role: direction === 'up' ? 'take' : 'give', key: `sum ${thing}`, text: `${text} off ${thing}` }
    })
    return [...calls, ...shares]
  })
}

/** True where a function of the kernel’s text clears what it gives back: it finds nothing when it is called again. */
function clears({ body }: Definition): boolean {
  return body.some(({ text }, at) => text === 'NULL' && body[at - 1]?.text === '=' && body[at + 1]?.text === ';')
}

/** True when what is given is taken there, too: then all of it has moved. */
function takesToo(list: readonly OwnershipChange[], give: OwnershipChange): boolean {
  return list.some(
    (one) =>
      one.role === 'take' &&
      (one.key === give.key ||
        (one.acquisition !== undefined &&
          give.acquisition !== undefined &&
          isSameResource(one.acquisition, give.acquisition))),
  )
}

/**
 * True when a function is called by somebody else than who calls it by name: a work, a timer, an RCU callback, a
 * thread.
 */
function runsLater({ before }: ChangedFunctions, name: string): boolean {
  const isLater = (one: string) => before.isAddressTaken(one) && !before.isInTable(one)
  return isLater(name) || [...before.users(name)].some(isLater)
}

/** What one function gave back before the patch, and another one does after it. */
export function ownershipFindings(functions: ChangedFunctions): Found[] {
  const differences = doneMoreOften(
    functions,
    (side, own, other) => ownershipChangesOf(side, own, other, functions.library),
    (one, other) => one.role === other.role && one.key === other.key,
  )
  const given = (list: readonly OwnershipChange[]) => list.filter((one) => one.role === 'give' && !takesToo(list, one))
  const keys = new Set(differences.flatMap(({ gone }) => given(gone).map(({ key }) => key)))
  const changed = new Set(functions.all.map(({ name }) => name))
  /** What a changed caller does itself in place of what it calls is one call, if all that call it change as well. */
  const isOfCaller = (callee: string, caller: string) =>
    functions.after.users(callee).has(caller) &&
    [functions.before, functions.after].every(
      (side) => !side.isAddressTaken(callee) && [...side.users(callee)].every((user) => changed.has(user)),
    )
  const handed = [...keys].flatMap((key) => {
    const has = (list: readonly OwnershipChange[]) => given(list).some((one) => one.key === key)
    const losers = differences.filter(({ gone }) => has(gone))
    const winners = differences.filter(({ come }) => has(come))
    const names = (list: readonly DoneMoreOften<OwnershipChange>[]) => list.map(({ of }) => of.name)
    const isApart = ({ of: one }: DoneMoreOften<OwnershipChange>, { of: other }: DoneMoreOften<OwnershipChange>) =>
      one !== other && !isOfCaller(one.name, other.name) && !isOfCaller(other.name, one.name)
    const apart = losers.filter(
      (one) => !functions.isBelowAny(one.of.name, names(winners)) && winners.some((other) => isApart(one, other)),
    )
    const [first] = apart
    if (first === undefined) return []
    const { text } = given(first.gone).find((one) => one.key === key)!
    return [{ text, of: first.of, from: names(apart), to: names(winners) }]
  })
  // What goes from the same functions to the same ones is told together.
  return [...grouped(handed, ({ from, to }) => `${from} ${to}`).values()].map((all): Found => {
    const { of, from, to } = all[0]!
    const late = [...from, ...to].filter((name) => runsLater(functions, name))
    const meet =
      late.length === 0
        ? 'where old and new code meet,'
        : `${listed(late)} can run later, in the other patch state than what queued it: then`
    return {
      symbol: of.name,
      unit: of.file,
      functions: [...from, ...to],
      message:
        `What ${listed(from)} gave back (${listed(all.map(({ text }) => text))}) is now given back in ` +
        `${listed(to)}; ${meet} it is given back twice or never, so these functions must switch together`,
    }
  })
}
