// SPDX-License-Identifier: GPL-3.0-or-later
// A number for each type, the same on both sides for types that are built of the same words. Of the thousands of types
// in a unit nearly all are the same before and after a patch; this tells them apart in one pass over each side, so that
// only the others are looked into.
import { getOrInsertComputed } from '../../../ground/values/remembered.ts'
import { type Btf, Kind } from './read.ts'

/** Numbers for texts, shared by both sides. */
export type Numbers = Map<string, number>

/** @returns the number of a struct's members, by name, place and type */
export function recordKeys(btf: Btf, numbers: Numbers): (record: number) => number {
  const known = new Int32Array(btf.count)
  const number = (text: string) => getOrInsertComputed(numbers, text, () => numbers.size + 1)
  const content = (record: number): string => {
    let text = `${btf.kind(record)} ${btf.size(record)}`
    for (const { name, type, offset, width } of btf.members(record))
      text += `;${name},${offset},${width},${keyOf(type)}`
    return text
  }
  const keyOf = (type: number): number => {
    if (known[type] !== 0) return known[type]!
    // Inside of itself, which only a struct without a name can be, behind a pointer.
    known[type] = -1
    const key = number(textOf(type))
    known[type] = key
    return key
  }
  const textOf = (type: number): string => {
    const kind = btf.kind(type)
    switch (kind) {
      case Kind.struct:
      case Kind.union:
      case Kind.forward:
        return btf.name(type) === '' ? `{${content(type)}}` : `s${btf.name(type)}`
      case Kind.int: {
        const { bits, signed } = btf.int(type)
        return `i${btf.size(type)} ${bits}${signed}`
      }
      case Kind.enum:
      case Kind.enum64:
        return `e${btf.size(type)}`
      case Kind.array: {
        const { element, count } = btf.array(type)
        return `${keyOf(element)}[${count}]`
      }
      case Kind.prototype:
        return `${keyOf(btf.target(type))}(${btf.parameters(type).map((one) => keyOf(one.type))})`
      case Kind.pointer:
        return `*${keyOf(btf.target(type))}`
      case Kind.float:
        return `f${btf.size(type)}`
      default:
        return type === 0 ? 'void' : `=${keyOf(btf.target(type))}`
    }
  }
  return (record) => number(content(record))
}
