// SPDX-License-Identifier: GPL-3.0-or-later
// Translation validation: from each function that the module replaces, module and patched object are walked in step. What
// the module carries must be, byte for byte, what the compiler made, and each reference in it must mean what the same
// reference means in the object: a place of the module that is walked in turn, or the thing of the kernel.
import type { Relocation, Section } from '../elf/read.ts'
import type { Names } from '../match/names.ts'
import { beforePad, behindPad, excuseLineOfBug, excuseLines, isOwnName, otherName } from './anew.ts'
import type { Complain } from './complaint.ts'
import { type Doubt, doubtAbout, doubtAboutStated, type IdentityContext, kernelHas } from './identity.ts'
import { type KernelPlace, linked, type Meaning, meaningOf } from './meaning.ts'
import {
  type Extent,
  isFunction,
  isWritable,
  type ObjectView,
  type Place,
  type Target,
} from './object-view.ts'
import { compareOtherCode } from './other-code.ts'
import { compareCode } from './same-code.ts'
import { compareTables } from './same-tables.ts'
import { sourceName, stem, type UnitView } from './unit.ts'

/** A root of the walk: a place of the module, and what it must be in a unit's object after the patch. */
export interface Root {
  readonly place: Place
  readonly unit: UnitView
  /** Undefined where the unit has no code of it alone, since the compiler took it into its callers. */
  readonly extent: Extent | undefined
  /** What the live patch calls what it replaces. */
  readonly name: string
}

interface Task {
  /** From which the walk came here. */
  readonly root: Root
  readonly mine: Place
  readonly unit: UnitView
  readonly theirs: Extent
}

/** What the module was found to carry of each unit, by the object's names. */
export type Carried = ReadonlyMap<UnitView, ReadonlySet<string>>

/** What a function or a datum is called where a message needs a name. */
function nameOf({ symbol, section }: Extent): string {
  return symbol?.name ?? section.name
}

function isSame(one: Place, other: Place): boolean {
  return one.section === other.section && one.offset === other.offset
}

/**
 * How the module's code came to be: cut out of the patched objects; compiled anew, from parts of the patched units; or as the
 * objects have it that were compiled from a directory's own files, which take the place of the patched objects.
 */
export type ModuleCode = 'cut-out' | 'compiled-anew' | 'from-directory'

/** What the walk must know of the build besides its results. */
export interface Making {
  readonly code: ModuleCode
  /** Whether the build says that the compiler made other code of a replaced function. */
  isOther(unit: UnitView, name: string): boolean
  /** Whether it says that the live patch has a copy of a datum. */
  isCopyTold(unit: UnitView, name: string): boolean
  /** Whether the author asks for a copy of a section. */
  isAskedFor(unit: UnitView, section: string): boolean
}

export function checkTranslation(
  module: ObjectView,
  names: Names,
  units: readonly UnitView[],
  roots: readonly Root[],
  replaces: (place: KernelPlace) => boolean,
  { code, isOther, isCopyTold, isAskedFor }: Making,
  complain: Complain,
): Carried {
  const identity: IdentityContext = { names, replaces }
  const anew = code === 'compiled-anew'
  /** What functions that replace others are called in the module, and what they replace. */
  const replacing = new Map(
    roots.flatMap(({ place, name }) =>
      module.named
        .filter((one) => isFunction(one) && isSame({ section: one.section, offset: one.start }, place))
        .map((one) => [nameOf(one), sourceName(name)] as const),
    ),
  )
  // Among other callers the compiler makes other forms of a function.
  const plainName = (name: string) => (anew ? stem(sourceName(name)) : name.replace(/\.\.\d+(?=\.|$)/g, ''))
  const nameInUnit = (name: string) => (anew ? replacing.get(sourceName(name)) : undefined) ?? plainName(name)
  const carried = new Map<UnitView, Set<string>>(units.map((unit) => [unit, new Set<string>()]))
  const seen = new Set<string>()
  /** Named data of the module, with what it is; each thing is there once. */
  const mineOf = new Map<string, string>()
  const theirsOf = new Map<string, string>()
  const tasks: Task[] = []
  let root: Root | undefined
  const globals = new Map<string, { unit: UnitView; extent: Extent }>()
  for (const unit of units)
    for (const extent of unit.after.view.named)
      if (extent.symbol !== undefined && extent.symbol.binding !== 'local')
        globals.set(extent.symbol.name, { unit, extent })

  for (const one of roots) {
    root = one
    const { place, unit, extent, name } = one
    if (extent !== undefined) pair(place, unit, extent, 0)
    else {
      const otherwise = otherCode(place, unit, undefined)
      if (otherwise !== undefined) differs(unit, name, otherwise)
    }
  }
  for (let task = tasks.pop(); task !== undefined; task = tasks.pop()) walk(task)
  return carried

  /** @param offset the place's distance from the begin of `theirs` */
  function pair(place: Place, unit: UnitView, theirs: Extent, offset: number): void {
    const mine = beginOf(place, theirs, offset)
    const [mineKey, theirsKey] = [
      `${mine.section.index}:${mine.offset}`,
      `${unit.unit} ${theirs.section.index}:${theirs.start}:${theirs.end}`,
    ]
    if (seen.has(`${mineKey} ${theirsKey}`)) return
    seen.add(`${mineKey} ${theirsKey}`)
    const { symbol } = theirs
    const name = nameOf(theirs)
    if (symbol !== undefined) {
      for (const one of unit.after.view.namesOf(theirs)) carried.get(unit)?.add(one)
      const copy = isFunction(theirs) ? undefined : kernelHas(names, unit, theirs, isAskedFor)
      if (copy !== undefined && !isCopyTold(unit, name))
        complain(
          'audit-copied',
          name,
          `The module carries a copy of ${name}, which the kernel has: ${copy}`,
          unit.unit,
        )
      const lasting = isWritable(theirs.section) && theirs.end > theirs.start
      if (lasting && (theirsOf.get(mineKey) ?? theirsKey) !== theirsKey)
        complain('audit-reference', name, `The module takes ${name} for another datum, too`, unit.unit)
      if (lasting && (mineOf.get(theirsKey) ?? mineKey) !== mineKey)
        complain(
          'audit-copied',
          name,
          `The module carries ${name} twice, and its code would not agree about its value`,
          unit.unit,
        )
      theirsOf.set(mineKey, theirsKey)
      mineOf.set(theirsKey, mineKey)
      const called = module.named.filter((one) => one.section === mine.section && one.start === mine.offset)
      const isRoot = roots.some((one) => one.extent === theirs && isSame(one.place, mine))
      const meant = unit.after.view.namesOf(theirs).map(plainName)
      // What a function that replaces another is called is nobody's concern.
      if (!isRoot && !called.some((one) => meant.includes(nameInUnit(nameOf(one)))))
        complain(
          'audit-reference',
          name,
          `What should be ${name} in the module is ${called[0] === undefined ? `a place of ${mine.section.name}` : nameOf(called[0])}`,
          unit.unit,
        )
    }
    if (root !== undefined) tasks.push({ root, mine, unit, theirs })
  }

  /** A function's place in the module, told by a place in it. */
  function beginOf({ section, offset }: Place, theirs: Extent, distance: number): Place {
    const start = { section, offset: offset - distance }
    return anew && distance > 0 && isFunction(theirs) ? beforePad(module, start) : start
  }

  function walk(task: Task): void {
    const { mine, unit, theirs } = task
    const name = nameOf(theirs)
    root = task.root
    if (anew && isOwnName(theirs)) {
      // Where other code was made, another function of a header may have been taken in, or left out, with its name.
      const other = isOther(unit, root.name) ? undefined : otherName(module, mine, theirs)
      if (other !== undefined) differs(unit, name, other)
      return
    }
    const place = anew ? behindPad(mine, theirs) : mine
    const { references, difference } = compareCode(
      module,
      names,
      place,
      unit.after.view,
      theirs,
      (ours, made) => {
        if (anew) excuseLines(theirs, unit.texts, ours, made)
      },
    )
    if (difference !== undefined) {
      const other = isFunction(theirs) && isOther(unit, root.name)
      const otherwise = other
        ? otherCode(mine, unit, theirs)
        : `at offset ${difference.at} ${difference.what}`
      if (otherwise !== undefined) differs(unit, name, otherwise)
    } else {
      for (const { own, target } of references) compareReference(unit, theirs, mine.section, own, target)
      if (isFunction(theirs)) walkTables(place, unit, theirs)
    }
  }

  function walkTables(mine: Place, unit: UnitView, theirs: Extent): void {
    const { entries, alternatives, difference } = compareTables(
      module,
      mine,
      unit,
      theirs,
      (entry, ours, made) => {
        if (anew) excuseLineOfBug(entry, ours, made)
      },
    )
    if (difference !== undefined) complain('audit-table', nameOf(theirs), difference, unit.unit)
    for (const { table, own, target } of entries) compareReference(unit, theirs, table, own, target)
    for (const { table, own, extent } of alternatives) {
      const meaning = meaningOf(names, module, table, own)
      if (meaning.kind === 'own') pair(meaning.place, unit, extent, 0)
    }
  }

  function differs({ unit }: UnitView, name: string, what: string): void {
    complain(
      'audit-code',
      name,
      `${name} of the module is not what the compiler made of ${unit}: ${what}`,
      unit,
    )
  }

  /** What is wrong with a function of which the compiler made other code. */
  function otherCode(mine: Place, unit: UnitView, theirs: Extent | undefined): Doubt {
    const own = module.named.find(
      (one) => isFunction(one) && one.section === mine.section && one.start === mine.offset,
    )
    if (own === undefined) return 'it is no function'
    return compareOtherCode(
      {
        module,
        means: (section, relocation, target) =>
          meaningOf(names, module, section, relocation).kind === 'kernel' &&
          doubtAboutReference(unit, section, relocation, target) === undefined,
        called: (section, relocation) => {
          const meaning = meaningOf(names, module, section, relocation)
          return meaning.kind === 'kernel' ? called(meaning.at) : 'something unknown'
        },
        pair: (place, extent, distance) => pair(place, unit, extent, distance),
        replaced: (place) => roots.find((one) => isSame(one.place, place))?.extent,
      },
      own,
      unit.after,
      theirs,
      root?.extent,
    )
  }

  function compareReference(
    unit: UnitView,
    from: Extent,
    section: Section,
    own: Relocation,
    target: Target,
  ): void {
    const doubt = doubtAboutReference(unit, section, own, target)
    if (doubt === undefined) return
    const meant = target.kind === 'number' ? `the number ${target.value}` : meantBy(unit, target)
    complain(
      'audit-reference',
      meant,
      `${nameOf(from)} refers to ${meant}, and in the module that is something else: ${doubt}`,
      unit.unit,
    )
  }

  function meantBy({ after }: UnitView, target: Exclude<Target, { kind: 'number' }>): string {
    if (target.kind === 'outside') return target.symbol.name
    const [extent] = after.view.extentsAt(target.place, target.symbol)
    return extent === undefined ? target.place.section.name : nameOf(extent)
  }

  /** What is wrong with one reference; what it leads to in the module is walked later. */
  function doubtAboutReference(unit: UnitView, section: Section, own: Relocation, target: Target): Doubt {
    const meaning = meaningOf(names, module, section, own)
    // That the kernel can't resolve it is told by who looks at all references.
    if (meaning.kind === 'unknown') return undefined
    if (target.kind === 'number')
      return meaning.kind === 'number' && meaning.value === target.value ? undefined : 'another one'
    if (meaning.kind === 'number') return `the number ${meaning.value}`
    if (meaning.kind === 'own') return doubtAboutOwn(unit, meaning, target)
    const { object, address } = meaning.at
    const from = (distance: number): KernelPlace => ({
      object,
      address: BigInt.asUintN(64, address - BigInt(distance)),
    })
    if (target.kind === 'outside') {
      const { name } = target.symbol
      const base = from(target.offset)
      if (code === 'from-directory') {
        const doubt = doubtAboutStated(identity, unit, name, base)
        if (doubt !== 'unknown') return doubt
      }
      const right = linked(names, unit.object, name)
      if (right.some((one) => one.object === base.object && one.address === base.address)) return undefined
      const definer = globals.get(name)
      return definer === undefined
        ? `it is ${called(base)}`
        : doubtAbout(identity, definer.unit, definer.extent, base)
    }
    const { place, symbol } = target
    const doubts = unit.after.view
      .extentsAt(place, symbol)
      .map((extent) =>
        doubtAbout(
          identity,
          unit,
          extent,
          from(extent.symbol === undefined ? 0 : place.offset - extent.start),
        ),
      )
    return doubts.includes(undefined) ? undefined : doubts[0]
  }

  function doubtAboutOwn(
    unit: UnitView,
    { place: mine, symbol }: Meaning & { kind: 'own' },
    target: Exclude<Target, { kind: 'number' }>,
  ): Doubt {
    const begins = (name: string, distance: number, plain: (name: string) => string) =>
      module.named.some(
        (one) =>
          one.section === mine.section &&
          one.start === mine.offset - distance &&
          plain(nameOf(one)) === plain(name),
      )
    if (target.kind === 'outside') {
      const { symbol: named, offset } = target
      const definer = globals.get(named.name)
      if (definer !== undefined) pair(mine, definer.unit, definer.extent, offset)
      // Else it must be what every live patch has.
      else if (symbol.name !== named.name && !begins(named.name, offset, (name) => name))
        return `a place of ${mine.section.name}`
      return undefined
    }
    const { place } = target
    const candidates = unit.after.view.extentsAt(place, target.symbol)
    const extent =
      candidates.find((one) => begins(nameOf(one), place.offset - one.start, stem)) ?? candidates[0]
    if (extent === undefined) return `a place of ${mine.section.name}`
    pair(mine, unit, extent, place.offset - extent.start)
    return undefined
  }

  function called({ object, address }: KernelPlace): string {
    return names.at(object, address)[0]?.name ?? `0x${address.toString(16)} of ${object}`
  }
}
