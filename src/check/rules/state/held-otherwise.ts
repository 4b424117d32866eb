// SPDX-License-Identifier: GPL-3.0-or-later
// A pointer without a type that holds something else since the patch: what the old code has put there is taken for what
// the new code puts there.
import { type Holding, holdingsIn, isStruct } from '../../semantics/values/untyped-pointers.ts'
import type { ChangedFunctions, Side } from '../../subject/changed-functions.ts'
import { type Found, foundIn, ofTexts, warning } from '../../subject/rule.ts'

/** `struct spi_master` is `struct spi_controller` by a macro. */
function sameType({ library }: ChangedFunctions, one: string, other: string): boolean {
  if (one === other) return true
  const [tag, name = ''] = one.split(' ')
  const [otherTag, otherName = ''] = other.split(' ')
  return tag === otherTag && library.alias(name) === library.alias(otherName)
}

export function heldFindings(functions: ChangedFunctions): Found[] {
  const said = new Set<string>()
  return functions.rewritten.flatMap((one) => {
    const isAddressTaken = functions.before.isAddressTaken(one.name)
    const find = (side: Side) => (name: string) => side.definitions.get(name) ?? functions.library.definition(name)
    const old = holdingsIn(one.before, isAddressTaken, find(functions.before))
    const young = holdingsIn(one.after, isAddressTaken, find(functions.after))
    const holders = new Set([...old, ...young].map(({ holder, does }) => `${does} ${holder}`))
    return [...holders].flatMap((key) => {
      const typesOf = (list: readonly Holding[]) =>
        new Set(list.filter(({ holder, does }) => `${does} ${holder}` === key).map(({ as }) => as))
      const [was, is] = [typesOf(old), typesOf(young)]
      const isIn = (types: ReadonlySet<string>, type: string) =>
        [...types].some((one) => sameType(functions, one, type))
      const gone = [...was].filter((type) => !isIn(is, type))
      const come = [...is].filter((type) => !isIn(was, type))
      const holder = key.slice(key.indexOf(' ') + 1)
      if (gone.length === 0 || ![...gone, ...come].some(isStruct)) return []
      if (come.length === 0 || said.has(holder)) return []
      said.add(holder)
      const message = key.startsWith('takes ')
        ? `${one.name} now takes ${holder} for a ${come[0]}, where it took it for a ${gone[0]}; what ` +
          `the old code has put there is a ${gone[0]}`
        : `${one.name} now puts a ${come[0]} into ${holder}, where it put a ${gone[0]}; old code, and ` +
          `all that is not replaced, takes it for a ${gone[0]}`
      return foundIn(one, message)
    })
  })
}

export const heldOtherwise = warning(
  'held-otherwise',
  'A pointer without a type (private_data, driver_data, a callback’s cookie, the container of a timer ' +
    'or a list entry) that is taken for another struct than before',
  'Open files, bound devices and armed timers keep what the old code has put there, and the new ' +
    'code would read it as something else',
  'Leave the pointer as it is and keep what is new in a shadow variable of the object',
  ['include/linux/fs.h: private_data', 'include/linux/device.h: driver_data'],
  ofTexts(heldFindings),
)
