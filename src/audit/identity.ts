// SPDX-License-Identifier: GPL-3.0-or-later
// Whether an address of the kernel is what a private symbol of a patched object means, and whether a datum that the
// module brings along is one that the kernel has already.
import { isCode, isWritable } from '../elf/format.ts'
import type { KernelNames } from '../match/names.ts'
import { type KernelPlace, resolve } from './meaning.ts'
import { type Extent, isFunction, type Named } from './object-view.ts'
import { dataCalled, intersects, type Side, sourceName, sourceUsers, stem, type UnitView } from './unit.ts'

/** A clause that says why the address is something else; undefined when it is right. */
export type Doubt = string | undefined

export interface IdentityContext {
  readonly names: KernelNames
  /** True for the begin of a function that this live patch replaces. */
  replaces(place: KernelPlace): boolean
}

/** @param meant of the unit's object after the patch */
export function doubtAbout(
  { names, replaces }: IdentityContext,
  { object, before, after }: UnitView,
  meant: Extent,
  place: KernelPlace,
): Doubt {
  const { symbol } = meant
  if (symbol === undefined) return 'it is something without a name'
  const { name } = symbol
  const called = names.at(place.object, place.address).map((one) => one.name)
  const there = called[0] ?? 'nothing that has a name'
  const aliases = after.view.namesOf(meant)
  const isCalledSo = (plain: (name: string) => string) =>
    aliases.some((alias) => called.some((one) => plain(one) === plain(alias)))
  if (symbol.binding !== 'local' && place.object === 'vmlinux' && isCalledSo(stem)) return undefined
  if (place.object !== object) return `it is ${there} of ${place.object}`
  if (isFunction(meant) && replaces(place) && isCalledSo(sourceName)) return undefined
  if (!isCalledSo(stem)) return `it is ${there}`
  if (isFunction(meant)) {
    if (after.finder.findAt(name, place.address) !== undefined) return undefined
    // Code that no image holds as it was compiled (patched at link time, alternatives of assembly) has its name only.
    if (before.finder.findAt(name, place.address) !== undefined)
      return 'its code is that before the patch, which nothing replaces'
    return names.symbols(object, name).length === 1 ? undefined : 'the code there is another'
  }
  const labelled = labelledBy(after, meant)
  if (labelled !== undefined)
    return `it has the places of labels in ${labelled}, and the kernel’s own leads into the code before the patch`
  const proven = after.proven(name)
  if (proven.size === 1 && !proven.has(place.address)) return `unchanged code has ${name} elsewhere`
  if (proven.size > 0) return undefined
  const earlier = dataCalled(before, name)
  const places = new Set(earlier.flatMap((one) => [...before.proven(one.name)]))
  if (places.size > 0 && !places.has(place.address)) return `the code that runs has no ${stem(name)} there`
  if (places.size < 2) return undefined
  // Of several of one name, the one that the same functions used.
  const right = earlier.filter((one) => before.proven(one.name).has(place.address))
  const users = sourceUsers(after, name)
  const shares = (one: Named) => intersects(sourceUsers(before, one.name), users)
  if (earlier.some(shares) && !right.some(shares)) return 'other functions use that one'
  const isAsLarge = ({ start, end }: Extent) => end - start === meant.end - meant.start
  return right.some(isAsLarge) ? undefined : 'it has another size'
}

/** The function into whose middle a datum leads: a table of labels (`&&label`), which only that function uses. */
function labelledBy({ view }: Side, datum: Extent): string | undefined {
  for (const { target } of view.references(datum)) {
    if (target.kind !== 'place' || !isCode(target.place.section)) continue
    const [extent] = view.ledTo(target)
    if (extent !== undefined && isFunction(extent) && extent.start !== target.place.offset) return extent.symbol?.name
  }
  return undefined
}

/**
 * The same of a name in a directory's file, which says for itself what of the running kernel it means: with object and
 * position (LIVEPATCH_SYMBOL, kernel/include/inarch-source.h), or as a private name of the unit for which the file
 * stands.
 * @returns `unknown` when the name is neither
 */
export function doubtAboutStated(
  context: IdentityContext,
  unit: UnitView,
  name: string,
  place: KernelPlace,
): Doubt | 'unknown' {
  const [, object, position, stated] = /^__livepatch_symbol\.([A-Za-z0-9_-]+)\.(\d{1,6})\.(.+)$/.exec(name) ?? []
  if (object !== undefined && stated !== undefined) {
    const right = resolve(context.names, { object, name: stated, position: Number(position) })
    if (place.object !== object || place.address !== right) return `it is not ${stated} of that position`
  }
  const known = unit.before.view.called(stated ?? name)
  if (known.length === 0) return stated === undefined ? 'unknown' : undefined
  const doubts = known.map((one) => doubtAbout(context, { ...unit, after: unit.before }, one, place))
  return doubts.includes(undefined) ? undefined : doubts[0]
}

/**
 * What the kernel's macros make for diagnostics, by name, section, and least and most bytes: a fresh one in a replaced
 * function does no harm.
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

export function isDiagnostic({ name, symbol: { size }, section, start, end }: Named): boolean {
  const plain = stem(name).replace(/^.*\./, '')
  // A flag that is up from the start is no macro's.
  const isSet = isWritable(section) && end - start === 1 && section.data[start] === 1
  const fits = ([names, where, least, most]: (typeof diagnostics)[number]) =>
    names.test(plain) && where.test(section.name) && size >= least && size <= most
  return !isSet && diagnostics.some(fits)
}

/** A clause that says why the kernel has the datum already, so that a copy of it is state that is there twice. */
export function kernelHas(names: KernelNames, { object, before, after }: UnitView, datum: Named): Doubt {
  const { name, symbol, section } = datum
  if (isDiagnostic(datum)) return undefined
  const numbered = symbol.binding === 'local' && name.includes('.')
  // A constant of a function has no identity.
  if (numbered && !isWritable(section)) return undefined
  if (after.proven(name).size > 0) return 'code that is not replaced uses the kernel’s'
  const earlier = dataCalled(before, name)
  // As many of one name before and after: the same functions use it.
  if (dataCalled(after, name).length > earlier.length) return undefined
  const users = sourceUsers(after, name)
  const had = earlier.find(
    (one) =>
      names.symbols(object, one.name).some(({ address }) => object !== 'vmlinux' || !names.freed(address)) &&
      (!numbered || intersects(sourceUsers(before, one.name), users)),
  )
  return had && `the unit had ${had.name} before the patch`
}
