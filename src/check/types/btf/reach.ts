// SPDX-License-Identifier: GPL-3.0-or-later
// How data that live come to a type: the shortest way from a variable of the unit, through members and pointers.
import { type Btf, Kind } from './read.ts'
import { resolve } from './spell.ts'

/** What lies behind a type without naming another: elements of an array, the target of a pointer. */
function behind(btf: Btf, type: number): number {
  for (let at = resolve(btf, type); ; ) {
    const kind = btf.kind(at)
    if (kind === Kind.pointer) at = resolve(btf, btf.target(at))
    else if (kind === Kind.array) at = resolve(btf, btf.array(at).element)
    else return at
  }
}

export interface Reach {
  /** The variable from which data of the type are reached, if there is one. */
  variableOf(type: number): string | undefined
  /** True when something else has a member, or a pointer, of the type. */
  isHeld(type: number): boolean
}

/** @param btf the side before the patch */
export function reachOf(btf: Btf): Reach {
  const from = new Int32Array(btf.count)
  const held = new Uint8Array(btf.count)
  const queue: number[] = []
  for (const variable of btf.ofKind(Kind.variable)) {
    const type = behind(btf, btf.target(variable))
    if (type === 0 || from[type] !== 0) continue
    from[type] = variable
    queue.push(type)
  }
  for (const kind of [Kind.struct, Kind.union])
    for (const type of btf.ofKind(kind))
      for (const member of btf.members(type)) {
        const inner = behind(btf, member.type)
        if (inner !== type) held[inner] = 1
      }
  for (const type of queue)
    for (const member of btf.members(type)) {
      const inner = behind(btf, member.type)
      if (inner === 0 || from[inner] !== 0) continue
      from[inner] = from[type]!
      queue.push(inner)
    }
  return {
    variableOf: (type) => (from[type] === 0 ? undefined : btf.name(from[type]!)),
    isHeld: (type) => held[type] === 1,
  }
}
