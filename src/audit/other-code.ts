// SPDX-License-Identifier: GPL-3.0-or-later
// Where the compiler made other code of the same source, because it saw fewer functions. What stays the same is to what
// the code leads: with everything that it takes in or calls, the function of the module must come to nothing that the unit's
// does not come to, and to all that the unit's function names itself.
import type { Relocation, Section } from '../elf/read.ts'
import { entriesAbout } from './code-tables.ts'
import {
  type Extent,
  isCode,
  isFunction,
  isString,
  isWritable,
  type ObjectView,
  type Place,
  type Target,
} from './object-view.ts'
import { type Side, sourceName, stem } from './unit.ts'

/**
 * What the compiler calls by itself; and where the checks of a copy's size end (linux/thread_info.h, linux/fortify-string.h), of which
 * it leaves out those whose size it knows: with fewer callers to see, it knows fewer.
 */
const compilersOwn =
  /^(__x86_|__fentry__$|mem(cpy|set|move|cmp)$|__stack_chk|__ubsan|__asan|__tsan|__sanitizer|(__copy_overflow|__check_object_size|_*fortify_(panic|report))$)/

interface Led {
  readonly target: Target
  /** The function or datum of the unit; several where a place lies between two. */
  readonly extents: readonly Extent[]
}

function keyOf({ section, start }: Extent): string {
  return `${section.index}:${start}`
}

function distanceOf({ target }: Led, { start }: Extent): number {
  return target.kind === 'place' ? target.place.offset - start : 0
}

/**
 * Whether a function has it for itself: its own code, to which tables and jumps lead, what of it is seldom run, other instructions for
 * a place, jump tables. A text is the same for all.
 */
function belongsTo({ section, start, symbol }: Extent, whole: Extent): boolean {
  if (symbol === undefined) return !isString(section) && !isWritable(section)
  return (section === whole.section && start === whole.start) || symbol.name === `${whole.symbol?.name}.cold`
}

/** All relocations of an extent, and those of the tables about it. */
function fieldsOf(view: ObjectView, extent: Extent): { section: Section; relocation: Relocation }[] {
  const { section, start, end } = extent
  const own = view.relocations(extent).map((relocation) => ({ section, relocation }))
  if (!isCode(section)) return own
  const entries = entriesAbout(view, section, start, end)
  return [
    ...own,
    ...entries.flatMap(({ table, relocations }) =>
      relocations.map((relocation) => ({ section: table, relocation })),
    ),
  ]
}

function leadsOf(view: ObjectView, extent: Extent): Led[] {
  return fieldsOf(view, extent).map(({ section, relocation }) => {
    const target = view.target(section, relocation)
    return { target, extents: target.kind === 'place' ? view.extentsAt(target.place, target.symbol) : [] }
  })
}

/** Everything to which these come, through all code and data of the object. */
function reachedFrom(view: ObjectView, from: readonly Extent[]): Led[] {
  const found: Led[] = []
  const queue = [...from]
  const seen = new Set(queue.map(keyOf))
  for (let extent = queue.pop(); extent !== undefined; extent = queue.pop())
    for (const led of leadsOf(view, extent)) {
      found.push(led)
      for (const next of led.extents)
        if (!seen.has(keyOf(next))) {
          seen.add(keyOf(next))
          queue.push(next)
        }
    }
  return found
}

/**
 * The running kernel's function that the module calls, and that the unit's function has taken in: the unit has it, and all that it
 * comes to is reached.
 */
function takenIn(
  view: ObjectView,
  reached: readonly Led[],
  isIt: (target: Target) => boolean,
): Led | undefined {
  const names = new Set(
    reached.flatMap(({ target }) => (target.kind === 'outside' ? target.symbol.name : [])),
  )
  const extents = new Set(reached.flatMap((led) => led.extents.map(keyOf)))
  const isReached = (led: Led) =>
    led.target.kind === 'outside'
      ? names.has(led.target.symbol.name) || compilersOwn.test(led.target.symbol.name)
      : led.extents.some((one) => extents.has(keyOf(one)))
  const comesToReached = (extent: Extent) => {
    const parts = [extent]
    const seen = new Set(parts.map(keyOf))
    for (let part = parts.pop(); part !== undefined; part = parts.pop())
      for (const led of leadsOf(view, part)) {
        if (isReached(led) || led.target.kind === 'number') continue
        if (led.extents.length === 0 || !led.extents.every((one) => belongsTo(one, extent))) return false
        for (const one of led.extents) {
          if (!seen.has(keyOf(one))) parts.push(one)
          seen.add(keyOf(one))
        }
      }
    return true
  }
  for (const extent of view.named) {
    const { section, start, symbol } = extent
    if (symbol === undefined || !isFunction(extent)) continue
    const target: Target = { kind: 'place', place: { section, offset: start }, symbol }
    if (isIt(target) && comesToReached(extent)) return { target, extents: [extent] }
  }
  return undefined
}

export interface OtherCode {
  readonly module: ObjectView
  /** Whether a reference of the module to the kernel means what the target does. */
  readonly means: (section: Section, own: Relocation, target: Target) => boolean
  /** What the kernel has where a reference leads. */
  readonly called: (section: Section, own: Relocation) => string
  /** A place of the module is this of the unit, at a distance: it is compared in turn. */
  readonly pair: (place: Place, theirs: Extent, distance: number) => void
  /** The function of the unit that a place of the module replaces. */
  readonly replaced: (place: Place) => Extent | undefined
}

/**
 * @param theirs the unit's function; undefined when it has no code of its own there, so that the whole unit is asked
 * @param root the unit's function from which the walk came: a constant may have moved from a caller into what it calls
 * @returns a clause that says what is otherwise; undefined when both lead to the same
 */
export function compareOtherCode(
  { module, means, called, pair, replaced }: OtherCode,
  mine: Extent,
  { view }: Pick<Side, 'view'>,
  theirs: Extent | undefined,
  root: Extent | undefined,
): string | undefined {
  const from = [theirs, root].filter((extent) => extent !== undefined)
  const reached = reachedFrom(view, theirs === undefined ? view.named : from)
  const met = new Set<string>()
  const parts = [mine]
  const seen = new Set(parts.map(keyOf))
  const meet = ({ target, extents }: Led) => {
    if (target.kind === 'outside') met.add(target.symbol.name)
    for (const extent of extents) met.add(keyOf(extent))
    for (const led of reachedFrom(view, extents)) {
      if (led.target.kind === 'outside') met.add(led.target.symbol.name)
      for (const extent of led.extents) met.add(keyOf(extent))
    }
  }
  const follow = (part: Extent) => {
    if (!seen.has(keyOf(part))) parts.push(part)
    seen.add(keyOf(part))
  }
  for (let part = parts.pop(); part !== undefined; part = parts.pop())
    for (const { section, relocation } of fieldsOf(module, part)) {
      const target = module.target(section, relocation)
      if (target.kind === 'number') continue
      if (target.kind === 'outside') {
        if (compilersOwn.test(target.symbol.name) && target.offset === 0) continue
        const same = reached.find(
          (led) => led.target.kind !== 'number' && means(section, relocation, led.target),
        )
        const taken = same ?? takenIn(view, reached, (led) => means(section, relocation, led))
        if (taken === undefined) return `it comes to ${called(section, relocation)}, and the unit does not`
        meet(taken)
        continue
      }
      const { place } = target
      const [own] = module.extentsAt(place, target.symbol)
      if (own === undefined || keyOf(own) === keyOf(mine)) continue
      // Tables about what was taken in, and what of it is seldom run, lead into the middle of it.
      if (seen.has(keyOf(own)) && belongsTo(part, own)) continue
      const name = own.symbol?.name
      if (name === undefined || /\.cold$/.test(name)) {
        // Jump tables and what is seldom run belong to the function; a constant has no identity.
        if (isString(own.section)) {
          const text = own.section.data.subarray(own.start, own.end)
          const isThere = ({ extents }: Led) =>
            extents.some(({ section: { data }, start, end }) => data.subarray(start, end).equals(text))
          if (!reached.some(isThere))
            return `it has the text ${JSON.stringify(text.toString('latin1').replace(/\0$/, ''))}, and the unit does not`
        } else follow(own)
        continue
      }
      const wanted = replaced({ section: own.section, offset: own.start })
      const plain = isFunction(own) ? sourceName : stem
      const distance = place.offset - own.start
      const isIt = (one: Extent) =>
        wanted === undefined
          ? one.symbol !== undefined &&
            isFunction(one) === isFunction(own) &&
            plain(one.symbol.name) === plain(name)
          : keyOf(one) === keyOf(wanted)
      const alike = reached.filter((led) =>
        led.extents.some((one) => isIt(one) && distanceOf(led, one) === distance),
      )
      const extent = alike[0]?.extents.find(isIt)
      if (extent === undefined) {
        // The unit's functions have taken it in.
        if (!isFunction(own) || distance !== 0)
          return `it comes to a place of ${name} to which the unit does not`
        follow(own)
        continue
      }
      // The compiler's numbers do not tell which of several of one name it is.
      for (const led of alike) meet(led)
      pair(place, extent, distance)
    }
  for (const { target, extents } of theirs === undefined ? [] : leadsOf(view, theirs)) {
    if (target.kind === 'outside' && !compilersOwn.test(target.symbol.name) && !met.has(target.symbol.name))
      return `it does not come to ${target.symbol.name}`
    if (theirs !== root) continue
    const data = extents.filter((one) => one.symbol !== undefined && !isFunction(one))
    if (data.length > 0 && !data.some((one) => met.has(keyOf(one))))
      return `it does not come to ${data[0]?.symbol?.name}`
  }
  return undefined
}
