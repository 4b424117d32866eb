// SPDX-License-Identifier: GPL-3.0-or-later
// What a live patch module tells the kernel to replace, read from its own tables (include/linux/livepatch.h): struct
// klp_patch leads to the objects, each of them to its list of functions. How large these structures are depends on the
// kernel; what they begin with does not. A module that fills them in only when it is loaded has other tables
// (compact-tables.ts).
import { sectionFlag, sectionType } from '../../elf/format.ts'
import type { ObjectFile, Relocation, Section } from '../../elf/read.ts'
import { remembered } from '../../ground/values/remembered.ts'
import { compactTables } from './compact-tables.ts'
import type { FunctionEntry, ListedFunction } from './function-entry.ts'
import { codeAt, dataAt, type Place, pointersIn, textAt } from './pointers.ts'

/** Offsets in `struct klp_func`, in `struct klp_object` and in `struct klp_patch`, in bytes. */
const newFunction = 8
const position = 16
const functionList = 8
const objectList = 8

/** What looks like a `struct klp_func` in a section of data: a text, then code. */
export function entriesIn(object: ObjectFile, section: Section): FunctionEntry[] {
  const pointers = pointersIn(object, section)
  return pointers.flatMap((pointer, index): FunctionEntry[] => {
    const next = pointers[index + 1]
    const code = next?.offset === pointer.offset + newFunction ? codeAt(next) : undefined
    if (code === undefined) return []
    const name = textAt(pointer)
    const at = pointer.offset + position
    if (name === undefined || at + 8 > section.data.length) return []
    return [
      {
        name,
        sympos: Number(section.data.readBigUInt64LE(at)),
        ...code,
        at: pointer.offset,
      },
    ]
  })
}

/** The sections in which tables of a live patch may lie. */
export function tableSections(object: ObjectFile): Section[] {
  return object.sections.filter(({ type, flags }) => type === sectionType.progbits && (flags & sectionFlag.write) !== 0)
}

function pointerAt(object: ObjectFile, { section, offset }: Place): Relocation | undefined {
  return pointersIn(object, section).find((one) => one.offset === offset)
}

function placeAt(object: ObjectFile, place: Place): Place | undefined {
  const pointer = pointerAt(object, place)
  return pointer === undefined ? undefined : dataAt(pointer)
}

/** The end of the table at a place: of the variable that begins there, or of the section. */
function endOf(object: ObjectFile, { section, offset }: Place): number {
  const variable = object.symbols.find(
    (one) => one.section === section && one.value === offset && one.type === 'object' && one.size > 0,
  )
  return variable === undefined ? section.size : offset + variable.size
}

/** The list of objects of struct klp_patch, which begins with THIS_MODULE. */
function objectsOf(object: ObjectFile): Place | undefined {
  for (const section of tableSections(object))
    for (const { offset, symbol, addend } of pointersIn(object, section)) {
      if (symbol.name !== '__this_module' || addend !== 0) continue
      const list = placeAt(object, { section, offset: offset + objectList })
      // Other tables that begin with THIS_MODULE lead to no list of lists.
      if (list !== undefined && placeAt(object, { ...list, offset: list.offset + functionList }) !== undefined)
        return list
    }
  return undefined
}

/**
 * @returns undefined when the module has no tables of a live patch that can be understood
 * @throws Fault `usage/bad-tables`
 */
export function listedFunctions(object: ObjectFile): readonly ListedFunction[] | undefined {
  const compact = compactTables(object)
  if (compact !== undefined) return compact.functions
  const objects = objectsOf(object)
  if (objects === undefined) return undefined
  const entriesOf = remembered((section: Section) => entriesIn(object, section))
  const end = endOf(object, objects)
  const lists = pointersIn(object, objects.section).flatMap((pointer) => {
    if (pointer.offset < objects.offset + functionList || pointer.offset >= end) return []
    const list = placeAt(object, { section: objects.section, offset: pointer.offset })
    if (list === undefined || !entriesOf(list.section).some(({ at }) => at === list.offset)) return []
    const named = pointerAt(object, { section: objects.section, offset: pointer.offset - functionList })
    const name = named === undefined ? undefined : textAt(named)
    return [{ ...list, name: name === undefined ? 'vmlinux' : name.replaceAll('-', '_') }]
  })
  return lists.flatMap((list) => {
    const next = lists.filter(({ section, offset }) => section === list.section && offset > list.offset)
    const until = Math.min(endOf(object, list), ...next.map(({ offset }) => offset))
    return entriesOf(list.section)
      .filter(({ at }) => at >= list.offset && at < until)
      .map((entry) => ({ ...entry, object: list.name }))
  })
}
