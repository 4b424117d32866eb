// SPDX-License-Identifier: GPL-3.0-or-later
// What the finished module tells the kernel to replace and to call, read from its own bytes: struct klp_patch and what
// hangs on it. The members that a live patch fills in have been the first of each structure, in this order, since 4.15
// (include/linux/livepatch.h).
import type { Section } from '../elf/read.ts'
import type { ObjectView, Place } from './object-view.ts'

export interface TableFunction {
  readonly object: string
  readonly name: string
  readonly position: number
  readonly replacement: Place
  /** Of its struct klp_func. */
  readonly entry: Place
}

export interface TableCallback {
  readonly object: string
  readonly place: Place
}

export interface LivepatchTables {
  readonly functions: readonly TableFunction[]
  readonly callbacks: readonly TableCallback[]
}

/** Bytes from the begin of struct klp_object. */
const callbackMembers = [16, 24, 32, 40]

function textAt({ section, offset }: Place): string {
  const end = section.data.indexOf(0, offset)
  return section.data.toString('latin1', offset, end < 0 ? section.size : end)
}

/** Bytes of the kernel's structures, as its own compiler sees them. */
export interface StructureSizes {
  readonly object: number
  readonly func: number
}

/** @returns undefined when the module has no struct klp_patch that can be understood */
export function livepatchTables(module: ObjectView, sizes: StructureSizes): LivepatchTables | undefined {
  const pointer = (section: Section, offset: number): Place | undefined => {
    const found = module.relocations({ section, start: offset, end: offset + 1 })[0]
    const target = found === undefined ? undefined : module.target(section, found)
    return target?.kind === 'place' ? target.place : undefined
  }
  const objects = objectsOf(module, pointer)
  if (objects === undefined) return undefined
  const functions: TableFunction[] = []
  const callbacks: TableCallback[] = []
  const { section } = objects
  for (let at = objects.offset; pointer(section, at + 8) !== undefined; at += sizes.object) {
    const nameAt = pointer(section, at)
    const object = nameAt === undefined ? 'vmlinux' : textAt(nameAt).replaceAll('-', '_')
    for (const member of callbackMembers) {
      const place = pointer(section, at + member)
      if (place !== undefined) callbacks.push({ object, place })
    }
    const list = pointer(section, at + 8)!
    for (let entry = list.offset; ; entry += sizes.func) {
      const [name, replacement] = [pointer(list.section, entry), pointer(list.section, entry + 8)]
      if (name === undefined || replacement === undefined) break
      const position = Number(list.section.data.readBigUInt64LE(entry + 16))
      functions.push({
        object,
        name: textAt(name),
        position,
        replacement,
        entry: { section: list.section, offset: entry },
      })
    }
  }
  return { functions, callbacks }
}

/** The list of objects: struct klp_patch begins with THIS_MODULE, and the pointer to the list follows. */
function objectsOf(
  module: ObjectView,
  pointer: (section: Section, offset: number) => Place | undefined,
): Place | undefined {
  for (const section of module.object.sections)
    if (/^\.data/.test(section.name))
      for (const { offset, symbol, addend } of module.relocations({ section, start: 0, end: section.size })) {
        const isThis = symbol.name === '__this_module' && addend === 0
        const objects = isThis ? pointer(section, offset + 8) : undefined
        if (objects !== undefined) return objects
      }
  return undefined
}
