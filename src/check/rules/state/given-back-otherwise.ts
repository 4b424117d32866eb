// SPDX-License-Identifier: GPL-3.0-or-later
// Memory that lives when the live patch comes was taken as the old code takes it, and what the new code took may come
// to old code, during the transition and after a revert. So where one side's allocator is not the one that the other
// side gives back to, something is freed as what it is not.

import { argumentsAt } from '../../../c/tokens/calls.ts'
import type { Token } from '../../../c/tokens/lexer.ts'
import { isArrow } from '../../../c/tokens/names.ts'
import { statementsOf } from '../../../c/tokens/statements.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { variablesOf } from '../../../c/written/local-variables.ts'
import { listed } from '../../../ground/listed.ts'
import { withHelpers } from '../../locks/operations.ts'
import { acquisitionFindings } from '../../semantics/effects/acquisitions.ts'
import { type Allocation, allocationsOf, allocationsThrough } from '../../semantics/memory/allocation.ts'
import { accepts, type Family } from '../../semantics/reading/allocators.ts'
import type { ChangedFunctions, Side } from '../../subject/changed-functions.ts'
import { type Found, foundInEach, ofTexts, warning } from '../../subject/rule.ts'

interface Sides {
  readonly before: readonly Allocation[]
  readonly after: readonly Allocation[]
}

function ofThing(all: readonly Allocation[], thing: string, role: Allocation['role']): Allocation[] {
  return all.filter((one) => one.thing === thing && one.role === role)
}

/** True when one function takes and gives back all that there is of it. */
function isLocal({ before, after }: Sides, thing: string, name: string): boolean {
  const all = [...before, ...after].filter((one) => one.thing === thing)
  return (
    all.some(({ role }) => role === 'take') &&
    all.some(({ role }) => role === 'give') &&
    all.every(({ definition }) => definition.name === name)
  )
}

/**
 * True when all that a function takes of a thing lies in one variable of it, is kept nowhere, and goes back before the
 * function returns, whatever others do with such a thing.
 */
function isOfOneCall(
  { body }: Definition,
  own: readonly Allocation[],
  thing: string,
  find: (name: string) => Definition | undefined,
): boolean {
  const all = own.filter((one) => one.thing === thing)
  const [takes, gives] = [ofThing(all, thing, 'take'), ofThing(all, thing, 'give')]
  const names = new Set(all.map(({ variable }) => variable))
  const [name] = names
  if (takes.length === 0 || gives.length === 0 || names.size !== 1 || name === undefined) return false
  const isKept = body.some(
    ({ text }, at) =>
      text === name &&
      ((/^(?:=|return)$/.test(body[at - 1]?.text ?? '') && body[at + 1]?.text === ';') ||
        (body[at - 1]?.text === '&' && !isArrow(body[at + 1]))),
  )
  if (isKept || isHandedOut(body, name, find)) return false
  const statements = statementsOf(body)
  const places = (words: readonly string[]) =>
    statements.flatMap(({ tokens }, at) =>
      tokens.some(({ text }) => words.includes(text)) && tokens.some(({ text }) => text === name) ? [at] : [],
    )
  const [first = 0] = places(takes.map(({ word }) => word))
  const last = places(gives.map(({ word }) => word)).at(-1) ?? 0
  return statements
    .slice(first + 1, last)
    .every(
      ({ kind, tokens, under }) =>
        kind !== 'exit' ||
        tokens[0]?.text !== 'return' ||
        under.at(-1)?.tokens.some(({ text }) => text === name) === true,
    )
}

/** Words that use memory and keep no pointer to it. */
const uses =
  /^(?:k?v?k?z?free\w*|\w+_free|free_\w+|IS_ERR\w*|PTR_ERR|ERR_PTR|(?:un)?likely|mem\w+|str\w+|copy_(?:from|to)_\w+|sizeof|if|while|return|WARN\w*|BUG\w*|sn?printf|scnprintf|access_ok)$/

/** True when a function that gets a variable keeps it, or may. */
function isHandedOut(body: readonly Token[], name: string, find: (name: string) => Definition | undefined): boolean {
  return body.some(({ kind, text }, at) => {
    if (kind !== 'name' || body[at + 1]?.text !== '(' || uses.test(text)) return false
    const index = argumentsAt(body, at + 1).findIndex((value) => value.at(-1)?.text === name && value.length < 3)
    if (index < 0) return false
    const callee = find(text)
    if (callee === undefined) return true
    const parameter = [...variablesOf(callee).values()].filter(({ isParameter }) => isParameter)[index]?.name
    return callee.body.some(
      (one, use) =>
        one.text === parameter &&
        /^(?:=|,|\(|&|return)$/.test(callee.body[use - 1]?.text ?? '') &&
        /^(?:;|,|\)|->)$/.test(callee.body[use + 1]?.text ?? '') &&
        !(callee.body[use + 1]!.text === '->' && callee.body[use - 1]!.text !== '&') &&
        !uses.test(callee.body[use - 2]?.text ?? ''),
    )
  })
}

function differs(old: readonly Allocation[], young: readonly Allocation[]): boolean {
  const spelled = (list: readonly Allocation[]) =>
    [...new Set(list.map(({ families, offset }) => `${families} ${offset}`))].sort().join('\n')
  return spelled(old) !== spelled(young)
}

export function givenBackFindings(functions: ChangedFunctions): Found[] {
  const whole: Sides = { before: allocationsOf(functions.before), after: allocationsOf(functions.after) }
  const found = functions.rewritten.flatMap((one) => {
    // What the patch moves into a new function, or out of one that goes, is the caller's.
    const through = (side: Side, other: Side, own: Definition) =>
      withHelpers(side, own, other).flatMap((part) =>
        allocationsThrough(side, part).map((its) => ({ ...its, definition: own })),
      )
    const own: Sides = {
      before: through(functions.before, functions.after, one.before),
      after: through(functions.after, functions.before, one.after),
    }
    const find = (name: string) => functions.before.definitions.get(name) ?? functions.library.definition(name)
    const isOneCalls = (thing: string) =>
      isOfOneCall(one.before!, own.before, thing, find) && isOfOneCall(one.after!, own.after, thing, find)
    const things = new Set([...own.before, ...own.after].map(({ thing }) => thing))
    return [...things]
      .filter((thing) => !isLocal(whole, thing, one.name) && !isOneCalls(thing))
      .flatMap((thing) => dangersOf(own, whole, thing).map((does) => ({ of: one, does })))
  })
  return foundInEach(found)
}

/** What is wrong with how a function takes or gives back a thing. */
function dangersOf(own: Sides, whole: Sides, thing: string): string[] {
  return [...givingDangers(own, whole, thing), ...takingDangers(own, whole, thing)]
}

function givingDangers(own: Sides, whole: Sides, thing: string): string[] {
  const [old, gives] = [ofThing(own.before, thing, 'give'), ofThing(own.after, thing, 'give')]
  if (old.length === 0 || gives.length === 0 || !differs(old, gives)) return []
  const there = ofThing(whole.before, thing, 'take')
  // Where nobody is seen to allocate it, it is what the old code gave it back as.
  const from: readonly Family[] = (there.length > 0 ? there : old).flatMap(({ families }) => families)
  return gives.flatMap((give) => {
    const isNew = !old.some(({ word }) => word === give.word)
    if (isNew && !from.every((family) => accepts(give.families, family)))
      return [
        `now gives ${thing} back by ${give.word}; what the old code has allocated is from ` +
          `${listed(from)} and can’t go back so`,
      ]
    const isAway = !old.some(({ offset }) => offset === give.offset)
    if (!isAway || (there.length > 0 && there.every(({ offset }) => opposite(offset, give.offset)))) return []
    return [
      `now gives back ${thing} ${give.offset || 'without what it subtracted'}, which is ` +
        'where the new code’s allocations begin and not the old code’s',
    ]
  })
}

function takingDangers(own: Sides, whole: Sides, thing: string): string[] {
  const [old, takes] = [ofThing(own.before, thing, 'take'), ofThing(own.after, thing, 'take')]
  if (old.length === 0 || takes.length === 0 || !differs(old, takes)) return []
  const givers = ofThing(whole.before, thing, 'give')
  return takes.flatMap((take): string[] => {
    const found: string[] = []
    const family = take.families[0]!
    const isNew = !old.some(({ families }) => families[0] === family)
    // Who gives back what all old takes could not give either was wrong before.
    const refusing = givers.filter(
      (give) => isNew && !accepts(give.families, family) && old.some((one) => accepts(give.families, one.families[0]!)),
    )
    if (refusing.length > 0)
      found.push(
        `now takes ${thing} from ${family}; the old code, which runs on until the ` +
          `transition is over and again after a revert, gives it back by ${listed(refusing.map(({ word }) => word))}`,
      )
    else if (isNew && givers.length === 0 && !(family === 'kmalloc' || family.startsWith('kmem_cache ')))
      found.push(
        `now takes ${thing} from ${family} instead of ${listed(old.flatMap(({ families }) => families))}; ` +
          'who gives it back is not in the changed files, and must be able to',
      )
    if (!old.some(({ offset }) => offset === take.offset))
      found.push(
        `now puts ${thing} at another place of its allocation (${take.offset || 'its begin'}); old code gives it ` +
          'back from where it used to be',
      )
    return found
  })
}

function opposite(one: string, other: string): boolean {
  return one.replace(/^\+/, '-') === other || one.replace(/^-/, '+') === other
}

export const givenBackOtherwise = warning(
  'given-back-otherwise',
  'Memory that is allocated or freed by another family (kmalloc, kmem_cache, vmalloc, per-CPU, ' +
    'pages), or from another place in it, and what one function takes and another one gives back, both ' +
    'by other functions than before (pinned pages, interrupts, clocks, mappings)',
  'What the old code has allocated comes to the new code, and the other way round; given back to ' +
    'the wrong allocator it corrupts memory',
  'Keep the allocator, or free by what takes both (kvfree takes kmalloc and vmalloc), and let old ' +
    'objects go before you rely on it',
  ['Documentation/core-api/memory-allocation.rst: When the allocated memory is no longer needed it must be freed'],
  ofTexts((functions) => [...givenBackFindings(functions), ...acquisitionFindings(functions)]),
)
