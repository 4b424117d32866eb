// SPDX-License-Identifier: GPL-3.0-or-later
// A patched unit as the audit sees it: its two objects, and what the kernel's own code says about where its private
// things are. Unchanged code that runs is the proof: where the image's field leads is what the object's symbol means.
import type { ObjectFile } from '../elf/read.ts'
import type { Names } from '../match/names.ts'
import { type Finder, finderOf } from '../match/where.ts'
import { type ObjectView, viewOf } from './object-view.ts'

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
  /** Source names of the functions, and names of the data, that refer to a symbol. */
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
  return name
    .replace(/(\.(lto_priv|llvm))?\.\d+(?=\.|$)/g, '')
    .replace(/(^|\.)(__UNIQUE_ID_\D*?)_?\d+$/, '$1$2')
}

/** `foo.isra.0.cold` → `foo`: what the source calls it. */
export function sourceName(name: string): string {
  return name.replace(/(?<=.)\..*$/, '')
}

export function unitView({ unit, object, before, after, texts }: PatchedUnit, names: Names): UnitView {
  return {
    unit,
    texts,
    object,
    before: side(before, `${unit} before the patch`, object, names),
    after: side(after, `${unit} after the patch`, object, names),
  }
}

function side(bytes: Buffer | ObjectFile, name: string, object: string, names: Names): Side {
  const view = viewOf(bytes, name)
  let finder: Finder | undefined
  const find = () => {
    finder ??= finderOf(view.object, names.running(object))
    return finder
  }
  let used: Map<string, Set<string>> | undefined
  const proofs = new Map<string, Set<bigint>>()
  const seen = new Map<string, ReturnType<Finder['find']>>()
  return {
    view,
    get finder() {
      return find()
    },
    users(wanted) {
      used ??= usersIn(view)
      return used.get(wanted) ?? new Set()
    },
    proven(wanted) {
      const known = proofs.get(wanted)
      if (known !== undefined) return known
      const found = new Set<bigint>()
      proofs.set(wanted, found)
      for (const user of this.users(wanted)) {
        const places = seen.get(user) ?? find().find(user)
        seen.set(user, places)
        const [only, ...others] = places
        if (only === undefined || others.length > 0) continue
        for (const { name: symbol, address } of only.own)
          if (symbol === wanted && isCalled(names, object, address, wanted)) found.add(address)
      }
      return found
    },
  }
}

/** Whether the kernel calls an address by the name, numbers aside. */
export function isCalled(names: Names, object: string, address: bigint, name: string): boolean {
  return names.at(object, address).some((symbol) => stem(symbol.name) === stem(name))
}

/** Names of what refers to each name of an object. */
export function usersIn(view: ObjectView): Map<string, Set<string>> {
  const users = new Map<string, Set<string>>()
  for (const user of view.named)
    for (const relocation of view.relocations(user)) {
      const target = view.target(user.section, relocation)
      if (target.kind !== 'place') continue
      for (const { symbol } of view.extentsAt(target.place, target.symbol)) {
        if (symbol === undefined || user.symbol === undefined) continue
        const list = users.get(symbol.name)
        if (list === undefined) users.set(symbol.name, new Set([user.symbol.name]))
        else list.add(user.symbol.name)
      }
    }
  return users
}
