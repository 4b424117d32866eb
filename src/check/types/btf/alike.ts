// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a type before and a type after the patch mean the same bytes: what one wrote, the other reads. Names of
// typedefs, qualifiers, and what a pointer to `void` is used for make no difference.
import { fieldsOf, isRecord, sizeOf } from './layout.ts'
import { type Btf, Kind } from './read.ts'
import { resolve } from './spell.ts'

/**
 * `signature`: functions that are called in another way. `sign`: the same bits, of which one side takes the top one for
 * a sign.
 */
export type Unlike = 'size' | 'kind' | 'sign' | 'signature'

export interface Likeness {
  /**
   * How the two differ; undefined when they do not. Types of one name count as alike: they are compared by themselves.
   */
  unlike(before: number, after: number): Unlike | undefined
  /** The same of two prototypes: what differs in how such a function is called, in words. */
  prototypes(before: number, after: number): 'same' | 'returns' | 'differs'
}

function isWhole(kind: number): boolean {
  return kind === Kind.int || kind === Kind.enum || kind === Kind.enum64
}

/** What is written down and read as bytes of any kind. */
function isUntyped(btf: Btf, type: number): boolean {
  return type === 0 || (btf.kind(type) === Kind.int && btf.size(type) === 1)
}

export function likeness(b: Btf, a: Btf): Likeness {
  const assumed = new Set<string>()
  const unlike = (before: number, after: number): Unlike | undefined => {
    const [x, y] = [resolve(b, before), resolve(a, after)]
    const [kindX, kindY] = [b.kind(x), a.kind(y)]
    if (kindX === Kind.pointer && kindY === Kind.pointer) return unlikeTargets(x, y)
    if (isWhole(kindX) && isWhole(kindY)) {
      if (b.size(x) !== a.size(y)) return 'size'
      const isSigned = (btf: Btf, type: number) => btf.kind(type) === Kind.int && btf.int(type).signed
      return kindX === kindY && isSigned(b, x) !== isSigned(a, y) ? 'sign' : undefined
    }
    const isSome = (btf: Btf, type: number) => isRecord(btf, type) || btf.kind(type) === Kind.forward
    if (isSome(b, x) && isSome(a, y)) return unlikeRecords(x, y)
    if (kindX !== kindY) return 'kind'
    if (kindX === Kind.array) {
      const [one, other] = [b.array(x), a.array(y)]
      return unlike(one.element, other.element) ?? (one.count === other.count ? undefined : 'size')
    }
    if (kindX === Kind.prototype) return prototypes(x, y) === 'same' ? undefined : 'signature'
    return sizeOf(b, x) === sizeOf(a, y) ? undefined : 'size'
  }
  const unlikeTargets = (x: number, y: number): Unlike | undefined => {
    const [p, q] = [resolve(b, b.target(x)), resolve(a, a.target(y))]
    if (isUntyped(b, p) || isUntyped(a, q)) return undefined
    const found = unlike(p, q)
    // Behind a pointer the size is no longer this member's.
    return found === 'size' ? 'kind' : found
  }
  const unlikeRecords = (x: number, y: number): Unlike | undefined => {
    const [nameX, nameY] = [b.name(x), a.name(y)]
    if (nameX !== '' && nameX === nameY) return undefined
    // Of another name: the same when it is built the same.
    const key = `${x} ${y}`
    if (assumed.has(key)) return undefined
    assumed.add(key)
    const [before, after] = [fieldsOf(b, x), fieldsOf(a, y)]
    const same =
      b.kind(x) === a.kind(y) &&
      sizeOf(b, x) === sizeOf(a, y) &&
      before.length === after.length &&
      before.every((field, i) => {
        const other = after[i]!
        return (
          field.offset === other.offset && field.bits === other.bits && unlike(field.type, other.type) === undefined
        )
      })
    if (same) return undefined
    assumed.delete(key)
    return 'kind'
  }
  const prototypes = (x: number, y: number): 'same' | 'returns' | 'differs' => {
    const [before, after] = [b.parameters(x), a.parameters(y)]
    const passed = (one: number, other: number) => (one === 0) === (other === 0) && unlike(one, other) === undefined
    if (before.length !== after.length || !before.every(({ type }, i) => passed(type, after[i]!.type))) return 'differs'
    const [from, to] = [resolve(b, b.target(x)), resolve(a, a.target(y))]
    if (from === 0 && to === 0) return 'same'
    // A result that there was not before is in a register that callers may spoil anyway, unless it needs a place.
    if (from === 0) return isRecord(a, to) && sizeOf(a, to) > 16 ? 'differs' : 'returns'
    return to !== 0 && unlike(from, to) === undefined ? 'same' : 'differs'
  }
  return { unlike, prototypes }
}
