// SPDX-License-Identifier: GPL-3.0-or-later
// Two functions that change together: one stores a value in an object that outlives the call, the other one looks the
// value up or releases it. The new functions agree with each other, but not with the values that the running code has
// stored.

import { wordsOf } from '../../../c/tokens/lexer.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { listed } from '../../../ground/listed.ts'
import { grouped } from '../../../ground/values/grouped.ts'
import { isDispatcher } from '../../semantics/reading/dispatchers.ts'
import {
  type ChangedOperation,
  changedArguments,
  changedConditions,
  changedOperands,
  nameOfThing,
} from '../../semantics/values/changed-operations.ts'
import { type Packing, packingsIn, type Scale, scalesIn } from '../../semantics/values/conversions.ts'
import { formPairs } from '../../semantics/values/forms.ts'
import { type Replacement, replacementsIn } from '../../semantics/values/replacements.ts'
import { operationsWithSharedValues } from '../../semantics/values/shared-values.ts'
import { type ChangedFunction, type ChangedFunctions, textOf } from '../../subject/changed-functions.ts'
import { type Found, foundIn, ofTexts, warning } from '../../subject/rule.ts'
import { countedFindings } from './counted-otherwise.ts'
import { placedFindings } from './placed-otherwise.ts'
import { storedFindings } from './stored-otherwise.ts'

interface Side {
  readonly name: string
  readonly file: string
  readonly gone: string
  readonly come: string
}

/** Two functions and what both now do otherwise. */
interface Meeting {
  readonly one: Side
  readonly other: Side
  readonly what: string
  readonly why: string
}

/** True when one task runs both in one call, so that both run in one patch state. */
function isOneCall(functions: ChangedFunctions, one: string, other: string): boolean {
  if (one === other || !functions.areApart(one, other)) return true
  const { definitions } = functions.after
  const root = [...definitions.keys()].find((name) =>
    [one, other].every((its) => its !== name && functions.isBelow(its, name)),
  )
  return root !== undefined && !isDispatcher(definitions.get(root)!, [one, other])
}

function meeting(one: Side, other: Side, what: string, why: string): Meeting {
  return { one, other, what, why }
}

function told({ gone, come }: Side): string {
  return gone === come ? gone : `${gone || 'as it is'}, now ${come || 'as it is'}`
}

const left = 'what the old code has left is met by the new code, and the other way round after a revert'

/** What two calls have in common, of which one undoes or looks for what the other one does. */
function commonOf(one: ChangedOperation, other: ChangedOperation): string | undefined {
  const areBoth = one.direction !== undefined && other.direction !== undefined && one.direction !== other.direction
  const thing = one.things.find((its) => other.things.includes(its))
  const isSame = one.change === other.change
  if (thing !== undefined && areBoth && one.index >= 0 && other.index >= 0) return thing
  if (thing !== undefined && areBoth && isSame && one.change === 'condition') return thing
  if (!isSame || one.change === 'condition') return undefined
  if (one.callee === other.callee && one.index !== other.index && one.index >= 0 && other.index >= 0)
    return `${one.callee}()`
  if (areBoth && one.pair !== undefined && one.pair === other.pair) return `${one.pair}()`
  return undefined
}

/** An operand of a sum here, and there what is put onto or taken off the member that holds the sum. */
function sumOf(operand: ChangedOperation, step: ChangedOperation): string | undefined {
  if (operand.index !== -1 || step.index < 0 || operand.change !== step.change) return undefined
  if (step.direction === undefined || operand.direction === step.direction) return undefined
  return step.things.find((thing) => operand.things.includes(nameOfThing(thing)))
}

function stepMeetings(steps: readonly ChangedOperation[], operands: readonly ChangedOperation[]): Meeting[] {
  const among = steps.flatMap((one, at) =>
    steps.slice(at + 1).flatMap((other): Meeting[] => {
      const common = one.name === other.name ? undefined : commonOf(one, other)
      return common === undefined ? [] : [meeting(...inOrder(one, other), `uses ${common}`, left)]
    }),
  )
  const sums = operands.flatMap((operand) =>
    steps.flatMap((step): Meeting[] => {
      const sum = operand.name === step.name ? undefined : sumOf(operand, step)
      return sum === undefined ? [] : [meeting(...inOrder(operand, step), `counts for ${sum}`, left)]
    }),
  )
  return [...among, ...sums]
}

/** Who puts in comes first. */
function inOrder(one: ChangedOperation, other: ChangedOperation): [ChangedOperation, ChangedOperation] {
  return other.direction === 'up' && one.direction !== 'up' ? [other, one] : [one, other]
}

function packingMeetings(packings: readonly Packing[]): Meeting[] {
  const why = 'words that the old code has packed are unpacked by the new code'
  return packings.flatMap((pack) =>
    packings.flatMap((unpack) => {
      const shift = [...pack.shifts].find((one) => unpack.shifts.has(one))
      const areBoth = pack.does !== 'unpack' && unpack.does !== 'pack' && shift !== undefined
      return areBoth ? [meeting(pack, unpack, `packs by ${shift}`, why)] : []
    }),
  )
}

function scaleMeetings(scales: readonly Scale[]): Meeting[] {
  const why = 'objects hold what the old code has written'
  return scales.flatMap((one) =>
    scales.flatMap((other) =>
      one.member !== undefined && other.unit === one.unit && other.by !== one.by && other.member !== one.member
        ? [meeting(one, other, `takes ${one.member} in another unit`, why)]
        : [],
    ),
  )
}

/** What the functions of one thing do otherwise, as one finding, and the names that stand in what they do. */
function together(
  meetings: readonly Meeting[],
  functions: ChangedFunctions,
): { found: Found; names: ReadonlySet<string> }[] {
  const apart = meetings.filter(({ one, other }) => !isOneCall(functions, one.name, other.name))
  return [...grouped(apart, ({ what }) => what)].map(([what, of]) => {
    const sides = of.flatMap(({ one, other }) => [one, other])
    const [first, ...rest] = [...grouped(sides, ({ name }) => name).values()].map(([side]) => side!)
    const does = rest.length === 1 ? 'does' : 'do'
    const found = foundIn(
      first!,
      `${first!.name} now ${what} otherwise (${told(first!)}), and so ${does} ` +
        `${listed(rest.map((side) => `${side.name} (${told(side)})`))}; ${of[0]!.why}`,
      { functions: sides.map(({ name }) => name) },
    )
    return {
      found,
      names: new Set([what, ...sides.flatMap(({ name, gone, come }) => [name, gone, come])].flatMap(wordsOf)),
    }
  })
}

/** True of a function of which only macros change that are put into it. */
function isWrittenAlike(one: ChangedFunction | undefined): boolean {
  const text = (side: Definition | undefined) => textOf(side?.written ?? side?.body ?? [])
  return one !== undefined && text(one.before) === text(one.after)
}

export function meantFindings(functions: ChangedFunctions): Found[] {
  const constants = new Set(functions.constants.map(({ name }) => name))
  const both = functions.rewritten
  const names = new Set(both.map(({ name }) => name))
  const replaced = new Map<ChangedFunction, readonly Replacement[]>(both.map((one) => [one, replacementsIn(one)]))
  const all = <Fact>(find: (one: ChangedFunction, replacements: readonly Replacement[]) => readonly Fact[]) =>
    [...replaced].flatMap(([one, replacements]) => find(one, replacements))
  // A constant’s users change with it, though their texts are the same.
  const users = constants.size === 0 ? [] : [...functions.after.definitions.keys()]
  const same = users.flatMap((name): ChangedFunction[] => {
    const [before, after] = [functions.before, functions.after].map((side) => side.definitions.get(name))
    if (before === undefined || after === undefined || names.has(name)) return []
    return [{ name, file: functions.after.fileOf(name) ?? '', before, after }]
  })
  const packings = [...both, ...same].flatMap((one) => packingsIn(one, replaced.get(one) ?? [], constants))
  const meetings = [
    ...stepMeetings([...all(changedArguments), ...all(changedConditions)], all(changedOperands)),
    ...packingMeetings(packings),
    ...scaleMeetings(all(scalesIn)),
    ...stepMeetings(operationsWithSharedValues(functions, replaced, constants), []),
  ]
  const isTold = (name: string, other: string) =>
    meetings.some(
      (its) => [its.one.name, its.other.name].includes(name) && [its.one.name, its.other.name].includes(other),
    )
  const forms = formPairs(functions).flatMap(({ one, other, what }) =>
    isTold(one.name, other.name) ? [] : [meeting(one, other, what, left)],
  )
  const found = together([...meetings, ...forms], functions)
  if (found.length === 0) return []
  // A note asks nothing, so it takes no question's place.
  const others = [...storedFindings(functions), ...countedFindings(functions), ...placedFindings(functions)].filter(
    ({ severity }) => severity !== 'note',
  )
  const macros = new Set(functions.all.flatMap(({ name, isPutIn }) => (isPutIn ? [name] : [])))
  // What another rule asks of the function, of the constant or of the macro that alone makes it another one is not
  // asked again.
  return found.flatMap(({ found: one, names }) => {
    const isMacroAlone = isWrittenAlike(both.find(({ name }) => name === one.symbol))
    const isAsked = others.some(
      ({ symbol = '', functions: its = [] }) =>
        symbol === one.symbol || its.includes(one.symbol!) || names.has(symbol) || (isMacroAlone && macros.has(symbol)),
    )
    return isAsked ? [] : [one]
  })
}

export const meantOtherwise = warning(
  'meant-otherwise',
  'Two functions that change together: one puts a value into something that lives, counts or packs ' +
    'it, and another one finds it, gives it back or unpacks it, both otherwise than before',
  'The new functions agree with each other, and not with what the old ones have left: an index, a ' +
    'size, a charge or a packed word is taken for another one',
  'Let the new code understand both, or do as before for what is there and mark what is new, such as ' +
    'by a shadow variable',
  ['Documentation/livepatch/livepatch.rst: exchange meaning of some temporary structures'],
  ofTexts(meantFindings),
)
