// SPDX-License-Identifier: GPL-3.0-or-later
// Objects and buffers that new code makes larger, and into which other new code reaches further than before. Those that
// the old code made have not got that room: there the new code runs over their end.

import { constantValue } from '../../../c/tokens/constant-value.ts'
import { closing, type Token, tokenize } from '../../../c/tokens/lexer.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { macroValues } from '../../../c/written/macro-values.ts'
import { listed } from '../../../ground/listed.ts'
import type { FileChange } from '../../../patch/patch.ts'
import { withHelpers } from '../../locks/operations.ts'
import type { ChangedFunctions, Side } from '../../subject/changed-functions.ts'
import { changedConstants } from '../../subject/changed-names.ts'
import { kernelFiles } from '../../subject/kernel-files.ts'
import type { Found } from '../../subject/rule.ts'
import { onlyIn } from '../reading/differences.ts'
import { type BoundedAccess, boundedAccessesIn, checksRoom } from './access-bounds.ts'
import { type AllocationSize, allocationSizesIn, packet, type Reading } from './allocation-sizes.ts'
import { mayExceed, type Size, spelledSize } from './sizes.ts'

interface Versions {
  readonly name: string
  readonly file: string
  readonly before: readonly Definition[]
  readonly after: readonly Definition[]
}

interface Growth {
  readonly thing: string
  readonly old: Size
  readonly young: Size
  readonly isKept: boolean
}

/** The functions that differ, and those in which a constant stands that has another value. */
function versionsOf(functions: ChangedFunctions, constants: ReadonlySet<string>): Versions[] {
  const found = functions.all.flatMap(({ name, file, before: old, after: young, isPutIn }): Versions[] => {
    if (young === undefined || isPutIn === true) return []
    const before = old === undefined ? [] : withHelpers(functions.before, old, functions.after)
    return [{ name, file, before, after: withHelpers(functions.after, young, functions.before) }]
  })
  const known = new Set(functions.all.map(({ name }) => name))
  for (const [name, after] of functions.after.definitions) {
    const before = functions.before.definitions.get(name)
    const file = functions.after.fileOf(name)
    if (known.has(name) || before === undefined || file === undefined) continue
    if (!after.body.some(({ text }) => constants.has(text))) continue
    found.push({ name, file, before: [before], after: [after] })
  }
  return found
}

function spelled(size: Size): string {
  return [...size]
    .map(([factors, count]) => `${count} ${factors}`)
    .sort()
    .join('\n')
}

/** What a function gives more room than before. */
function growthsOf(old: readonly AllocationSize[], young: readonly AllocationSize[]): Growth[] {
  return [...new Set(young.flatMap(({ things }) => things))].flatMap((thing) => {
    const [was, is] = [old, young].map((rooms) => rooms.filter(({ things }) => things.includes(thing)))
    const isSame = (one: AllocationSize, other: AllocationSize) => spelled(one.size) === spelled(other.size)
    const gone = onlyIn(was!, is!, isSame)
    for (const room of onlyIn(is!, was!, isSame)) {
      const before = gone.find(({ size }) => mayExceed(room.size, size))
      if (before !== undefined) return [{ thing, old: before.size, young: room.size, isKept: room.isKept }]
    }
    return []
  })
}

/** True when a function reaches further than before, or further than it was sure to stay. */
function reachesFurther(old: readonly BoundedAccess[], young: readonly BoundedAccess[], room: Size): boolean {
  return young.some(({ key, guards, end }) => {
    if (end !== undefined && !mayExceed(end, room)) return false
    const twins = old.filter((one) => one.key === key)
    return !twins.some((twin) => [...twin.guards].every((guard) => guards.has(guard)))
  })
}

export function largerAllocationFindings(functions: ChangedFunctions, changes: readonly FileChange[]): Found[] {
  const constants = changedConstants(functions.constants, changes)
  const reading = (side: Side, which: 'before' | 'after'): Reading => ({
    side,
    constants: valuesOf(
      new Map([
        ...constantsOfOneSide(changes, which),
        ...[...constants].map(([name, one]) => [name, tokenize(one[which])] as const),
      ]),
    ),
    type: (name) => ownType(side.rest, name) ?? functions.library.type(name),
    find: (name) => functions.library.definition(name),
  })
  const [before, after] = [reading(functions.before, 'before'), reading(functions.after, 'after')]
  const all = versionsOf(functions, new Set(constants.keys()))
  return all.flatMap((maker): Found[] => {
    if (maker.before.length === 0) return []
    const rooms = (side: Reading, texts: readonly Definition[]) => texts.flatMap((one) => allocationSizesIn(side, one))
    const growths = growthsOf(rooms(before, maker.before), rooms(after, maker.after))
    for (const growth of growths) {
      const reaches = (side: Reading, texts: readonly Definition[]) =>
        texts.flatMap((one) => boundedAccessesIn(side, one, growth.thing))
      const users = all.filter(
        (user) =>
          (user.name === maker.name ? growth.isKept : !functions.isBelow(user.name, maker.name)) &&
          !(growth.thing === packet && user.after.some(checksRoom)) &&
          reachesFurther(reaches(before, user.before), reaches(after, user.after), growth.old),
      )
      if (users.length > 0) return [findingOf(maker, growth, users)]
    }
    return []
  })
}

/** Macros that the other side has not got. */
function constantsOfOneSide(changes: readonly FileChange[], which: 'before' | 'after') {
  const values = (side: 'before' | 'after') =>
    new Map(kernelFiles(changes).flatMap((one) => [...macroValues(one[side] ?? '')]))
  const others = values(which === 'before' ? 'after' : 'before')
  return [...values(which)].flatMap(([name, value]) =>
    others.has(name) || value === '' || /\n/.test(value) ? [] : [[name, tokenize(value)] as const],
  )
}

/** Constants that are made of each other as numbers, where they are. */
function valuesOf(constants: ReadonlyMap<string, readonly Token[]>): ReadonlyMap<string, readonly Token[]> {
  const numbers = new Map<string, bigint>()
  for (let before = -1; before !== numbers.size; ) {
    before = numbers.size
    for (const [name, value] of constants) {
      const number = constantValue(value, numbers)
      if (number !== undefined) numbers.set(name, number)
    }
  }
  return new Map(
    [...constants].map(([name, value]) => [name, numbers.has(name) ? tokenize(`${numbers.get(name)}`) : value]),
  )
}

function findingOf(maker: Versions, { thing, old, young }: Growth, users: readonly Versions[]): Found {
  const names = users.map(({ name }) => name)
  const what = /^(?:struct|union) \w+$/.test(thing) ? `objects of ${thing}` : thing
  return {
    symbol: maker.name,
    unit: maker.file,
    functions: names,
    message:
      `${maker.name} now allocates more for ${what} (${spelledSize(young)} instead of ` +
      `${spelledSize(old)}), and ${listed(names)} now ${users.length === 1 ? 'accesses' : 'access'} the added ` +
      'part; what the old code has allocated ends before it',
    hint: 'Keep what is new in a shadow variable, or let the new code see from the object itself how much room it has',
  }
}

/** What stands between the braces of a struct that the changed files define. */
function ownType(rest: readonly Token[], name: string): readonly Token[] | undefined {
  const [tag, word] = name.split(' ')
  const at = rest.findIndex(
    ({ text }, index) => text === tag && rest[index + 1]?.text === word && rest[index + 2]?.text === '{',
  )
  return at < 0 ? undefined : rest.slice(at + 3, closing(rest, at + 2) - 1)
}
