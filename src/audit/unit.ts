// SPDX-License-Identifier: GPL-3.0-or-later
// A patched unit as the audit sees it: its two objects, and what the kernel's own code says about where its private
// things are. Unchanged code that runs is the proof: where the image's field leads is what the object's symbol means.
import type { ObjectFile } from '../elf/read.ts'
import { addToSet } from '../ground/values/grouped.ts'
import { remembered } from '../ground/values/remembered.ts'
import type { KernelNames } from '../match/names.ts'
import { type Finder, finderOf } from '../match/where.ts'
import { isFunction, type Named, type ObjectView, viewOf } from './object-view.ts'

export interface PatchedUnit {
  /** Path of its source. */
  readonly unit: string
  /** The kernel object that holds it. */
  readonly object: string
  readonly before: Buffer | ObjectFile
  readonly after: Buffer | ObjectFile
  readonly texts?: SourceTexts
}

/** Of a unit of which a part was compiled anew: lines of the source before and after the patch, and of the part. */
export interface SourceTexts {
  readonly unit: readonly (readonly string[])[]
  readonly part: readonly string[]
}

/** One of a unit's two objects, and what the kernel says about it. */
export interface Side {
  readonly view: ObjectView
  readonly finder: Finder
  /** Names of the functions and data that refer to a symbol. */
  users(name: string): ReadonlySet<string>
  /** The addresses that code which runs proves for a private symbol; none when nothing tells. */
  proven(name: string): ReadonlySet<bigint>
}

export interface UnitView {
  readonly unit: string
  readonly texts: SourceTexts | undefined
  readonly object: string
  readonly before: Side
  readonly after: Side
}

/** The name without the numbers that the compiler chooses. */
export function stem(name: string): string {
  return name.replace(/(\.(lto_priv|llvm))?\.\d+(?=\.|$)/g, '').replace(/(^|\.)(__UNIQUE_ID_\D*?)_?\d+$/, '$1$2')
}

/** `foo.isra.0.cold` → `foo`: what the source calls it. */
export function sourceName(name: string): string {
  return name.replace(/(?<=.)\..*$/, '')
}

/** What the source calls the users of a symbol. */
export function sourceUsers({ users }: Pick<Side, 'users'>, name: string): ReadonlySet<string> {
  return new Set([...users(name)].map(sourceName))
}

export function intersects<T>(some: ReadonlySet<T>, others: ReadonlySet<T>): boolean {
  return [...some].some((one) => others.has(one))
}

/** The data of a side that have a name, the compiler's numbers aside. */
export function dataCalled({ view }: Side, name: string): Named[] {
  return view.named.filter((one) => !isFunction(one) && stem(one.name) === stem(name))
}

export function unitView({ unit, object, before, after, texts }: PatchedUnit, names: KernelNames): UnitView {
  return {
    unit,
    texts,
    object,
    before: side(viewOf(before, `${unit} before the patch`), object, names),
    after: side(viewOf(after, `${unit} after the patch`), object, names),
  }
}

function side(view: ObjectView, object: string, names: KernelNames): Side {
  const finder = remembered((of: ObjectView) => finderOf(of.object, names.running(object)))
  const used = remembered(usersIn)
  const found = remembered((user: string) => finder(view).find(user))
  const users = (name: string) => used(view).get(name) ?? new Set<string>()
  const proven = remembered((name: string) => {
    const places = [...users(name)].map(found).flatMap((all) => (all.length === 1 ? all : []))
    const own = places.flatMap((place) => place.own.filter((one) => one.name === name))
    return new Set(own.flatMap(({ address }) => (isCalled(names, object, address, name) ? address : [])))
  })
  return {
    view,
    users,
    proven,
    get finder() {
      return finder(view)
    },
  }
}

/** Whether the kernel calls an address by the name, numbers aside. */
function isCalled(names: KernelNames, object: string, address: bigint, name: string): boolean {
  return names.at(object, address).some((symbol) => stem(symbol.name) === stem(name))
}

/** Names of what refers to each name of an object. */
export function usersIn(view: ObjectView): ReadonlyMap<string, ReadonlySet<string>> {
  const users = new Map<string, Set<string>>()
  for (const user of view.named)
    for (const { target } of view.references(user))
      for (const { symbol } of view.ledTo(target)) {
        if (symbol !== undefined) addToSet(users, symbol.name, user.name)
      }
  return users
}
