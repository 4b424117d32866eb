// SPDX-License-Identifier: GPL-3.0-or-later
// How the types of a unit differ before and after a patch, for data that are there already: each change is told where
// it was made, and the types that only embed it are named with it.
import { type Likeness, likeness, type Unlike } from './alike.ts'
import type { Difference, TypeChange } from './difference.ts'
import { changedEnums } from './enums.ts'
import { type Numbers, recordKeys } from './keys.ts'
import { type Field, fieldsOf, isRecord, overlap, sizeOf } from './layout.ts'
import { type Btf, Kind } from './read.ts'
import { resolve, spell } from './spell.ts'

interface Record {
  readonly name: string
  readonly tag: TypeChange['tag']
  readonly type: number
}

/** The structs and unions that have a name, by it. */
export function namedRecords(btf: Btf): Map<string, Record> {
  const found = new Map<string, Record>()
  for (const tag of ['struct', 'union'] as const)
    for (const type of btf.ofKind(Kind[tag])) {
      const own = btf.name(type)
      const name = `${tag} ${own}`
      if (own !== '' && !found.has(name)) found.set(name, { name, tag, type })
    }
  for (const type of btf.ofKind(Kind.typedef)) {
    const target = btf.target(type)
    const name = btf.name(type)
    if (isRecord(btf, target) && btf.name(target) === '' && !found.has(name))
      found.set(name, { name, tag: 'typedef', type: target })
  }
  return found
}

/** `byte 4`, `bit 3 of byte 4`. */
function place({ offset, isBits }: Field): string {
  const byte = Math.floor(offset / 8)
  return isBits || offset % 8 !== 0 ? `bit ${offset % 8} of byte ${byte}` : `byte ${byte}`
}

function length({ bits, isBits }: Field): string {
  if (isBits || bits % 8 !== 0) return bits === 1 ? '1 bit' : `${bits} bits`
  return bits === 8 ? '1 byte' : `${bits / 8} bytes`
}

const meanings: { readonly [kind in Unlike]: Difference['effect'] } = {
  size: 'broken',
  kind: 'broken',
  signature: 'doubtful',
  sign: 'doubtful',
}

/** What differs in a member that both sides have. */
function memberDifferences(b: Btf, a: Btf, alike: Likeness, old: Field, young: Field): Difference[] {
  const member = old.name
  const broken = (text: string): Difference => ({ effect: 'broken', member, text })
  const moved = old.offset === young.offset ? [] : [broken(`${member} moves from ${place(old)} to ${place(young)}`)]
  if (old.bits !== young.bits || old.isBits !== young.isBits)
    return [...moved, broken(`${member} has ${length(young)} instead of ${length(old)}`)]
  const unlike = alike.unlike(old.type, young.type)
  if (unlike === undefined) return moved
  const text = `${member} is ${spell(a, young.type)} instead of ${spell(b, old.type)}`
  return [...moved, { effect: meanings[unlike], member, text }]
}

/** What differs between a struct and what became of it. */
function recordDifferences(b: Btf, a: Btf, alike: Likeness, before: number, after: number): Difference[] {
  const [old, young] = [fieldsOf(b, before), fieldsOf(a, after)]
  const youngByName = new Map(young.map((field) => [field.name, field]))
  const oldNames = new Set(old.map(({ name }) => name))
  const added = new Set(young.filter(({ name }) => !oldNames.has(name)))
  const kept = old.filter(({ name }) => youngByName.has(name))
  const removed = old.filter(({ name }) => !youngByName.has(name))
  const isAmong = (list: readonly Field[], field: Field) => list.some((one) => overlap(one, field))
  const found: Difference[] = []
  const put = (effect: Difference['effect'], member: string, text: string) => found.push({ effect, member, text })
  for (const field of old) {
    const other = youngByName.get(field.name)
    if (other !== undefined) {
      found.push(...memberDifferences(b, a, alike, field, other))
      continue
    }
    const renamed = [...added].find(
      (one) =>
        one.offset === field.offset &&
        one.bits === field.bits &&
        one.isBits === field.isBits &&
        alike.unlike(field.type, one.type) === undefined,
    )
    const heir = [...added].find((one) => overlap(one, field))
    if (renamed !== undefined) added.delete(renamed)
    else if (heir === undefined)
      put(isAmong(kept, field) ? 'harmless' : 'doubtful', field.name, `${field.name} is gone`)
    else
      put(
        'broken',
        field.name,
        `${heir.name} (${spell(a, heir.type)}) takes the place of ${field.name} ` +
          `(${spell(b, field.type)}) at ${place(field)}`,
      )
  }
  const [sizeBefore, sizeAfter] = [sizeOf(b, before), sizeOf(a, after)]
  for (const field of added) {
    if (isAmong(removed, field)) continue
    const what = `${field.name} (${spell(a, field.type)}) is new at ${place(field)}`
    if (field.offset + field.bits > sizeBefore * 8)
      put('broken', field.name, `${what}, behind the end of objects that are there`)
    // Where a member was, that one was moved aside, or the two share the place, as in a union.
    else put('harmless', field.name, isAmong(kept, field) ? what : `${what}, where nothing was`)
  }
  if (sizeBefore !== sizeAfter) put('broken', '', `its size goes from ${sizeBefore} to ${sizeAfter} bytes`)
  return found
}

/** The members as they are declared: it is the same where a struct differs only because one that it embeds does. */
function declaration(btf: Btf, type: number): string {
  return fieldsOf(btf, type)
    .map(({ name, type: own, bits, isBits }) => `${name}:${isBits ? bits : ''}:${spell(btf, own, { plain: true })}`)
    .join(';')
}

/** The named structs and unions that a struct holds, not behind pointers. */
function embedded(btf: Btf, type: number): string[] {
  return fieldsOf(btf, type).flatMap(({ type: own }) => {
    let at = own
    let alias = ''
    for (;;) {
      const kind = btf.kind(at)
      if (kind === Kind.array) at = btf.array(at).element
      else if (kind === Kind.typedef) {
        alias = btf.name(at)
        at = btf.target(at)
      } else if (resolve(btf, at) !== at) at = btf.target(at)
      else break
    }
    if (!isRecord(btf, at)) return []
    return [btf.name(at) === '' ? alias : `${btf.kind(at) === Kind.struct ? 'struct' : 'union'} ${btf.name(at)}`]
  })
}

/**
 * The types that are on both sides and differ for data that are there, or in what is declared. New types, and those
 * that only become known or unknown, are no change.
 */
export function compareTypes(b: Btf, a: Btf): TypeChange[] {
  const alike = likeness(b, a)
  const [before, after] = [namedRecords(b), namedRecords(a)]
  const numbers: Numbers = new Map()
  const [keyBefore, keyAfter] = [recordKeys(b, numbers), recordKeys(a, numbers)]
  const differing: { one: Record; after: number; differences: Difference[] }[] = []
  for (const one of before.values()) {
    const other = after.get(one.name)
    if (other === undefined) continue
    if (keyBefore(one.type) === keyAfter(other.type)) continue
    const differences = recordDifferences(b, a, alike, one.type, other.type)
    if (differences.length > 0) differing.push({ one, after: other.type, differences })
  }
  const names = new Set(differing.map(({ one }) => one.name))
  const inherited = new Map<string, string[]>()
  for (const { one, after: young, differences } of differing) {
    if (differences.every(({ effect }) => effect !== 'broken')) continue
    const holds = embedded(b, one.type).filter((name) => names.has(name) && name !== one.name)
    if (holds.length > 0 && declaration(b, one.type) === declaration(a, young)) inherited.set(one.name, holds)
  }
  const embedding = (name: string): string[] => {
    const reached = new Set<string>([name])
    for (const known of reached) for (const [holder, holds] of inherited) if (holds.includes(known)) reached.add(holder)
    reached.delete(name)
    return [...reached]
  }
  const records = differing
    .filter(({ one }) => !inherited.has(one.name))
    .map(
      ({ one: { name, tag, type }, after: young, differences }): TypeChange => ({
        name,
        tag,
        before: type,
        after: young,
        differences,
        embedding: embedding(name),
      }),
    )
  return [...records, ...changedEnums(b, a)]
}
