// SPDX-License-Identifier: GPL-3.0-or-later
// What the finished module tells the kernel to replace and to call, read from its own bytes: struct klp_patch and what
// hangs on it. The members that a live patch fills in have been the first of each structure, in this order, since 4.15
// (include/linux/livepatch.h); all others the kernel takes as they are, so that they have to be zero.
import type { Section } from '../elf/read.ts'
import type { ObjectView, Place } from './object-view.ts'

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
const positionMember = 16

function textAt({ section, offset }: Place): string {
  const end = section.data.indexOf(0, offset)
  return section.data.toString('latin1', offset, end < 0 ? section.size : end)
}

/** @returns undefined when the module has no struct klp_patch that can be understood */
export function livepatchTables(
  module: ObjectView,
  { patch: { size, replace, states }, object, func, state }: Structures,
): LivepatchTables | undefined {
  const pointer = (section: Section, offset: number): Place | undefined => {
    const found = module.relocations({ section, start: offset, end: offset + 1 })[0]
    const target = found === undefined ? undefined : module.target(section, found)
    if (target?.kind !== 'place') return undefined
    const { place } = target
    return place.offset >= 0 && place.offset < place.section.size ? place : undefined
  }
  let stray: Place | undefined
  /** Looks at a structure outside of the bytes that the caller reads. */
  const expectZeros = (
    { section, offset }: Place,
    length: number,
    ...read: readonly (readonly [at: number, size: number])[]
  ) => {
    const isRead = (at: number) => read.some(([from, bytes]) => at >= from && at < from + bytes)
    for (let at = 0; at < length; at++)
      if (offset + at >= section.size || ((section.data[offset + at] ?? 0) !== 0 && !isRead(at)))
        stray ??= { section, offset: offset + at }
  }
  const patch = patchOf(module)
  const objects = patch && pointer(patch.section, patch.offset + 8)
  if (patch === undefined || objects === undefined) return undefined
  expectZeros(patch, size, [replace, 1])
  const functions: TableFunction[] = []
  const callbacks: TableCallback[] = []
  const found: string[] = []
  const { section } = objects
  let at = objects.offset
  for (; pointer(section, at + 8) !== undefined; at += object.size) {
    expectZeros({ section, offset: at }, object.size)
    const nameAt = pointer(section, at)
    const home = nameAt === undefined ? 'vmlinux' : textAt(nameAt).replaceAll('-', '_')
    for (const [kind, member] of Object.entries(callbackMembers)) {
      const place = pointer(section, at + member)
      if (place !== undefined) callbacks.push({ object: home, kind, place })
    }
    const list = pointer(section, at + 8)!
    let entry = list
    for (; ; entry = { ...entry, offset: entry.offset + func.size }) {
      const { offset } = entry
      const [name, replacement] = [pointer(list.section, offset), pointer(list.section, offset + 8)]
      if (name === undefined || replacement === undefined) break
      expectZeros(entry, func.size, [positionMember, 8])
      const position = Number(list.section.data.readBigUInt64LE(offset + positionMember))
      functions.push({ object: home, name: textAt(name), position, replacement, entry })
    }
    expectZeros(entry, func.size)
  }
  expectZeros({ section, offset: at }, object.size)
  let next = states === undefined ? undefined : pointer(patch.section, patch.offset + states)
  for (; next !== undefined; next = { ...next, offset: next.offset + state.size }) {
    const {
      section: { data },
      offset,
    } = next
    const id = offset + state.size <= data.length ? data.readBigUInt64LE(offset + state.id) : 0n
    expectZeros(
      next,
      state.size,
      ...(id === 0n
        ? []
        : ([
            [state.id, 8],
            [state.version, 4],
          ] as const)),
    )
    if (id === 0n) break
    found.push(`${id} ${data.readUInt32LE(offset + state.version)}`)
  }
  const flag = patch.section.data[patch.offset + replace]
  if (flag !== undefined && flag > 1) stray ??= { section: patch.section, offset: patch.offset + replace }
  return {
    replace: flag === 1,
    functions,
    callbacks,
    states: found,
    ...(stray === undefined ? {} : { stray }),
  }
}

/** struct klp_patch begins with THIS_MODULE, and the pointer to the list of objects follows. */
function patchOf(module: ObjectView): Place | undefined {
  for (const section of module.object.sections)
    if (/^\.data/.test(section.name))
      for (const { offset, symbol, addend } of module.relocations({ section, start: 0, end: section.size })) {
        if (symbol.name !== '__this_module' || addend !== 0) continue
        const [next] = module.relocations({ section, start: offset + 8, end: offset + 9 })
        if (next !== undefined) return { section, offset }
      }
  return undefined
}
