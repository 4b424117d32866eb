// SPDX-License-Identifier: GPL-3.0-or-later
// Locks that old and new code do not take alike. During a transition each task has a patch state of its own
// (kernel/livepatch/transition.c), and it can change between two replaced functions. So what is dangerous is what two
// tasks, or two functions one after the other, rely on:
//   - a lock in place of another one: old code and new code then exclude each other no longer;
//   - a lock that is no longer taken, while the code around it changed, too: old code counts on it;
//   - a function that returns with a lock that it used to release, or the other way round: what runs after it may be
//     the other code;
//   - two locks whose order changes: old and new code can wait for each other for ever;
//   - a way out on which one function keeps, or gives up twice, what it never did before: that is wrong in the new code
//     alone, and what it leaves behind stays when the live patch is gone.
// A lock that is only taken in more places leaves open what was open before, until the transition is over.

import { argumentsAt } from '../../c/tokens/calls.ts'
import { variablesOf } from '../../c/written/local-variables.ts'
import { listed } from '../../ground/listed.ts'
import { grouped } from '../../ground/values/grouped.ts'
import { type ChangedFunction, type ChangedFunctions, textOf } from '../subject/changed-functions.ts'
import { type Found, foundIn } from '../subject/rule.ts'
import { type Balance, type PrimitiveUse, primitiveUsesOf, titleOf } from './balance.ts'
import { type Operation, operationsIn, plainly } from './operations.ts'
import { type UnevenExit, type Unevenness, unevenExitsOf } from './uneven-exits.ts'

type State = 'none' | 'section' | 'taken' | 'given'

function stateOf({ take, give }: Balance['before']): State {
  if (take > 0) return give > 0 ? 'section' : 'taken'
  return give > 0 ? 'given' : 'none'
}

/** What a function does to a lock, before and after. */
const wordsOfState: Readonly<Record<State, readonly [before: string, after: string]>> = {
  none: ['left it alone', 'leaves it alone'],
  section: ['took and released it', 'takes and releases it'],
  taken: ['returned with it held', 'returns with it held'],
  given: ['released it for its caller', 'releases it for its caller'],
}

/** A change of what a function owes its callers; a release that is only added is how a forgotten one is fixed. */
function changesContract({ before, after }: Balance): boolean {
  const [old, young] = [stateOf(before), stateOf(after)]
  if (old === young || (old === 'none' && young === 'section') || (old === 'section' && young === 'none')) return false
  return !(old === 'taken' && young === 'section')
}

/** The words of a function without what concerns its locks; equal ones mean that only the locking changed. */
function restOf(of: PrimitiveUse['of'], side: 'before' | 'after', locks: readonly Operation[]): string {
  const words = new Set(locks.map(({ word }) => word))
  return textOf(of[side]?.body ?? [])
    .split(/(?<=[;{}])/)
    .map((statement) => statement.trim())
    .filter((statement) => ![...words].some((word) => statement.split(' ').includes(word)))
    .join('')
}

/** Which lock is held while which other one is taken. `where` is the function. */
function nestings(where: string, operations: readonly Operation[]): Map<string, readonly [Operation, Operation]> {
  const held: Operation[] = []
  const found = new Map<string, readonly [Operation, Operation]>()
  for (const one of operations) {
    if (one.kind !== 'lock') continue
    const nameOf = ({ family, on }: Operation) => on || family
    if (one.role === 'give') {
      // On a way out only what was taken there is given up: the others go on with what they hold.
      const at = held.findIndex(
        (outer) => nameOf(outer) === nameOf(one) && (one.leaves === 0 || outer.leaves === one.leaves),
      )
      if (at >= 0) held.splice(at, 1)
      continue
    }
    for (const outer of held) {
      if (outer.key !== one.key) found.set(`${outer.key}\n${one.key}`, [outer, one])
      // Two of one kind, such as the locks of two queues, have an order by what the function calls them.
      else if (outer.on !== one.on && !outer.isInCallee && !one.isInCallee)
        found.set(`${where} ${outer.on}\n${where} ${one.on}`, [outer, one])
    }
    held.push(one)
  }
  return found
}

/**
 * Functions of which one leaves to another what it used to do itself. Where only one function changes so, its callers
 * and callees are as they were, and each call runs in one patch state.
 */
function contractFindings(
  functions: ChangedFunctions,
  all: readonly PrimitiveUse[],
): { readonly key: string; readonly found: Found }[] {
  const changed = all
    .flatMap(({ balances }) => balances)
    .filter((one) => isProtection(one) && stateOf(one.before) !== stateOf(one.after))
  return [...grouped(changed, ({ key }) => key).values()].flatMap((group) => {
    const isOneTree = group.some(({ of: root }) =>
      group.every(({ of: { name } }) => name === root.name || functions.isBelow(name, root.name)),
    )
    const first = group.find(changesContract)
    // Only releases that are added: what was forgotten. Only ones that go: what was done twice.
    const takes = group.some(({ before, after }) => before.take !== after.take)
    const moves =
      group.some(({ before, after }) => after.give > before.give) &&
      group.some(({ before, after }) => after.give < before.give)
    if (first === undefined || isOneTree || !(takes || moves)) return []
    const told = group.map(({ of: { name }, before, after }) => {
      return `${name} ${wordsOfState[stateOf(before)][0]} and now ${wordsOfState[stateOf(after)][1]}`
    })
    const found = foundIn(
      first.of,
      `Who takes and who releases ${titleOf(first)} changes: ${told.join('; ')}; these functions ` +
        'must switch together, and a task may switch between them',
      { functions: group.map(({ of: { name } }) => name) },
    )
    return { key: first.key, found }
  })
}

function isLock({ kind }: Balance): boolean {
  return kind === 'lock'
}

/** What keeps others out or away: a reader's section of RCU counts when it is given up. */
function isProtection({ kind, family }: Balance): boolean {
  return kind === 'lock' || family === 'rcu' || family === 'srcu'
}

function isGained({ before, after }: Balance): boolean {
  return stateOf(before) === 'none' && stateOf(after) === 'section'
}

function isLost({ before, after }: Balance): boolean {
  return stateOf(before) === 'section' && stateOf(after) === 'none'
}

/** A protection that a function gives up, and what it takes in its place. */
interface Loss {
  readonly balance: Balance
  readonly instead: Balance | undefined
  /** Nothing but the locking changes in the function. */
  readonly isAlone: boolean
}

/** The protections that a function gives up, without those that only moved up or down its calls. */
function lossesOf(functions: ChangedFunctions, all: readonly PrimitiveUse[], one: PrimitiveUse): Loss[] {
  const { of, before, after, balances } = one
  const took = balances.filter((balance) => isLock(balance) && isGained(balance))
  const locks = [...before, ...after].filter(({ kind }) => kind === 'lock' || kind === 'context')
  return balances
    .filter((balance) => isProtection(balance) && isLost(balance))
    .flatMap((balance): Loss[] => {
      const movedTo = ({ of: other, balances: theirs }: PrimitiveUse) =>
        other !== of &&
        theirs.some((its) => its.key === balance.key && its.after.take > its.before.take) &&
        (functions.calls(of.name, other.name) || functions.calls(other.name, of.name))
      if (all.some(movedTo) || isTakenInside(one, balance) || isTakenByCallee(functions, one, balance)) return []
      // A spinlock's holder is a reader of RCU as well: it can't be preempted.
      if (balance.family === 'rcu' && took.some(({ family }) => /^(?:spin|rw)lock$/.test(family))) return []
      return [
        {
          balance,
          instead: took.find(({ key }) => key === balance.key) ?? took[0],
          isAlone: restOf(of, 'before', locks) === restOf(of, 'after', locks),
        },
      ]
    })
}

/** `xa_erase(&x->pages, …)` takes the lock of the array itself, as `xa_lock(&x->pages)` does. */
function isTakenInside({ of }: PrimitiveUse, { words, on }: Balance): boolean {
  const { body = [] } = of.after ?? {}
  return (
    words.some((word) => word.startsWith('xa_lock')) &&
    body.some(
      ({ text }, at) =>
        /^xa_(?:destroy|erase|store|insert|alloc|cmpxchg|set_mark|clear_mark)(?:_\w+)?$/.test(text) &&
        plainly(argumentsAt(body, at + 1)[0] ?? []) === on,
    )
  )
}

/** A function of a header that is called only now, such as `get_fs_pwd`, takes and releases the same lock. */
function isTakenByCallee(
  { before, after, library }: ChangedFunctions,
  { of }: PrimitiveUse,
  { family, key }: Balance,
): boolean {
  const body = of.after?.body ?? []
  const known = new Set(of.before?.body.map(({ text }) => text))
  const mentions = (word: string) => before.mentions(word) || after.mentions(word)
  return body.some(({ kind, text }, at) => {
    if (kind !== 'name' || body[at + 1]?.text !== '(' || known.has(text)) return false
    const callee = library.definition(text)
    const locks = callee === undefined ? [] : operationsIn(callee, mentions)
    return (['take', 'give'] as const).every((role) =>
      locks.some(
        (one) => one.role === role && one.family === family && (key === one.key || key === `${one.owner} ${one.key}`),
      ),
    )
  })
}

function lossFindings(functions: ChangedFunctions, all: readonly PrimitiveUse[]): Found[] {
  const lost = all.flatMap((one) => lossesOf(functions, all, one))
  const groups = grouped(lost, ({ balance, instead, isAlone }) => [balance.key, instead?.key, isAlone].join('\n'))
  return [...groups.values()].map((losses): Found => {
    const { balance, instead, isAlone } = losses[0]!
    const names = losses.map(({ balance: { of } }) => of.name)
    const who = listed(names)
    const [take, does] = names.length === 1 ? ['takes', 'does'] : ['take', 'do']
    const title = titleOf(balance)
    const place = { symbol: balance.of.name, unit: balance.of.file, functions: names }
    if (instead !== undefined && (instead.key === balance.key || mayBeOne(balance, instead)))
      return {
        ...place,
        severity: 'note',
        message:
          `${who} took ${title}, and now ${take} ${titleOf(instead)}; that is the same lock only ` +
          'where both lead to one object',
        hint: 'See whether they do',
      }
    if (instead !== undefined)
      return {
        ...place,
        message:
          `${who} took ${title}, and now ${take} ${titleOf(instead)} instead: as long as tasks run ` +
          'both, neither lock keeps the old code and the new code apart',
        hint: `Take both locks (${title} as well) in the live patch`,
      }
    if (isAlone)
      return {
        ...place,
        ...(all.length === 1 ? { severity: 'note' as const } : {}),
        message:
          `${who} no longer ${take} ${title}; what ${names.length === 1 ? 'it does' : 'they do'} is ` +
          'otherwise the same',
        hint: `See whether nothing that changes with it relied on ${title}`,
      }
    return {
      ...place,
      message:
        `${who} no longer ${take} ${title} and ${does} something else, while other tasks still run ` +
        `the old code and count on ${title}`,
      hint: `See whether the old code is safe beside the new one; if not, keep ${title} in the live patch`,
    }
  })
}

/** Both hang on a variable of the function alone, whose name says nothing of the object. */
function mayBeOne(one: Balance, other: Balance): boolean {
  const isVariable = ({ on }: Balance) => /^[A-Za-z_]\w*$/.test(on)
  const isLocal = ({ of, on }: Balance) =>
    [of.before, of.after].some((side) => side !== undefined && variablesOf(side).has(on))
  return isVariable(one) && isVariable(other) && isLocal(one) && isLocal(other) && one.family === other.family
}

function orderFindings(all: readonly PrimitiveUse[]): Found[] {
  const found: Found[] = []
  const old = new Map(all.flatMap(({ of, lockingBefore }) => [...nestings(of.name, lockingBefore)]))
  const reported = new Set<string>()
  for (const { of, lockingAfter } of all)
    for (const [pair, [outer, inner]] of nestings(of.name, lockingAfter)) {
      const turned = pair.split('\n').reverse().join('\n')
      if (old.has(pair) || !old.has(turned) || reported.has(turned)) continue
      reported.add(pair)
      found.push(
        foundIn(
          of,
          `${of.name} now takes ${inner.on || inner.family} while it holds ` +
            `${outer.on || outer.family}; the old code takes them the other way round, so a task in the ` +
            'old code and one in the new code can deadlock',
          { hint: 'Keep the order of the locks in the live patch' },
        ),
      )
    }
  for (const { of, after } of all) {
    const turned = turnedComparison(of, after)
    if (turned === undefined) continue
    found.push(
      foundIn(
        of,
        `${of.name} takes ${turned.join(' and ')} in the order of their addresses, and now compares ` +
          'these the other way round; a task in the old code and one in the new code can deadlock',
        { hint: 'Keep the order of the locks in the live patch' },
      ),
    )
  }
  return found
}

/** Two things that a function locks, and whose order it now tells by the opposite comparison. */
function turnedComparison(of: PrimitiveUse['of'], after: readonly Operation[]): readonly string[] | undefined {
  const comparisons = (definition: ChangedFunction['before']) =>
    (definition?.body ?? []).flatMap(({ text }, at, body) => {
      const [left, right] = [body[at - 1], body[at + 1]]
      return /^[<>]=?$/.test(text) && left?.kind === 'name' && right?.kind === 'name'
        ? [{ left: left.text, right: right.text, way: text[0]! }]
        : []
    })
  const old = comparisons(of.before)
  const locked = (name: string) =>
    after.some(
      ({ kind, role, on }) =>
        kind === 'lock' && role === 'take' && (on.split(/\W/)[0] === name || on.includes(`[${name}]`)),
    )
  const found = comparisons(of.after).find(
    ({ left, right, way }) =>
      locked(left) &&
      locked(right) &&
      old.some((one) =>
        one.left === left
          ? one.right === right && one.way !== way
          : one.left === right && one.right === left && one.way === way,
      ) &&
      !old.some((one) => one.left === left && one.right === right && one.way === way),
  )
  return found && [found.left, found.right]
}

/** @param warned functions about which something graver is said */
function gainFindings(all: readonly PrimitiveUse[], warned: ReadonlySet<string | undefined>): Found[] {
  const gained = all.flatMap(({ balances }) => balances).filter((one) => isLock(one) && isGained(one))
  return [...grouped(gained, ({ key }) => key).values()].flatMap((group) => {
    const quiet = group.map(({ of }) => of.name).filter((name) => !warned.has(name))
    const [{ of }] = group as [Balance]
    if (quiet.length === 0) return []
    return foundIn(
      { name: quiet[0]!, file: of.file },
      `${listed(quiet)} now ${quiet.length === 1 ? 'takes' : 'take'} ${titleOf(group[0]!)}; tasks that still ` +
        'run the old code do not, so what the lock protects is as open as before until the transition is over',
      { severity: 'note', hint: 'Wait for the end of the transition before you count on the fix' },
    )
  })
}

/** What is wrong about a way out. */
const ofLock: Readonly<Record<Exclude<Unevenness, 'unknown'>, (name: string, title: string, line: number) => string>> =
  {
    kept: (name, title, line) =>
      `${name} can now return with ${title} held (line ${line}), which it never did before; whoever wants it ` +
      'next waits for ever, also when the live patch is gone',
    given: (name, title, line) =>
      `${name} can now release ${title} once more than it takes it (line ${line}), which it never did before`,
    'not-taken': (name, title, line) =>
      `${name} always returned with ${title} held, and can now return without it (line ${line})`,
    'not-given': (name, title, line) =>
      `${name} always released ${title} for its caller, and can now return without that (line ${line})`,
    twice: (name, title, line) =>
      `${name} now takes ${title} while it holds it already (line ${line}): it waits for itself`,
  }

/** What a section is told by: what begins it, or what ends it. */
function wordsOfSection({ how, takes, gives }: UnevenExit): readonly string[] {
  const isOfEnd = how === 'given' || how === 'not-given'
  return (isOfEnd ? gives : takes).length === 0 ? [...takes, ...gives] : isOfEnd ? gives : takes
}

const ofSection: typeof ofLock = {
  ...ofLock,
  kept: (name, words, line) =>
    `${name} can now return without ending what it began by ${words} (line ${line}), which it never did before`,
  given: (name, words, line) =>
    `${name} can now end by ${words} what it did not begin (line ${line}), which it never did before`,
  'not-taken': (name, words, line) =>
    `${name} always returned with what ${words} begins, and can now return without that (line ${line})`,
  'not-given': (name, words, line) =>
    `${name} always ended by ${words} what its caller began, and can now return without that (line ${line})`,
}

/** What one function now leaves to another one, which runs below it, or above: both run in one patch state. */
function isHandedOn(functions: ChangedFunctions, one: UnevenExit, all: readonly UnevenExit[]): boolean {
  const opposite: Partial<Record<Unevenness, Unevenness>> = { kept: 'given', given: 'kept' }
  return all.some(
    (other) =>
      other.of !== one.of &&
      other.key === one.key &&
      other.how === opposite[one.how] &&
      !functions.areApart(one.of.name, other.of.name),
  )
}

/** @param told the keys of what is said about several functions, with what is said */
function exitFindings(functions: ChangedFunctions, told: readonly { readonly key: string; readonly found: Found }[]) {
  const uneven = unevenExitsOf(functions).filter(({ kind }) => kind === 'lock' || kind === 'context')
  return uneven.flatMap((one): Found[] => {
    const { of, how, key, kind, line } = one
    const isTold = told.some(
      (other) =>
        (other.key === key || other.key.endsWith(` ${key}`)) && other.found.functions?.includes(of.name) === true,
    )
    if (how === 'unknown' || isTold || isHandedOn(functions, one, uneven)) return []
    const message =
      kind === 'lock'
        ? ofLock[how](of.name, titleOf({ ...one, words: [...one.takes, ...one.gives] }), line)
        : ofSection[how](of.name, listed(wordsOfSection(one).map((word) => `${word}()`)), line)
    return [foundIn(of, message, { hint: 'Take and release it as often on each way out, or say why this is meant' })]
  })
}

const outliving = (found: Found): Found => ({ ...found, outlives: true })

/** What changes about the locks of the changed functions. */
export function lockFindings(functions: ChangedFunctions): Found[] {
  const all = primitiveUsesOf(functions)
  const contracts = contractFindings(functions, all)
  const found = [
    ...lossFindings(functions, all),
    // A lock that is held while all switch is taken by old code and released by new.
    ...[...contracts.map((one) => one.found), ...exitFindings(functions, contracts)].map(outliving),
    ...orderFindings(all),
  ]
  return [...found, ...gainFindings(all, new Set(found.map(({ symbol }) => symbol)))]
}
