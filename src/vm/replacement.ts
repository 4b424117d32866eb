// SPDX-License-Identifier: GPL-3.0-or-later
// Where the new code of each replaced function lies in a live patch module: read from the module's own tables of `struct klp_func`
// (include/linux/livepatch.h), which begin with the old function's name, the new function and the position of the name.
// The guest counts how often it runs.

import type { ReplacedName } from '../check/asleep.ts'
import { relocationType, sectionFlag, sectionType } from '../elf/format.ts'
import { type ObjectFile, type Relocation, readObject, type Section } from '../elf/read.ts'
import { replacedNames, type Subject } from './subject.ts'

/** A function that is replaced, and where the module has the code that replaces it. */
export interface Replacement extends ReplacedName {
  /** Undefined where the module's tables don't tell. */
  readonly code?: {
    /** The section's name, under which the kernel shows its address. */
    readonly section: string
    /** Bytes from its start. */
    readonly offset: number
  }
}

/** Offsets in `struct klp_func`, in bytes. */
const newFunction = 8
const position = 16

interface Entry {
  readonly name: string
  readonly sympos: number
  readonly section: Section
  readonly offset: number
}

/** The text at which a relocation points, or undefined when it points at none. */
function textAt({ symbol, addend }: Relocation): string | undefined {
  const { section } = symbol
  if (section === undefined || (section.flags & sectionFlag.exec) !== 0) return undefined
  const at = symbol.value + addend
  const end = section.data.indexOf(0, at)
  return at < 0 || end <= at || end - at > 512 ? undefined : section.data.toString('latin1', at, end)
}

/** What looks like a `struct klp_func` in a section of data: a text, then code. */
function entriesIn(object: ObjectFile, section: Section): Entry[] {
  const pointers = object.relocations(section).filter(({ type }) => type === relocationType.abs64)
  return pointers.flatMap((pointer, index): Entry[] => {
    const code = pointers[index + 1]
    const target = code?.symbol.section
    if (code?.offset !== pointer.offset + newFunction || target === undefined) return []
    if ((target.flags & sectionFlag.exec) === 0) return []
    const name = textAt(pointer)
    const at = pointer.offset + position
    if (name === undefined || at + 8 > section.data.length) return []
    return [
      {
        name,
        sympos: Number(section.data.readBigUInt64LE(at)),
        section: target,
        offset: code.symbol.value + code.addend,
      },
    ]
  })
}

/** The replaced functions of a live patch, those that its manifest names. */
export function replacementsOf(subject: Subject): Replacement[] {
  const object = readObject(subject.bytes, subject.file)
  const entries = object.sections
    .filter(({ type, flags }) => type === sectionType.progbits && (flags & sectionFlag.write) !== 0)
    .flatMap((section) => entriesIn(object, section))
  const names = new Map<string, number>()
  for (const { name } of object.sections) names.set(name, (names.get(name) ?? 0) + 1)
  const taken = new Set<Entry>()
  return replacedNames(subject).map((replaced) => {
    // Functions of one name stand in the order of the manifest.
    const entry = entries.find(
      (one) => !taken.has(one) && one.name === replaced.name && (one.sympos || 1) === (replaced.sympos || 1),
    )
    if (entry === undefined) return replaced
    taken.add(entry)
    const { name } = entry.section
    return names.get(name) === 1 ? { ...replaced, code: { section: name, offset: entry.offset } } : replaced
  })
}
