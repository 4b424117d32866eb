// SPDX-License-Identifier: GPL-3.0-or-later
// Reads the tables of a live patch out of its compiled wrapper, as the kernel will: `inarch_patch`, its objects, their
// functions and callbacks, and its states (include/linux/livepatch.h; the order of reading is
// kernel/livepatch/core.c's).
import { type CallbackKind, callbackKinds } from '../../diff/directives.ts'
import type { ElfSymbol, ObjectFile, Section } from '../../elf/read.ts'
import { Fault } from '../../ground/fault.ts'
import { patchSymbol } from './tables.ts'
import type { Layout } from './template.ts'

export interface WrappedFunction {
  readonly oldName: string
  /** `old_sympos`: 0 when the name is unique. */
  readonly position: number
  /** The symbol that `new_func` leads to. */
  readonly replacement: string
}

export interface WrappedObject {
  /** `vmlinux` or a module's name. */
  readonly name: string
  readonly functions: readonly WrappedFunction[]
  readonly callbacks: readonly { readonly kind: CallbackKind; readonly name: string }[]
}

export interface Wrapper {
  readonly objects: readonly WrappedObject[]
  readonly states: readonly { readonly id: number; readonly version: number }[]
  /** Replaces every earlier live patch. */
  readonly replace: boolean
}

/** Entries of one list; more than any live patch has. */
const most = 65_536

/** A place in the compiled wrapper. */
interface Place {
  readonly section: Section
  readonly offset: number
}

/**
 * @param object the compiled wrapper, before it is linked
 * @param file what to call it in messages
 * @throws Fault `usage/bad-wrapper`
 */
export function readWrapper(object: ObjectFile, layout: Layout, file: string): Wrapper {
  const bad = (why: string) =>
    new Fault('usage', 'bad-wrapper', `${file} has no tables that a live patch can have: ${why}`, {
      remedy:
        `Define \`struct klp_patch ${patchSymbol}\` with its lists, as \`inarch build --engine ` + `source\` writes it`,
    })

  const pointer = ({ section, offset }: Place): { symbol: ElfSymbol; addend: number } | undefined => {
    const found = object.relocations(section).find((relocation) => relocation.offset === offset)
    return found === undefined ? undefined : { symbol: found.symbol, addend: found.addend }
  }
  const followed = (place: Place): Place | undefined => {
    const to = pointer(place)
    if (to === undefined) return undefined
    const { section, value } = to.symbol
    if (section === undefined) throw bad(`${to.symbol.name} is not defined in it`)
    return { section, offset: value + to.addend }
  }
  const text = (place: Place, what: string): string | undefined => {
    const to = followed(place)
    if (to === undefined) return undefined
    const end = to.section.data.indexOf(0, to.offset)
    const found = to.section.data.toString('latin1', to.offset, end)
    if (end < 0 || !/^[^\s/]{1,255}$/.test(found)) throw bad(`${what} is not a name`)
    return found
  }
  /** The name of the function that a pointer leads to. */
  const functionAt = (place: Place, what: string): string | undefined => {
    const to = pointer(place)
    if (to === undefined) return undefined
    const { section, type, name, value } = to.symbol
    if (type !== 'section' && to.addend === 0) return name
    const named = object.symbols.find(
      (one) => one.section === section && one.type === 'function' && one.value === value + to.addend,
    )
    if (named === undefined) throw bad(`${what} leads to no function`)
    return named.name
  }
  const inside = ({ section, offset }: Place, size: number, what: string): void => {
    if (offset < 0 || offset + size > section.size) throw bad(`${what} has no end`)
  }
  const bytes = ({ section, offset }: Place, at: number, size: number): Buffer =>
    section.data.length === 0 ? Buffer.alloc(size) : section.data.subarray(offset + at, offset + at + size)

  /** Reads a list to its empty entry. */
  const list = <T>(
    start: Place | undefined,
    size: number,
    what: string,
    read: (place: Place) => T | undefined,
  ): T[] => {
    const found: T[] = []
    if (start === undefined) return found
    for (let index = 0; index < most; index++) {
      const place = { section: start.section, offset: start.offset + index * size }
      inside(place, size, what)
      const entry = read(place)
      if (entry === undefined) return found
      found.push(entry)
    }
    throw bad(`${what} has no end`)
  }
  const at = ({ section, offset }: Place, field: number): Place => ({ section, offset: offset + field })

  const symbol = object.symbols.find(({ name, section }) => name === patchSymbol && section !== undefined)
  if (symbol?.section === undefined) throw bad(`it does not define ${patchSymbol}`)
  if (symbol.binding === 'local') throw bad(`${patchSymbol} is static`)
  const patch: Place = { section: symbol.section, offset: symbol.value }
  inside(patch, layout.patch.size, patchSymbol)
  if (pointer(at(patch, layout.patch.mod)) === undefined) throw bad('.mod is not THIS_MODULE')

  const { func, object: objectLayout, state } = layout
  const objects = list(
    followed(at(patch, layout.patch.objs)),
    objectLayout.size,
    'the list of objects',
    (place): WrappedObject | undefined => {
      const name = text(at(place, objectLayout.name), 'the name of an object')
      const funcs = followed(at(place, objectLayout.funcs))
      if (name === undefined && funcs === undefined) return undefined
      const functions = list(funcs, func.size, `the list of functions of ${name ?? 'vmlinux'}`, (entry) => {
        const oldName = text(at(entry, func.oldName), 'an .old_name')
        const replacement = functionAt(at(entry, func.newFunc), 'a .new_func')
        const position = Number(bytes(entry, func.oldSympos, 8).readBigUInt64LE())
        if (oldName === undefined && replacement === undefined && position === 0) return undefined
        if (oldName === undefined) throw bad('a function has no .old_name')
        if (replacement === undefined) throw bad(`${oldName} has no .new_func`)
        return { oldName, position, replacement }
      })
      const callbacks = callbackKinds.flatMap((kind) => {
        const offset = objectLayout.callbacks?.[kind]
        const called = offset === undefined ? undefined : functionAt(at(place, offset), `the ${kind} callback`)
        return called === undefined ? [] : [{ kind, name: called }]
      })
      return { name: name ?? 'vmlinux', functions, callbacks }
    },
  )
  const states =
    layout.patch.states === undefined
      ? []
      : list(followed(at(patch, layout.patch.states)), state.size, 'the list of states', (entry) => {
          const id = Number(bytes(entry, state.id, 8).readBigUInt64LE())
          return id === 0 ? undefined : { id, version: bytes(entry, state.version, 4).readUInt32LE() }
        })
  return { objects, states, replace: bytes(patch, layout.patch.replace, 1)[0] !== 0 }
}
