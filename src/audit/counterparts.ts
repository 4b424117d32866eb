// SPDX-License-Identifier: GPL-3.0-or-later
// Which thing of a unit's object before the patch is which of the object after it, and whether both are the same. The compiler
// numbers what is private (buf.1, foo.part.0), and numbers all anew when one of them goes or comes, and a static that moves out of
// its function loses its number. So a number says nothing: what an unchanged function used in one place before and uses there now is one thing, and each is one thing only.
import { isCodeTable } from './code-tables.ts'
import { type Extent, isCode, isFreed, isFunction, isWritable, type Target } from './object-view.ts'
import { type Side, sourceName, stem } from './unit.ts'

/** What is known of one of the two objects. */
export type ObjectSide = Pick<Side, 'view' | 'users'>

export interface Counterparts {
  /** What it was before the patch; undefined for what is new. */
  of(extent: Extent): Extent | undefined
  /** True when it has the bytes that it had, and all references mean what they meant. */
  isAsBefore(extent: Extent): boolean
}

/** Names before the patch, and after it, that two things have if they are the same. */
type Renaming = readonly (readonly [before: string, after: string])[]

const nameOf = ({ symbol }: Extent): string => symbol?.name ?? ''
const isNumbered = (name: string): boolean => stem(name) !== name

/** @param stays whether the running kernel goes on with it, so that the live patch has to agree with what it uses */
export function counterparts(
  before: ObjectSide,
  after: ObjectSide,
  stays: (extent: Extent) => boolean,
): Counterparts {
  const earlier = new Map(before.view.named.map((extent) => [nameOf(extent), extent]))
  const later = new Map(after.view.named.map((extent) => [nameOf(extent), extent]))
  const kept = [...later.keys()].filter((name) => !isNumbered(name) && earlier.has(name))
  const wasOf = new Map(kept.map((name) => [name, name]))
  const isNow = new Map(kept.map((name) => [name, name]))
  const same = new Set<string>()
  const constants = new Map<string, Renaming | undefined>()

  const agrees = (renaming: Renaming) => {
    const [was, now] = [new Map<string, string>(), new Map<string, string>()]
    return renaming.every(([one, other]) => {
      if ((wasOf.get(other) ?? was.get(other) ?? one) !== one) return false
      if ((isNow.get(one) ?? now.get(one) ?? other) !== other) return false
      was.set(other, one)
      now.set(one, other)
      return true
    })
  }
  /** Takes both for one thing if what is known allows it, and all that follows from it. */
  const settle = (old: Extent, extent: Extent): boolean => {
    const renaming = renamingIn(old, extent)
    if (renaming === undefined || !agrees(renaming)) return false
    same.add(nameOf(extent))
    const found = renaming.filter(([, other]) => !wasOf.has(other))
    for (const [one, other] of found) {
      wasOf.set(other, one)
      isNow.set(one, other)
    }
    for (const [one, other] of found) {
      const [was, now] = [earlier.get(one), later.get(other)]
      if (was !== undefined && now !== undefined) settle(was, now)
    }
    return true
  }
  const lasting = after.view.named.filter(({ section }) => !isFreed(section))
  for (const extent of lasting) {
    const old = isNumbered(nameOf(extent)) ? undefined : earlier.get(nameOf(extent))
    if (old !== undefined && !isFreed(old.section) && stays(extent)) settle(old, extent)
  }
  // What only code uses that comes with the live patch, or that changed: the same functions use it.
  const open = () => lasting.filter((one) => !wasOf.has(nameOf(one)))
  const candidates = (extent: Extent) => {
    const users = sources(after, extent)
    return before.view.named.filter((old) => {
      if (isNow.has(nameOf(old)) || stem(nameOf(old)) !== stem(nameOf(extent))) return false
      const used = sources(before, old)
      const shared = users.size + used.size === 0 || [...used].some((user) => users.has(user))
      return shared && isFunction(old) === isFunction(extent) && !isFreed(old.section)
    })
  }
  const take = (old: Extent | undefined, extent: Extent) => {
    if (old === undefined) return
    wasOf.set(nameOf(extent), nameOf(old))
    isNow.set(nameOf(old), nameOf(extent))
  }
  for (const extent of open())
    if (!wasOf.has(nameOf(extent)))
      take(
        candidates(extent).find((old) => settle(old, extent)),
        extent,
      )
  for (const extent of open()) take(candidates(extent)[0], extent)

  const was = (extent: Extent) => earlier.get(wasOf.get(nameOf(extent)) ?? '')
  return {
    of: was,
    isAsBefore(extent) {
      const old = was(extent)
      if (old === undefined) return false
      if (same.has(nameOf(extent))) return true
      const renaming = renamingIn(old, extent)
      return renaming !== undefined && agrees(renaming)
    },
  }

  /** @returns what must be the same for both to be; undefined when they can't be */
  function renamingIn(old: Extent, extent: Extent): Renaming | undefined {
    const [mine, theirs] = [before.view.relocations(old), after.view.relocations(extent)]
    if (old.end - old.start !== extent.end - extent.start || mine.length !== theirs.length) return undefined
    if (old.symbol?.binding !== extent.symbol?.binding) return undefined
    const bytes = ({ section: { data }, start, end }: Extent) => data.subarray(start, end)
    if (!bytes(old).equals(bytes(extent))) return undefined
    const renaming: (readonly [string, string])[] = []
    for (const [index, relocation] of mine.entries()) {
      const other = theirs[index]!
      if (relocation.offset - old.start !== other.offset - extent.start || relocation.type !== other.type)
        return undefined
      const found = renamingOf(
        before.view.target(old.section, relocation),
        after.view.target(extent.section, other),
      )
      if (found === undefined) return undefined
      renaming.push(...found)
    }
    return renaming
  }

  function renamingOf(was: Target, is: Target): Renaming | undefined {
    if (was.kind === 'number') return is.kind === 'number' && was.value === is.value ? [] : undefined
    if (was.kind === 'outside')
      return is.kind === 'outside' && was.symbol.name === is.symbol.name && was.offset === is.offset
        ? []
        : undefined
    if (is.kind !== 'place') return undefined
    const [old] = before.view.extentsAt(was.place, was.symbol)
    const [extent] = after.view.extentsAt(is.place, is.symbol)
    const { section } = is.place
    if (old === undefined || extent === undefined || isCodeTable(section.name))
      return was.place.section.name === section.name && was.place.offset === is.place.offset ? [] : undefined
    if (was.place.offset - old.start !== is.place.offset - extent.start) return undefined
    const [one, other] = [nameOf(old), nameOf(extent)]
    if (stem(one) !== stem(other)) return undefined
    const isOwn = (place: Target & { kind: 'place' }, { symbol }: Extent) =>
      symbol !== undefined && (isWritable(place.place.section) || isCode(place.place.section))
    if (isOwn(was, old) !== isOwn(is, extent)) return undefined
    if (!isOwn(is, extent)) return constantRenaming(old, extent)
    return [[one, other]]
  }

  /** A constant has no identity: another one with the same contents is as good. */
  function constantRenaming(old: Extent, extent: Extent): Renaming | undefined {
    const key = [old, extent].map(({ section, start, end }) => `${section.index}:${start}:${end}`).join(' ')
    if (!constants.has(key)) {
      // Until it is known: a table that leads to itself.
      constants.set(key, [])
      constants.set(key, renamingIn(old, extent))
    }
    return constants.get(key)
  }
}

function sources({ users }: ObjectSide, extent: Extent): Set<string> {
  return new Set([...users(nameOf(extent))].map(sourceName))
}
