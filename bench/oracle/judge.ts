// SPDX-License-Identifier: GPL-3.0-or-later
// What is wrong with what Inarch says of a pair of objects, by what binutils say of them: functions that differ and
// that it does not report, and references of the extracted object that lead elsewhere than those of the patched one.
import { type ToldObject, toldBy } from './binutils.ts'
import { type Meaning, meaningOf, type Part, plainName, type Reference, type Thing } from './meaning.ts'

export interface Told {
  readonly object: ToldObject
  readonly meaning: Meaning
}

export function told(file: string): Told {
  const object = toldBy(file)
  return { object, meaning: meaningOf(object) }
}

/** What one name means in an object: often one function, sometimes one of each unit that was linked. */
function functionsByName({ meaning }: Told): Map<string, Thing[]> {
  const found = new Map<string, Thing[]>()
  for (const thing of meaning.things)
    if (thing.kind === 'function') {
      const name = plainName(thing.names[0]!)
      found.set(name, [...(found.get(name) ?? []), thing])
    }
  return found
}

/** A cold part is a part of its function. */
export const parentOf = (name: string) => plainName(name).replace(/\.cold$/, '')

export interface Misses {
  readonly functions: number
  /** Those that differ, by the names under which they may be told. */
  readonly differ: readonly (readonly string[])[]
}

/** The functions that differ between two objects. */
export function differing(before: Told, after: Told): Misses {
  const [b, a] = [functionsByName(before), functionsByName(after)]
  const differ: string[][] = []
  for (const [name, list] of a) {
    const texts = (side: Told, things: readonly Thing[]) => things.map((thing) => side.meaning.textOf(thing)).sort()
    const [inB, inA] = [texts(before, b.get(name) ?? []), texts(after, list)]
    if (inB.length === inA.length && inB.every((text, nth) => text === inA[nth])) continue
    differ.push([...new Set([...list, ...(b.get(name) ?? [])].flatMap((thing) => thing.names.map(parentOf)))])
  }
  for (const [name, list] of b) if (!a.has(name)) differ.push(list.flatMap((thing) => thing.names.map(parentOf)))
  return { functions: new Set([...b.keys(), ...a.keys()]).size, differ }
}

/** @param said every name that Inarch's answer has in it */
export function missed({ differ }: Misses, said: ReadonlySet<string>): string[] {
  const plain = new Set([...said].map(parentOf))
  return differ.filter((names) => !names.some((name) => plain.has(name))).map(([name]) => name!)
}

export interface Followed {
  readonly relocations: number
  readonly wrong: readonly string[]
}

/** Follows every relocation of the extracted object, and holds it against the patched one. */
export function follow(extracted: Told, patched: Told): Followed {
  const wrong: string[] = []
  let relocations = 0
  const byName = new Map<string, Thing[]>()
  for (const thing of patched.meaning.things)
    for (const name of thing.names) byName.set(plainName(name), [...(byName.get(plainName(name)) ?? []), thing])
  const started = startedLater(patched)
  for (const thing of extracted.meaning.things) {
    const name = thing.names[0]!
    const models = byName.get(plainName(name)) ?? []
    if (models.length === 0) {
      wrong.push(`${name}: the patched object has nothing of that name`)
      continue
    }
    if (models.some((model) => model.names.some((one) => started.has(one)))) continue
    relocations += extracted.meaning.referencesOf(thing).length
    const found = models.map((model) => differencesOf(extracted, thing, patched, model))
    if (found.every((list) => list.length > 0)) wrong.push(...found[0]!.map((what) => `${name}${what}`))
  }
  const tables = followTables(extracted, patched)
  return { relocations: relocations + tables.relocations, wrong: [...wrong, ...tables.wrong] }
}

/** Functions in which the kernel writes a constant when it starts: those are carried with other code on purpose. */
function startedLater({ object, meaning }: Told): Set<string> {
  const found = new Set<string>()
  for (const section of object.sections)
    if (/^\.?runtime_(ptr|shift)/.test(section.name))
      for (const relocation of object.relocations.get(section.index) ?? [])
        found.add(meaning.referenceOf(section, relocation).meaning.replace(/\+-?\d+$/, ''))
  return found
}

/** How one part differs from what it was made of; empty when it does not. */
function differencesOf(extracted: Told, part: Part, patched: Told, model: Part, depth = 0): string[] {
  const [own, theirs] = [extracted.meaning.referencesOf(part), patched.meaning.referencesOf(model)]
  const at = new Map(theirs.map((one) => [one.offset, one]))
  const found = own.flatMap((reference) => {
    const meant = at.get(reference.offset)
    return meant !== undefined && isSame(extracted, reference, patched, meant, depth)
      ? []
      : [`+${reference.offset} leads to ${reference.meaning} instead of ${meant?.meaning ?? 'nothing'}`]
  })
  if (own.length < theirs.length) found.push(` lacks ${theirs.length - own.length} references`)
  const isEqual = extracted.meaning.bytesOf(part).equals(patched.meaning.bytesOf(model))
  return found.length > 0 || isEqual ? found : [' has other bytes']
}

/**
 * True when two references mean the same; what is carried of nameless bytes may be a part of a section, without its
 * flags.
 */
function isSame(extracted: Told, own: Reference, patched: Told, theirs: Reference, depth: number): boolean {
  if (own.meaning === theirs.meaning) return true
  const [mine, meant] = [own.content, theirs.content]
  if (mine === undefined || meant === undefined || depth > 6) return false
  const start = mine.at - (meant.at - meant.start)
  const part = { section: mine.section, start, end: start + meant.end - meant.start }
  if (start < 0 || part.end > mine.section.size) return false
  return differencesOf(extracted, part, patched, meant, depth + 1).length === 0
}

/**
 * Rows of tables are about code: each reference of a carried row is one of a row of the patched object, after the same
 * one.
 */
function followTables(extracted: Told, patched: Told): Followed {
  const wrong: string[] = []
  let relocations = 0
  for (const section of extracted.object.sections) {
    const own = extracted.object.relocations.get(section.index) ?? []
    const isTable = !extracted.meaning.things.some((thing) => thing.section === section)
    if (own.length === 0 || !isTable || section.flags.includes('X')) continue
    // Constants are followed from the code that uses them.
    if (/^\.rodata/.test(section.name)) continue
    const rows = patched.object.sections
      .filter(({ name }) => name === section.name)
      .map((theirs) =>
        (patched.object.relocations.get(theirs.index) ?? []).map((one) => patched.meaning.referenceOf(theirs, one)),
      )
    const first = new Map<string, { readonly list: readonly Reference[]; readonly nth: number }[]>()
    for (const list of rows)
      for (const [nth, { meaning }] of list.entries())
        first.set(meaning, [...(first.get(meaning) ?? []), { list, nth }])
    /** Where in the patched object's table the last reference may have come from. */
    let last: readonly { readonly list: readonly Reference[]; readonly nth: number }[] = []
    for (const relocation of own) {
      relocations++
      const reference = extracted.meaning.referenceOf(section, relocation)
      const next = last
        .map(({ list, nth }) => ({ list, nth: nth + 1 }))
        .filter(({ list, nth }) => {
          const theirs = list[nth]
          return theirs !== undefined && isSame(extracted, reference, patched, theirs, 0)
        })
      last = next.length > 0 ? next : (first.get(reference.meaning) ?? [])
      if (last.length === 0)
        wrong.push(
          `${section.name}+${relocation.offset} leads to ${reference.meaning}, as no row of the patched object does`,
        )
    }
  }
  return { relocations, wrong }
}
