// SPDX-License-Identifier: GPL-3.0-or-later
// Whether an address of the kernel is what a private symbol of a patched object means, and whether a datum that the module
// brings along is one that the kernel has already.
import type { Names } from '../match/names.ts'
import { type KernelPlace, resolve } from './meaning.ts'
import { type Extent, isCode, isFunction, isWritable } from './object-view.ts'
import { isCalled, type Side, sourceName, stem, type UnitView } from './unit.ts'

/** A clause that says why the address is something else; undefined when it is right. */
export type Doubt = string | undefined

export interface IdentityContext {
  readonly names: Names
  /** True for the begin of a function that this live patch replaces. */
  replaces(place: KernelPlace): boolean
}

/** @param meant a named extent of the unit's object after the patch */
export function doubtAbout(
  { names, replaces }: IdentityContext,
  { object, before, after }: UnitView,
  meant: Extent,
  place: KernelPlace,
): Doubt {
  const { symbol } = meant
  if (symbol === undefined) return 'it is something without a name'
  const called = names.at(place.object, place.address).map(({ name }) => name)
  const there = called[0] ?? 'nothing that has a name'
  const aliases = after.view.namesOf(meant)
  const named = aliases.some((name) => called.some((one) => stem(one) === stem(name)))
  if (symbol.binding !== 'local' && place.object === 'vmlinux' && named) return undefined
  if (place.object !== object) return `it is ${there} of ${place.object}`
  if (isFunction(meant)) {
    if (replaces(place) && called.some((one) => aliases.some((name) => sourceName(one) === sourceName(name))))
      return undefined
    if (!named) return `it is ${there}`
    if (after.finder.findAt(symbol.name, place.address) !== undefined) return undefined
    // Code that no image holds as it was compiled (patched at link time, alternatives of assembly) has its name only.
    if (before.finder.findAt(symbol.name, place.address) !== undefined)
      return 'its code is that before the patch, which nothing replaces'
    return names.symbols(object, symbol.name).length === 1 ? undefined : 'the code there is another'
  }
  if (!named) return `it is ${there}`
  const labelled = labelledBy(after, meant)
  if (labelled !== undefined)
    return `it has the places of labels in ${labelled}, and the kernel’s own leads into the code before the patch`
  const proven = after.proven(symbol.name)
  if (proven.size === 1 && !proven.has(place.address)) return `unchanged code has ${symbol.name} elsewhere`
  if (proven.size > 0) return undefined
  const earlier = before.view.named.filter(
    (one) => !isFunction(one) && stem(one.symbol?.name ?? '') === stem(symbol.name),
  )
  const places = new Set(earlier.flatMap((one) => [...before.proven(one.symbol?.name ?? '')]))
  if (places.size > 0 && !places.has(place.address))
    return `the code that runs has no ${stem(symbol.name)} there`
  const before1 = earlier.filter((one) => before.proven(one.symbol?.name ?? '').has(place.address))
  // Of several of one name, the one that the same functions used.
  if (places.size > 1) {
    const users = sources(after.users(symbol.name))
    const shares = (one: Extent) =>
      [...sources(before.users(one.symbol?.name ?? ''))].some((user) => users.has(user))
    if (earlier.some(shares) && !before1.some(shares)) return 'other functions use that one'
    const size = meant.end - meant.start
    if (before1.every((one) => one.end - one.start !== size)) return 'it has another size'
  }
  return undefined
}

/** The function into whose middle a datum leads: a table of labels (`&&label`), which only that function uses. */
function labelledBy({ view }: Side, datum: Extent): string | undefined {
  for (const relocation of view.relocations(datum)) {
    const target = view.target(datum.section, relocation)
    if (target.kind !== 'place' || !isCode(target.place.section)) continue
    const [extent] = view.extentsAt(target.place, relocation.symbol)
    if (extent !== undefined && isFunction(extent) && extent.start !== target.place.offset)
      return extent.symbol?.name
  }
  return undefined
}

/**
 * The same of a name in a directory's file, which says for itself what of the running kernel it means: with object and position
 * (LIVEPATCH_SYMBOL, kernel/include/inarch-source.h), or as a private name of the unit for which the file stands.
 * @returns `unknown` when the name is neither
 */
export function doubtAboutStated(
  context: IdentityContext,
  unit: UnitView,
  name: string,
  place: KernelPlace,
): Doubt | 'unknown' {
  const [, object, position, stated] =
    /^__livepatch_symbol\.([A-Za-z0-9_-]+)\.(\d{1,6})\.(.+)$/.exec(name) ?? []
  if (object !== undefined && stated !== undefined) {
    const right = resolve(context.names, { object, name: stated, position: Number(position) })
    if (place.object !== object || place.address !== right) return `it is not ${stated} of that position`
  }
  const { view } = unit.before
  const known = view.named.filter(({ symbol }) => symbol?.name === (stated ?? name))
  if (known.length === 0) return stated === undefined ? 'unknown' : undefined
  const asBefore = { ...unit, after: unit.before }
  const doubts = known.map((one) => doubtAbout(context, asBefore, one, place))
  return doubts.includes(undefined) ? undefined : doubts[0]
}

function sources(users: ReadonlySet<string>): Set<string> {
  return new Set([...users].map(sourceName))
}

/**
 * What the kernel's macros make for diagnostics, by name, section, and least and most bytes: a fresh one in a replaced function does
 * no harm.
 */
const diagnostics: readonly (readonly [name: RegExp, section: RegExp, least: number, most: number])[] = [
  [/^(__already_done|__warned|__print_once)$/, /^\.data\.\.?(once|unlikely|read_mostly)$/, 1, 1],
  [/^_rs$/, /^\.data/, 32, 128],
  // Nothing without lockdep.
  [/^__key$/, /^\.bss/, 0, 0],
  [/^__key$/, /^\.bss/, 8, 16],
  [/^(descriptor|__UNIQUE_ID_\w*)$/, /^(__dyndbg|__verbose|\.modinfo)$/, 1, 256],
  [/^_?_?_?tp_str$/, /^__tracepoint_str$/, 8, 8],
  [/^(_entry|_entry_ptr|__func__|__FUNCTION__|__PRETTY_FUNCTION__)$/, /^\.(rodata|printk_index)/, 1, 256],
]

export function isDiagnostic({ symbol, section, start, end }: Extent): boolean {
  const name = stem(symbol?.name ?? '').replace(/^.*\./, '')
  const size = symbol?.size ?? 0
  // A flag that is up from the start is no macro's.
  const isSet = isWritable(section) && end - start === 1 && section.data[start] === 1
  return (
    !isSet &&
    diagnostics.some(
      ([names, where, least, most]) =>
        names.test(name) && where.test(section.name) && size >= least && size <= most,
    )
  )
}

/** A clause that says why the kernel has the datum already, so that a copy of it is state that is there twice. */
export function kernelHas(
  names: Names,
  unit: UnitView,
  datum: Extent,
  isAskedFor: (unit: UnitView, section: string) => boolean,
): string | undefined {
  const { object, before, after } = unit
  const { symbol, section } = datum
  if (symbol === undefined || isAskedFor(unit, section.name)) return undefined
  const name = stem(symbol.name)
  if (isDiagnostic(datum)) return undefined
  const numbered = symbol.binding === 'local' && symbol.name.includes('.')
  // A constant of a function has no identity.
  if (numbered && !isWritable(section)) return undefined
  const [proven] = after.proven(symbol.name)
  if (proven !== undefined && isCalled(names, object, proven, symbol.name))
    return 'code that is not replaced uses the kernel’s'
  const users = sources(after.users(symbol.name))
  for (const one of before.view.named) {
    const earlier = one.symbol?.name ?? ''
    if (isFunction(one) || stem(earlier) !== name) continue
    const alive = names
      .symbols(object, earlier)
      .some(({ address }) => object !== 'vmlinux' || !names.freed(address))
    if (!alive || before.view.namesOf(one).length === 0) continue
    const own = sources(before.users(earlier))
    // Of one name before and after, the same functions use it.
    if (!numbered || [...own].some((user) => users.has(user)))
      if (countOf(after, name) <= countOf(before, name)) return `the unit had ${earlier} before the patch`
  }
  return undefined
}

function countOf({ view }: UnitView['before'], name: string): number {
  return view.named.filter((one) => !isFunction(one) && stem(one.symbol?.name ?? '') === name).length
}
