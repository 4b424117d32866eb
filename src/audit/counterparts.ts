// SPDX-License-Identifier: GPL-3.0-or-later
// Which thing of a unit's object before the patch is which of the object after it, and whether both are the same. The
// compiler numbers what is private (buf.1, foo.part.0), and numbers all anew when one of them goes or comes, and a
// static that moves out of its function loses its number. So a number says nothing: what an unchanged function used in
// one place before and uses there now is one thing, and each is one thing only.
import { isCode, isWritable } from '../elf/format.ts'
import { isCodeTable } from './code-tables.ts'
import { bytesOf, type Extent, isFreed, isFunction, keyOf, type Named, type Reference } from './object-view.ts'
import { intersects, type Side, sourceUsers, stem } from './unit.ts'

/** What is known of one of the two objects. */
export type ObjectSide = Pick<Side, 'view' | 'users'>

export interface Counterparts {
  /** What it was before the patch; undefined for what is new. */
  of(extent: Named): Named | undefined
  /** True when it has the bytes that it had, and all references mean what they meant. */
  isAsBefore(extent: Named): boolean
}

/** Names before the patch, and after it, that two things have if they are the same. */
type Renaming = readonly (readonly [before: string, after: string])[]

const isNumbered = (name: string): boolean => stem(name) !== name

/** @param stays whether the running kernel goes on with it, so that the live patch has to agree with what it uses */
export function counterparts(before: ObjectSide, after: ObjectSide, stays: (extent: Named) => boolean): Counterparts {
  const earlier = new Map(before.view.named.map((one) => [one.name, one]))
  const later = new Map(after.view.named.map((one) => [one.name, one]))
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
  const take = (one: string, other: string) => {
    wasOf.set(other, one)
    isNow.set(one, other)
  }
  /** Takes both for one thing if what is known allows it, and all that follows from it. */
  const settle = (old: Named, extent: Named): boolean => {
    const renaming = renamingIn(old, extent)
    if (renaming === undefined || !agrees(renaming)) return false
    same.add(extent.name)
    const found = renaming.filter(([, other]) => !wasOf.has(other))
    for (const [one, other] of found) take(one, other)
    for (const [one, other] of found) {
      const [was, now] = [earlier.get(one), later.get(other)]
      if (was !== undefined && now !== undefined) settle(was, now)
    }
    return true
  }
  const lasting = after.view.named.filter(({ section }) => !isFreed(section))
  for (const extent of lasting) {
    const old = isNumbered(extent.name) ? undefined : earlier.get(extent.name)
    if (old !== undefined && !isFreed(old.section) && stays(extent)) settle(old, extent)
  }
  // What only code uses that comes with the live patch, or that changed: the same functions use it.
  const candidates = (extent: Named) => {
    const users = sourceUsers(after, extent.name)
    return before.view.named.filter((old) => {
      if (isNow.has(old.name) || stem(old.name) !== stem(extent.name)) return false
      const used = sourceUsers(before, old.name)
      const shared = users.size + used.size === 0 || intersects(used, users)
      return shared && isFunction(old) === isFunction(extent) && !isFreed(old.section)
    })
  }
  for (const isIt of [settle, () => true])
    for (const extent of lasting) {
      const old = wasOf.has(extent.name) ? undefined : candidates(extent).find((one) => isIt(one, extent))
      if (old !== undefined) take(old.name, extent.name)
    }

  const was = ({ name }: Named) => earlier.get(wasOf.get(name) ?? '')
  return {
    of: was,
    isAsBefore(extent) {
      const old = was(extent)
      const renaming = old && (same.has(extent.name) ? [] : renamingIn(old, extent))
      return renaming !== undefined && agrees(renaming)
    },
  }

  /** @returns what must be the same for both to be; undefined when they can't be */
  function renamingIn(old: Extent, extent: Extent): Renaming | undefined {
    const [mine, theirs] = [before.view.references(old), after.view.references(extent)]
    if (mine.length !== theirs.length || old.symbol?.binding !== extent.symbol?.binding) return undefined
    if (old.end - old.start !== extent.end - extent.start || !bytesOf(old).equals(bytesOf(extent))) return undefined
    const renaming: (readonly [string, string])[] = []
    for (const [index, one] of mine.entries()) {
      const other = theirs[index]!
      const isSamePlace = one.offset - old.start === other.offset - extent.start && one.type === other.type
      const found = isSamePlace ? renamingOf(one, other) : undefined
      if (found === undefined) return undefined
      renaming.push(...found)
    }
    return renaming
  }

  function renamingOf({ target: was }: Reference, { target: is }: Reference): Renaming | undefined {
    const sameIf = (equal: boolean) => (equal ? [] : undefined)
    if (was.kind === 'number') return sameIf(is.kind === 'number' && was.value === is.value)
    if (was.kind === 'outside')
      return sameIf(is.kind === 'outside' && was.symbol.name === is.symbol.name && was.offset === is.offset)
    if (is.kind !== 'place') return undefined
    const [[old], [extent]] = [before.view.ledTo(was), after.view.ledTo(is)]
    const { section, offset } = is.place
    if (old === undefined || extent === undefined || isCodeTable(section.name))
      return sameIf(was.place.section.name === section.name && was.place.offset === offset)
    if (was.place.offset - old.start !== offset - extent.start) return undefined
    if (stem(old.symbol?.name ?? '') !== stem(extent.symbol?.name ?? '')) return undefined
    const isOwn = (one: Extent): one is Named =>
      one.symbol !== undefined && (isWritable(one.section) || isCode(one.section))
    if (isOwn(old) && isOwn(extent)) return [[old.name, extent.name]]
    return isOwn(old) || isOwn(extent) ? undefined : constantRenaming(old, extent)
  }

  /** A constant has no identity: another one with the same contents is as good. */
  function constantRenaming(old: Extent, extent: Extent): Renaming | undefined {
    const key = [old, extent].map((one) => `${keyOf(one)}:${one.end}`).join(' ')
    if (!constants.has(key)) {
      // Until it is known: a table that leads to itself.
      constants.set(key, [])
      constants.set(key, renamingIn(old, extent))
    }
    return constants.get(key)
  }
}
