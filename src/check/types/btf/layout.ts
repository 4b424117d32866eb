// SPDX-License-Identifier: GPL-3.0-or-later
// Where the members of a struct lie. Anonymous structs and unions are looked into, as C does: their members are the
// struct's own, so that wrapping some of them (struct_group) is no change.
import { Fault } from '../../../ground/fault.ts'
import { type Btf, Kind } from './read.ts'
import { resolve } from './spell.ts'

export interface Field {
  /** `a`, or `a.b` inside a member whose struct has no name. */
  readonly name: string
  /** In bits. */
  readonly offset: number
  /** In bits; 0 for an array without an end. */
  readonly bits: number
  readonly type: number
  /** True for a bit field. */
  readonly isBits: boolean
}

const pointerSize = 8

/** Bytes; 0 where BTF does not tell, as for a struct that is only announced. */
export function sizeOf(btf: Btf, type: number): number {
  const own = resolve(btf, type)
  const kind = btf.kind(own)
  if (kind === Kind.pointer) return pointerSize
  if (kind === Kind.array) {
    const { element, count } = btf.array(own)
    return count * sizeOf(btf, element)
  }
  return kind === Kind.forward ? 0 : btf.size(own)
}

export function isRecord(btf: Btf, type: number): boolean {
  const kind = btf.kind(type)
  return kind === Kind.struct || kind === Kind.union
}

/** True for a struct or union without a tag that no typedef names. */
function isNameless(btf: Btf, type: number): boolean {
  let at = type
  while (btf.kind(at) === Kind.const || btf.kind(at) === Kind.volatile || btf.kind(at) === Kind.typeTag)
    at = btf.target(at)
  return isRecord(btf, at) && btf.name(at) === ''
}

/** Structs without a name inside of one; what no person wrote must not take for ever. */
const mostRecords = 10_000

/**
 * The members of a struct or union, in order; those of nameless ones in its place.
 * @throws Fault `environment/unreadable-btf`
 */
export function fieldsOf(btf: Btf, type: number): Field[] {
  const found: Field[] = []
  let records = 0
  const collect = (record: number, start: number, prefix: string) => {
    if (++records > mostRecords)
      throw new Fault('environment', 'unreadable-btf', `A type (${btf.name(type)}) holds too many others`)
    for (const { name, type: own, offset, width } of btf.members(record)) {
      const at = start + offset
      if (isNameless(btf, own)) collect(resolve(btf, own), at, name === '' ? prefix : `${prefix}${name}.`)
      else if (name !== '')
        found.push({
          name: prefix + name,
          offset: at,
          bits: width === 0 ? sizeOf(btf, own) * 8 : width,
          type: own,
          isBits: width !== 0,
        })
    }
  }
  collect(type, 0, '')
  return found
}

/** True when two fields have bits in common. */
export function overlap(one: Field, other: Field): boolean {
  return one.offset < other.offset + other.bits && other.offset < one.offset + one.bits
}
