// SPDX-License-Identifier: GPL-3.0-or-later
// What the kernel's own builder (scripts/livepatch/klp-build) puts into a live patch in place of struct klp_patch:
// tables in sections of their own, from which the module makes it when it is loaded (scripts/livepatch/init.c).
// Format: struct klp_object_ext and struct klp_func_ext of include/linux/livepatch_external.h.

import { callbackKinds } from '../../diff/directives.ts'
import type { ObjectFile, Relocation, Section } from '../../elf/read.ts'
import { Fault } from '../../ground/fault.ts'
import type { ListedFunction } from './function-entry.ts'
import { codeAt, dataAt, pointersIn, textAt } from './pointers.ts'

/** Bytes of a `struct klp_object_ext`: a name, the functions, the callbacks, how many functions. */
const objectSize = 64
const [functionList, firstCallback, functionCount] = [8, 16, 56]
/** Bytes of a `struct klp_func_ext`: a name, the new code, the position. */
const functionSize = 24
const [newFunction, position] = [8, 16]

const listName = '.init.klp_objects'

/** No space, no slash, nothing that a terminal obeys. */
const nameOfSymbol = /^[\x21-\x2e\x30-\x7e]{1,511}$/
const nameOfModule = /^[A-Za-z0-9_-]{1,55}$/

export interface ListedCallback {
  readonly object: string
  readonly kind: (typeof callbackKinds)[number]
  /** What the module calls it; undefined when no symbol begins there. */
  readonly name: string | undefined
}

export interface CompactTables {
  readonly functions: readonly ListedFunction[]
  readonly callbacks: readonly ListedCallback[]
}

/**
 * @returns undefined when the module has no such tables
 * @throws Fault `usage/bad-tables` when they can't be understood
 */
export function compactTables(object: ObjectFile): CompactTables | undefined {
  const [list, ...others] = object.sections.filter(({ name }) => name === listName)
  if (list === undefined) return undefined
  if (others.length > 0) throw bad('there are several')
  if (list.data.length === 0 || list.data.length % objectSize !== 0) throw bad(`it has ${list.data.length} bytes`)
  const pointers = new Map<Section, ReadonlyMap<number, Relocation>>()
  const pointerAt = (section: Section, offset: number) => {
    let known = pointers.get(section)
    if (known === undefined) {
      known = new Map(pointersIn(object, section).map((pointer) => [pointer.offset, pointer]))
      pointers.set(section, known)
    }
    return known.get(offset)
  }
  const functions: ListedFunction[] = []
  const callbacks: ListedCallback[] = []
  /** Each entry belongs to one object; so there are never more of them than the file has room for. */
  const taken = new Map<Section, Set<number>>()
  for (let at = 0; at < list.data.length; at += objectSize) {
    const named = pointerAt(list, at)
    const name = named === undefined ? 'vmlinux' : (textAt(named) ?? '').replaceAll('-', '_')
    if (!nameOfModule.test(name)) throw bad(`object ${at / objectSize + 1} has no name`)
    const first = pointerAt(list, at + functionList)
    const table = first && dataAt(first)
    const count = list.data.readUInt32LE(at + functionCount)
    if (count > 0 && table === undefined) throw bad(`the functions of ${name} are nowhere`)
    for (let number = 0; table !== undefined && number < count; number++) {
      const { section } = table
      const entry = table.offset + number * functionSize
      if (entry < 0 || entry + functionSize > section.data.length)
        throw bad(`it counts ${count} functions of ${name}, and has room for fewer`)
      const own = taken.get(section) ?? new Set()
      taken.set(section, own)
      if (own.has(entry)) throw bad(`two objects have the function at ${section.name}+${entry}`)
      own.add(entry)
      const [text, next] = [pointerAt(section, entry), pointerAt(section, entry + newFunction)]
      const called = text && textAt(text)
      const code = next && codeAt(next)
      if (called === undefined || !nameOfSymbol.test(called)) throw bad(`function ${number + 1} of ${name} has no name`)
      if (code === undefined) throw bad(`there is no code to replace ${called} of ${name}`)
      const sympos = section.data.readBigUInt64LE(entry + position)
      if (sympos > 0xff_ffffn) throw bad(`${called} of ${name} is said to be number ${sympos} of this name`)
      functions.push({ object: name, name: called, sympos: Number(sympos), ...code, at: entry })
    }
    for (const [index, kind] of callbackKinds.entries()) {
      const pointer = pointerAt(list, at + firstCallback + 8 * index)
      const code = pointer && codeAt(pointer)
      if (pointer !== undefined && code === undefined) throw bad(`the ${kind} callback of ${name} is no code`)
      if (code !== undefined) callbacks.push({ object: name, kind, name: nameAt(object, code) })
    }
  }
  return { functions, callbacks }
}

function nameAt({ symbols }: ObjectFile, { section, offset }: { section: Section; offset: number }) {
  return symbols.find((one) => one.type === 'function' && one.section === section && one.value === offset)?.name
}

function bad(detail: string): Fault {
  return new Fault('usage', 'bad-tables', `The module's table of what it replaces (${listName}) can't be understood`, {
    detail,
    remedy: 'Build the live patch again with the tool that made it',
  })
}
