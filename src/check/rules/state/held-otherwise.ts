// SPDX-License-Identifier: GPL-3.0-or-later
// A pointer without a type that holds something else since the patch: what the old code has put there is taken for what
// the new code puts there.
import { type Holding, holdingsIn, isStruct } from '../../semantics/values/untyped-pointers.ts'
import type { ChangedFunctions, Side } from '../../subject/changed-functions.ts'
import { type Doing, type Found, foundInEach, ofTexts, warning } from '../../subject/rule.ts'

/** `struct spi_master` is `struct spi_controller` by a macro. */
function sameType({ library }: ChangedFunctions, one: string, other: string): boolean {
  if (one === other) return true
  const [tag, name = ''] = one.split(' ')
  const [otherTag, otherName = ''] = other.split(' ')
  return tag === otherTag && library.alias(name) === library.alias(otherName)
}

const anyOf = (types: readonly string[]) => types.join(' or ')

export function heldFindings(functions: ChangedFunctions): Found[] {
  const found = functions.rewritten.flatMap((of) => {
    const isAddressTaken = functions.before.isAddressTaken(of.name)
    const find = (side: Side) => (name: string) => side.definitions.get(name) ?? functions.library.definition(name)
    const old = holdingsIn(of.before, isAddressTaken, find(functions.before))
    const young = holdingsIn(of.after, isAddressTaken, find(functions.after))
    const holders = new Set([...old, ...young].map(({ holder, does }) => `${does} ${holder}`))
    return [...holders].flatMap((key): Doing[] => {
      const typesOf = (list: readonly Holding[]) =>
        new Set(list.filter(({ holder, does }) => `${does} ${holder}` === key).map(({ as }) => as))
      const [was, is] = [typesOf(old), typesOf(young)]
      const isIn = (types: ReadonlySet<string>, type: string) =>
        [...types].some((one) => sameType(functions, one, type))
      const gone = [...was].filter((type) => !isIn(is, type))
      const come = [...is].filter((type) => !isIn(was, type))
      if (gone.length === 0 || come.length === 0 || ![...gone, ...come].some(isStruct)) return []
      const holder = key.slice(key.indexOf(' ') + 1)
      const does = key.startsWith('takes ')
        ? `now casts ${holder} to ${anyOf(come)} instead of ${anyOf(gone)}; objects that the old code set up ` +
          `hold a ${anyOf(gone)}`
        : `now puts a ${anyOf(come)} into ${holder} instead of a ${anyOf(gone)}; old code, and all that is not ` +
          `replaced, casts it to ${anyOf(gone)}`
      return [{ of, does }]
    })
  })
  return foundInEach(found)
}

export const heldOtherwise = warning(
  'held-otherwise',
  'A pointer without a type (private_data, driver_data, a callback’s cookie, the container of a timer ' +
    'or a list entry) that is cast to another struct than before',
  'Open files, bound devices and armed timers keep what the old code has put there, and the new ' +
    'code would read it as something else',
  'Leave the pointer as it is and keep what is new in a shadow variable of the object',
  ['include/linux/fs.h: private_data', 'include/linux/device.h: driver_data'],
  ofTexts(heldFindings),
)
