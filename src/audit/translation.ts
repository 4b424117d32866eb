// SPDX-License-Identifier: GPL-3.0-or-later
// Translation validation: from each function that the module replaces, module and patched object are walked in step.
// What the module carries must be, byte for byte, what the compiler made, with the same tables about it, and each
// reference in it must mean what the same reference means in the object: a place of the module that is walked in turn,
// or the thing of the kernel.
import { isWritable } from '../elf/format.ts'
import { type CodeEntry, entriesAbout } from './code-tables.ts'
import { type Doubt, doubtAbout, doubtAboutStated, kernelHas } from './identity.ts'
import type { Inspection } from './inspection.ts'
import { isSamePlace, type KernelPlace, linked, meaningOf, movedBy, nameAt } from './meaning.ts'
import {
  type Extent,
  isFunction,
  isString,
  keyOf,
  type Named,
  nameOf,
  type Place,
  type Reference,
  type Target,
} from './object-view.ts'
import { compareOtherCode } from './other-code.ts'
import { beforePad, behindPad, excuseLines, isOwnName, isSameTextAtLine, otherName } from './recompiled-code.ts'
import { compareCode } from './same-code.ts'
import { sourceName, stem, type UnitView } from './unit.ts'

/** A root of the walk: a place of the module, and what it must be in a unit's object after the patch. */
export interface Root {
  readonly place: Place
  readonly unit: UnitView
  /** Undefined where the unit has no code of it alone, since the compiler took it into its callers. */
  readonly extent: Named | undefined
  /** What the live patch calls what it replaces. */
  readonly name: string
}

/** Something of a patched unit, and the distance of a place from its begin. */
interface Thing {
  readonly unit: UnitView
  readonly extent: Extent
  readonly distance: number
}

/** Where the walk is: from which root it came, and into which unit. */
interface From {
  readonly root: Root
  readonly unit: UnitView
}

interface Task extends From {
  readonly mine: Place
  readonly theirs: Extent
}

/** What the module was found to carry of each unit, by the object's names. */
export type Carried = ReadonlyMap<UnitView, ReadonlySet<string>>

/**
 * How the module's code came to be: cut out of the patched objects; compiled anew, from parts of the patched units; or
 * as the objects have it that were compiled from a directory's own files, which take the place of the patched objects.
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
  inspection: Inspection,
  units: readonly UnitView[],
  roots: readonly Root[],
  replaces: (place: KernelPlace) => boolean,
  { code, isOther, isCopyTold, isAskedFor }: Making,
): Carried {
  const { module, names, complain } = inspection
  const identity = { names, replaces }
  const anew = code === 'compiled-anew'
  /** What functions that replace others are called in the module, and what they replace. */
  const replacing = new Map(
    roots.flatMap(({ place, name }) =>
      module.at(place).flatMap((one) => (isFunction(one) ? [[one.name, sourceName(name)] as const] : [])),
    ),
  )
  // Among other callers the compiler makes other forms of a function.
  const plainName = (name: string) => (anew ? stem(sourceName(name)) : name.replace(/\.\.\d+(?=\.|$)/g, ''))
  const nameInUnit = (name: string) => (anew ? replacing.get(sourceName(name)) : undefined) ?? plainName(name)
  const carried = new Map(units.map((unit) => [unit, new Set<string>()]))
  const seen = new Set<string>()
  /** Data of the module that last, with what they are; each thing is there once. */
  const mineOf = new Map<string, string>()
  const theirsOf = new Map<string, string>()
  const tasks: Task[] = []
  const globals = new Map(
    units.flatMap((unit) =>
      unit.after.view.named.flatMap((extent) =>
        extent.symbol.binding === 'local' ? [] : [[extent.name, { unit, extent }] as const],
      ),
    ),
  )

  for (const root of roots) {
    const { place, unit, extent, name } = root
    if (extent !== undefined) pair(root, place, { unit, extent, distance: 0 })
    else differsIf(otherCode({ root, unit }, place, undefined), unit, name)
  }
  for (let task = tasks.pop(); task !== undefined; task = tasks.pop()) walk(task)
  return carried

  function pair(root: Root, place: Place, { unit, extent: theirs, distance }: Thing): void {
    const behind = { ...place, offset: place.offset - distance }
    // A function's begin in the module is told by a place in it.
    const mine = anew && distance > 0 && isFunction(theirs) ? beforePad(module, behind) : behind
    const [mineKey, theirsKey] = [`${mine.section.index}:${mine.offset}`, `${unit.unit} ${keyOf(theirs)}:${theirs.end}`]
    const key = `${mineKey} ${theirsKey}`
    if (seen.has(key)) return
    seen.add(key)
    tasks.push({ root, mine, unit, theirs })
    if (theirs.symbol === undefined) return

    const { name } = theirs
    const wrong = (rule: string, message: string) => complain(rule, name, message, unit.unit)
    const { view } = unit.after
    for (const one of view.namesOf(theirs)) carried.get(unit)?.add(one)
    const mayCopy = isFunction(theirs) || isAskedFor(unit, theirs.section.name) || isCopyTold(unit, name)
    const copy = mayCopy ? undefined : kernelHas(names, unit, theirs)
    if (copy !== undefined) wrong('audit-copied', `The module carries a copy of ${name}, which the kernel has: ${copy}`)
    if (isWritable(theirs.section) && theirs.end > theirs.start) {
      if ((theirsOf.get(mineKey) ?? theirsKey) !== theirsKey)
        wrong('audit-reference', `The module takes ${name} for another datum, too`)
      if ((mineOf.get(theirsKey) ?? mineKey) !== mineKey)
        wrong('audit-copied', `The module carries ${name} twice, and its code would not agree about its value`)
    }
    theirsOf.set(mineKey, theirsKey)
    mineOf.set(theirsKey, mineKey)
    // What a function that replaces another is called is nobody's concern.
    if (roots.some((one) => one.extent === theirs && isAt(one.place, mine))) return
    const called = module.at(mine).map((one) => one.name)
    const meant = view.namesOf(theirs).map(plainName)
    if (!called.some((one) => meant.includes(nameInUnit(one))))
      wrong(
        'audit-reference',
        `What should be ${name} in the module is ${called[0] ?? `a place of ${mine.section.name}`}`,
      )
  }

  function walk(task: Task): void {
    const { root, mine, unit, theirs } = task
    if (anew && isOwnName(theirs)) {
      // Where other code was made, another function of a header may have been taken in, or left out, with its name.
      if (!isOther(unit, root.name)) differsIf(otherName(module, mine, theirs), unit, nameOf(theirs))
      return
    }
    if (anew && isString(theirs.section) && unit.texts !== undefined)
      if (isSameTextAtLine(mine, theirs, unit.unit, unit.texts)) return
    const place = anew ? behindPad(mine, theirs) : mine
    const { references, difference } = compare(place, unit, theirs)
    if (difference !== undefined) {
      const isOtherCode = isFunction(theirs) && isOther(unit, root.name)
      differsIf(isOtherCode ? otherCode(task, mine, theirs) : difference, unit, nameOf(theirs))
      return
    }
    for (const { own, target } of references) compareReference(task, own, target)
    const doubt = isFunction(theirs) ? doubtAboutTables(task, place) : undefined
    if (doubt !== undefined) complain('audit-table', nameOf(theirs), doubt, unit.unit)
  }

  function compare(place: Place, { after, texts }: UnitView, theirs: Extent) {
    return compareCode(inspection, place, after.view, theirs, (ours, made) => {
      if (anew) excuseLines(theirs, texts, ours, made)
    })
  }

  /** The tables must say the same about a function, entry by entry. */
  function doubtAboutTables(task: Task, mine: Place): Doubt {
    const { root, unit, theirs } = task
    const name = nameOf(theirs)
    const length = theirs.end - theirs.start
    const ours = entriesAbout(module, { ...mine, start: mine.offset, end: mine.offset + length })
    const isAbout = (entry: CodeEntry, at: number) => `${entry.section.name} ${entry.about.offset - at}`
    let next = 0
    for (const entry of entriesAbout(unit.after.view, theirs)) {
      const { section: table, start, end, about } = entry
      const own = ours[next]
      if (own === undefined || isAbout(own, mine.offset) !== isAbout(entry, theirs.start)) {
        if (isLostTracepoint(entry, unit)) continue
        return `The module lacks what ${table.name} says about ${name}, offset ${about.offset - theirs.start}`
      }
      next++
      const { references, difference } = compare({ section: own.section, offset: own.start }, unit, entry)
      if (difference !== undefined)
        return `${table.name} of the module says something else about ${name} than the compiler`
      for (const { own: field, target } of references) {
        const meaning = meaningOf(names, field)
        const isAlternative = table.name === '.altinstructions' && target === entry.references[1]?.target
        if (isAlternative && target.kind === 'place' && meaning.kind === 'own') {
          const { section, offset } = target.place
          const size = table.data[start + (end - start === 14 ? 13 : 11)] ?? 0
          const extent = { section, start: offset, end: offset + size }
          pair(root, meaning.place, { unit, extent, distance: 0 })
        } else compareReference(task, field, target)
      }
    }
    const more = ours[next]
    return more && `The module has an entry of ${more.section.name} about ${name} that the compiler did not make`
  }

  function differsIf(what: Doubt, { unit }: UnitView, name: string): void {
    if (what !== undefined)
      complain('audit-code', name, `${name} of the module is not what the compiler made of ${unit}: ${what}`, unit)
  }

  /** What is wrong with a function of which the compiler made other code. */
  function otherCode({ root, unit }: From, mine: Place, theirs: Extent | undefined): Doubt {
    const own = module.at(mine).find(isFunction)
    if (own === undefined) return 'it is no function'
    return compareOtherCode(
      {
        module,
        means: (field, target) =>
          meaningOf(names, field).kind === 'kernel' && doubtAboutReference({ root, unit }, field, target) === undefined,
        loads: (field, variable) => {
          const meaning = meaningOf(names, field)
          if (meaning.kind !== 'kernel') return false
          return linked(names, 'vmlinux', variable).some((place) => isSamePlace(place, meaning.at))
        },
        called: (field) => {
          const meaning = meaningOf(names, field)
          return meaning.kind === 'kernel' ? nameAt(names, meaning.at) : 'something unknown'
        },
        pair: (place, extent, distance) => pair(root, place, { unit, extent, distance }),
        replaced: (place) => roots.find((one) => isAt(one.place, place))?.extent,
      },
      own,
      unit.after,
      theirs,
      root.extent,
    )
  }

  function compareReference(task: Task, own: Reference, target: Target): void {
    const doubt = doubtAboutReference(task, own, target)
    if (doubt === undefined) return
    const { unit, theirs } = task
    const meant = meantBy(unit, target)
    complain(
      'audit-reference',
      meant,
      `${nameOf(theirs)} refers to ${meant}, and in the module that is something else: ${doubt}`,
      unit.unit,
    )
  }

  /** What is wrong with one reference; what it leads to in the module is walked later. */
  function doubtAboutReference({ root, unit }: From, own: Reference, target: Target): Doubt {
    const meaning = meaningOf(names, own)
    // That the kernel can't resolve it is told by who looks at all references.
    if (meaning.kind === 'unknown') return undefined
    if (target.kind === 'number')
      return meaning.kind === 'number' && meaning.value === target.value ? undefined : 'another one'
    if (meaning.kind === 'number') return `the number ${meaning.value}`
    const things = thingsMeant(unit, target)
    if (meaning.kind === 'own') {
      const { place, symbol } = meaning
      const namesAt = (distance: number) =>
        module.at({ ...place, offset: place.offset - distance }).map(({ name }) => name)
      const isCalledSo = ({ extent, distance }: Thing) =>
        namesAt(distance).some((name) => stem(name) === stem(nameOf(extent)))
      const thing = things.find(isCalledSo) ?? things[0]
      if (thing !== undefined) pair(root, place, thing)
      // Else it must be what every live patch has.
      else if (target.kind === 'outside' && ![symbol.name, ...namesAt(target.offset)].includes(target.symbol.name))
        return `a place of ${place.section.name}`
      return undefined
    }
    if (target.kind === 'outside') {
      const { name } = target.symbol
      const base = movedBy(meaning.at, -target.offset)
      const stated = code === 'from-directory' ? doubtAboutStated(identity, unit, name, base) : 'unknown'
      if (stated !== 'unknown') return stated
      if (linked(names, unit.object, name).some((one) => isSamePlace(one, base))) return undefined
      if (things.length === 0) return `it is ${nameAt(names, base)}`
    }
    const doubts = things.map(({ unit: of, extent, distance }) =>
      doubtAbout(identity, of, extent, movedBy(meaning.at, -distance)),
    )
    return doubts.includes(undefined) ? undefined : doubts[0]
  }

  /** What of the patched units a reference may mean. */
  function thingsMeant(unit: UnitView, target: Target): Thing[] {
    const { view } = unit.after
    if (target.kind === 'place')
      return view.ledTo(target).map((extent) => ({ unit, extent, distance: target.place.offset - extent.start }))
    if (target.kind === 'number') return []
    const definer = globals.get(target.symbol.name)
    return definer === undefined ? [] : [{ ...definer, distance: target.offset }]
  }
}

function isAt(one: Place, other: Place): boolean {
  return one.section === other.section && one.offset === other.offset
}

function meantBy({ after }: UnitView, target: Target): string {
  if (target.kind === 'number') return `the number ${target.value}`
  if (target.kind === 'outside') return target.symbol.name
  const [extent] = after.view.ledTo(target)
  return extent === undefined ? target.place.section.name : nameOf(extent)
}

/** A tracepoint of a module that may come later can't be known when the live patch is loaded: its entry is left out. */
function isLostTracepoint({ section, references }: CodeEntry, { object }: UnitView): boolean {
  const target = references[2]?.target
  if (section.name !== '__jump_table' || object === 'vmlinux' || target === undefined) return false
  return target.kind !== 'number' && target.symbol.name.startsWith('__tracepoint_')
}
