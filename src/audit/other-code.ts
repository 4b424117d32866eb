// SPDX-License-Identifier: GPL-3.0-or-later
// Where the compiler made other code of the same source, because it saw fewer functions. What stays the same is to what
// the code leads: with everything that it takes in or calls, the function of the module must come to nothing that the
// unit's does not come to, and to all that the unit's function names itself.
import { isCode, isWritable } from '../elf/format.ts'
import { entriesAbout } from './code-tables.ts'
import {
  bytesOf,
  type Extent,
  hasToldEntries,
  isFunction,
  isString,
  keyOf,
  type Named,
  type ObjectView,
  type Place,
  type Reference,
  type Target,
} from './object-view.ts'
import { bootConstantsIn } from './rewritten.ts'
import { sourceName, stem } from './unit.ts'

/**
 * What the compiler calls by itself; and where the checks of a copy's size end (linux/thread_info.h,
 * linux/fortify-string.h), of which it leaves out those whose size it knows: with fewer callers to see, it knows fewer.
 */
const compilersOwn =
  /^(__x86_|__fentry__$|mem(cpy|set|move|cmp)$|__stack_chk|__ubsan|__asan|__tsan|__sanitizer|(__copy_overflow|__check_object_size|_*fortify_(panic|report))$)/

/** A reference, and what it leads to in the object: several where a place lies between two. */
interface Led extends Reference {
  readonly extents: readonly Extent[]
}

/** By what two of one object lead to the same. */
function keysOf({ target, extents }: Led): readonly string[] {
  return target.kind === 'outside' ? [target.symbol.name] : extents.map(keyOf)
}

function isCompilersOwn({ target }: Led): boolean {
  return target.kind === 'outside' && compilersOwn.test(target.symbol.name)
}

function distanceOf({ target }: Led, { start }: Extent): number {
  return target.kind === 'place' ? target.place.offset - start : 0
}

/**
 * Whether a function has it for itself: its own code, to which tables and jumps lead, what of it is seldom run, other
 * instructions for a place, jump tables. A text is the same for all.
 */
function belongsTo(part: Extent, whole: Extent): boolean {
  const { section, symbol } = part
  if (symbol === undefined) return hasToldEntries(section) || (!isString(section) && !isWritable(section))
  return keyOf(part) === keyOf(whole) || part.name === `${whole.symbol?.name}.cold`
}

/** Where all references of an extent lead, and those of the tables about it. */
function leadsOf(view: ObjectView, extent: Extent): Led[] {
  const entries = isCode(extent.section) ? entriesAbout(view, extent) : []
  const all = [...view.references(extent), ...entries.flatMap(({ references }) => references)]
  return all.map((one) => ({ ...one, extents: view.ledTo(one.target) }))
}

/** Extents to look at, each once: who goes through a map meets what comes in meanwhile, too. */
class Parts extends Map<string, Extent> {
  constructor(...extents: readonly Extent[]) {
    super()
    this.include(extents)
  }

  include(extents: readonly Extent[]): void {
    for (const extent of extents) if (!this.has(keyOf(extent))) this.set(keyOf(extent), extent)
  }
}

/** Everything to which these come, through all code and data of the object. */
function reachedFrom(view: ObjectView, from: readonly Extent[]): Led[] {
  const found: Led[] = []
  const parts = new Parts(...from)
  for (const part of parts.values())
    for (const led of leadsOf(view, part)) {
      found.push(led)
      parts.include(led.extents)
    }
  return found
}

/**
 * The running kernel's function that the module calls, and that the unit's function has taken in: the unit has it, and
 * all that it comes to is reached.
 */
function takenIn(view: ObjectView, reached: readonly Led[], isIt: (target: Target) => boolean): Named | undefined {
  const known = new Set(reached.flatMap(keysOf))
  const isReached = (led: Led) =>
    led.target.kind === 'number' || isCompilersOwn(led) || keysOf(led).some((key) => known.has(key))
  const comesToReached = (whole: Extent) => {
    const parts = new Parts(whole)
    for (const part of parts.values())
      for (const led of leadsOf(view, part)) {
        if (isReached(led)) continue
        if (led.extents.length === 0 || !led.extents.every((one) => belongsTo(one, whole))) return false
        parts.include(led.extents)
      }
    return true
  }
  return view.named.find((extent) => {
    const { section, start, symbol } = extent
    const target: Target = { kind: 'place', place: { section, offset: start }, symbol }
    return isFunction(extent) && isIt(target) && comesToReached(extent)
  })
}

export interface OtherCode {
  readonly module: ObjectView
  /** Whether a reference of the module to the kernel means what the target does. */
  readonly means: (own: Reference, target: Target) => boolean
  /** Whether a reference of the module leads to a variable of the kernel. */
  readonly loads: (own: Reference, variable: string) => boolean
  /** What the kernel has where a reference leads. */
  readonly called: (own: Reference) => string
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
  { module, means, loads, called, pair, replaced }: OtherCode,
  mine: Extent,
  { view }: { readonly view: ObjectView },
  theirs: Extent | undefined,
  root: Extent | undefined,
): string | undefined {
  const from = [theirs, root].filter((extent) => extent !== undefined)
  const reached = reachedFrom(view, theirs === undefined ? view.named : from)
  // Numbers that the kernel writes into its own code at boot; a module loads the variable.
  const constants = (extents: readonly Extent[]) =>
    new Set([...new Parts(...extents).values()].flatMap((one) => bootConstantsIn(view, one)).map((one) => one.variable))
  const known = constants([...(theirs === undefined ? view.named : from), ...reached.flatMap(({ extents }) => extents)])
  const loaded = new Set<string>()
  /** What of the unit the module's function comes to. */
  const met = new Set<string>()
  const meet = (keys: readonly string[], extents: readonly Extent[]) => {
    for (const key of [...keys, ...reachedFrom(view, extents).flatMap(keysOf)]) met.add(key)
  }
  const parts = new Parts(mine)
  for (const part of parts.values())
    for (const own of leadsOf(module, part)) {
      const { target } = own
      if (target.kind === 'number') continue
      if (target.kind === 'outside') {
        if (isCompilersOwn(own) && target.offset === 0) continue
        const same = reached.find((led) => led.target.kind !== 'number' && means(own, led.target))
        const taken = same === undefined ? takenIn(view, reached, (one) => means(own, one)) : undefined
        const constant = [...known].find((variable) => loads(own, variable))
        if (constant !== undefined) loaded.add(constant)
        else if (same !== undefined) meet(keysOf(same), same.extents)
        else if (taken !== undefined) meet([keyOf(taken)], [taken])
        else return `it comes to ${called(own)}, and the unit does not`
        continue
      }
      const { place } = target
      const [to] = own.extents
      if (to === undefined || keyOf(to) === keyOf(mine)) continue
      // Tables about what was taken in, and what of it is seldom run, lead into the middle of it.
      if (parts.has(keyOf(to)) && belongsTo(part, to)) continue
      if (to.symbol === undefined && isString(to.section)) {
        const text = bytesOf(to)
        if (!reached.some((led) => led.extents.some((one) => bytesOf(one).equals(text))))
          return `it has the text ${JSON.stringify(text.toString('latin1').replace(/\0$/, ''))}, and the unit does not`
        continue
      }
      // Jump tables and what is seldom run belong to the function; a constant has no identity.
      if (to.symbol === undefined || /\.cold$/.test(to.name)) {
        parts.include([to])
        continue
      }
      const wanted = replaced({ section: to.section, offset: to.start })
      const plain = isFunction(to) ? sourceName : stem
      const isIt = (one: Extent) =>
        wanted === undefined
          ? one.symbol !== undefined && isFunction(one) === isFunction(to) && plain(one.name) === plain(to.name)
          : keyOf(one) === keyOf(wanted)
      const distance = place.offset - to.start
      const alike = reached.filter((led) => led.extents.some((one) => isIt(one) && distanceOf(led, one) === distance))
      // Which of several constants of one name it is, their bytes tell.
      const all = alike.flatMap(({ extents }) => extents.filter(isIt))
      const extent = all.find((one) => !isWritable(one.section) && bytesOf(one).equals(bytesOf(to))) ?? all[0]
      if (extent !== undefined) {
        // The compiler's numbers do not tell which of several of one name it is.
        for (const led of alike) meet(keysOf(led), led.extents)
        pair(place, extent, distance)
      } else if (isFunction(to) && distance === 0)
        // The unit's functions have taken it in.
        parts.include([to])
      else return `it comes to a place of ${to.name} to which the unit does not`
    }
  for (const led of theirs === undefined ? [] : leadsOf(view, theirs)) {
    const { target, extents } = led
    const isMet = (keys: readonly string[]) => keys.some((key) => met.has(key))
    if (target.kind === 'outside' && !isCompilersOwn(led) && !isMet(keysOf(led)))
      return `it does not come to ${target.symbol.name}`
    const data = extents.filter((one) => one.symbol !== undefined && !isFunction(one))
    if (theirs === root && data.length > 0 && !isMet(data.map(keyOf)))
      return `it does not come to ${data[0]?.symbol?.name}`
  }
  const unloaded = theirs === undefined ? undefined : [...constants([theirs])].find((one) => !loaded.has(one))
  return unloaded === undefined ? undefined : `it does not load ${unloaded}`
}
