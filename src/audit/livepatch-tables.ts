// SPDX-License-Identifier: GPL-3.0-or-later
// What the finished module tells the kernel to replace and to call, read from its own bytes: struct klp_patch and what
// hangs on it. The members that a live patch fills in have been the first of each structure, in this order, since 4.15
// (include/linux/livepatch.h); all others the kernel takes as they are, so that they have to be zero.
import { type ObjectView, type Place, textAt } from './object-view.ts'

/** Where struct klp_func lies, and what it says. */
export interface TableFunction {
  readonly object: string
  readonly name: string
  readonly position: number
  readonly replacement: Place
  readonly entry: Place
}

export interface TableCallback {
  readonly object: string
  readonly kind: string
  readonly place: Place
}

export interface LivepatchTables {
  readonly replace: boolean
  readonly functions: readonly TableFunction[]
  readonly callbacks: readonly TableCallback[]
  /** As `id version`. */
  readonly states: readonly string[]
  /** A byte that should be zero. */
  readonly stray?: Place
}

/** Sizes and offsets in bytes, as the kernel's own compiler sees them. */
export interface Structures {
  readonly patch: { readonly size: number; readonly replace: number; readonly states: number | undefined }
  readonly object: { readonly size: number }
  readonly func: { readonly size: number }
  readonly state: { readonly size: number; readonly id: number; readonly version: number }
}

/** Bytes from the begin of struct klp_object. */
const callbackMembers = { pre_patch: 16, post_patch: 24, pre_unpatch: 32, post_unpatch: 40 }

/** The same of struct klp_func. */
const positionMember = 16

/** @returns undefined when the module has no struct klp_patch that can be understood */
export function livepatchTables(module: ObjectView, structures: Structures): LivepatchTables | undefined {
  const { patch, object, func, state } = structures
  let stray: Place | undefined
  const behind = ({ section, offset }: Place, bytes: number): Place => ({ section, offset: offset + bytes })
  const pointer = (structure: Place, member: number): Place | undefined => {
    const { section, offset } = behind(structure, member)
    const target = module.references({ section, start: offset, end: offset + 1 })[0]?.target
    const place = target?.kind === 'place' ? target.place : undefined
    return place !== undefined && place.offset >= 0 && place.offset < place.section.size ? place : undefined
  }
  /** What lies outside of the section counts as a stray byte, see below. */
  const u64 = ({ section: { data }, offset }: Place, member: number): bigint =>
    offset + member + 8 <= data.length ? data.readBigUInt64LE(offset + member) : 0n
  /** Looks at a structure outside of the bytes that are read elsewhere. */
  const expectZeros = (
    { section, offset }: Place,
    size: number,
    ...read: readonly { readonly at: number; readonly bytes: number }[]
  ) => {
    for (let at = 0; at < size; at++) {
      const isRead = read.some((one) => at >= one.at && at < one.at + one.bytes)
      if (offset + at >= section.size || (!isRead && (section.data[offset + at] ?? 0) !== 0))
        stray ??= behind({ section, offset }, at)
    }
  }
  /** The structures of an array, up to the empty one that ends it. */
  function* arrayAt(first: Place | undefined, size: number, isOne: (one: Place) => boolean) {
    if (first === undefined) return
    let one = first
    for (; isOne(one); one = behind(one, size)) yield one
    expectZeros(one, size)
  }

  const root = patchOf(module)
  const objects = root && pointer(root, 8)
  if (root === undefined || objects === undefined) return undefined
  expectZeros(root, patch.size, { at: patch.replace, bytes: 1 })
  const flag = root.section.data[root.offset + patch.replace]
  if (flag !== undefined && flag > 1) stray ??= behind(root, patch.replace)
  const functions: TableFunction[] = []
  const callbacks: TableCallback[] = []
  for (const one of arrayAt(objects, object.size, (place) => pointer(place, 8) !== undefined)) {
    expectZeros(one, object.size)
    const nameAt = pointer(one, 0)
    const home = nameAt === undefined ? 'vmlinux' : textAt(nameAt).replaceAll('-', '_')
    for (const [kind, member] of Object.entries(callbackMembers)) {
      const place = pointer(one, member)
      if (place !== undefined) callbacks.push({ object: home, kind, place })
    }
    const isFunction = (place: Place) => pointer(place, 0) !== undefined && pointer(place, 8) !== undefined
    for (const entry of arrayAt(pointer(one, 8), func.size, isFunction)) {
      expectZeros(entry, func.size, { at: positionMember, bytes: 8 })
      const position = Number(u64(entry, positionMember))
      const [name, replacement] = [textAt(pointer(entry, 0)!), pointer(entry, 8)!]
      functions.push({ object: home, name, position, replacement, entry })
    }
  }
  const states: string[] = []
  const idOf = (one: Place) => (one.offset + state.size <= one.section.data.length ? u64(one, state.id) : 0n)
  const firstState = patch.states === undefined ? undefined : pointer(root, patch.states)
  for (const one of arrayAt(firstState, state.size, (place) => idOf(place) !== 0n)) {
    expectZeros(one, state.size, { at: state.id, bytes: 8 }, { at: state.version, bytes: 4 })
    states.push(`${idOf(one)} ${one.section.data.readUInt32LE(one.offset + state.version)}`)
  }
  return { replace: flag === 1, functions, callbacks, states, ...(stray === undefined ? {} : { stray }) }
}

/** struct klp_patch begins with THIS_MODULE, and the pointer to the list of objects follows. */
function patchOf(module: ObjectView): Place | undefined {
  for (const section of module.object.sections)
    if (/^\.data/.test(section.name))
      for (const { offset, symbol, addend } of module.references(section))
        if (symbol.name === '__this_module' && addend === 0)
          if (module.references({ section, start: offset + 8, end: offset + 9 }).length > 0) return { section, offset }
  return undefined
}
