// SPDX-License-Identifier: GPL-3.0-or-later
// Where the new code of each replaced function lies in a live patch module: read from the module's own tables. The
// guest counts how often it runs.

import { readObject } from '../../elf/read.ts'
import type { FunctionEntry } from '../../module/structures/function-entry.ts'
import { entriesIn, listedFunctions, tableSections } from '../../module/structures/listed-functions.ts'
import type { ReplacedName } from '../../transition/sleeping-tasks.ts'
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

/** The replaced functions of a live patch, those that its manifest names; without one, those of its tables. */
export function replacementsOf(subject: Subject): Replacement[] {
  const object = readObject(subject.bytes, subject.file)
  const names = new Map<string, number>()
  for (const { name } of object.sections) names.set(name, (names.get(name) ?? 0) + 1)
  const codeOf = ({ section: { name }, offset }: FunctionEntry) =>
    names.get(name) === 1 ? { code: { section: name, offset } } : {}
  if (subject.manifest === undefined)
    return (listedFunctions(object) ?? []).map((entry) => ({
      object: entry.object,
      name: entry.name,
      sympos: entry.sympos,
      ...codeOf(entry),
    }))
  const entries = tableSections(object).flatMap((section) => entriesIn(object, section))
  const taken = new Set<FunctionEntry>()
  return replacedNames(subject).map((replaced) => {
    // Functions of one name stand in the order of the manifest.
    const entry = entries.find(
      (one) => !taken.has(one) && one.name === replaced.name && (one.sympos || 1) === (replaced.sympos || 1),
    )
    if (entry === undefined) return replaced
    taken.add(entry)
    return { ...replaced, ...codeOf(entry) }
  })
}
