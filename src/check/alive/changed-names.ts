// SPDX-License-Identifier: GPL-3.0-or-later
// Constants (macros without parameters) that have another value after the patch, and those that are made of them.
import type { FileChange } from '../../patch/patch.ts'
import { kernelFiles } from '../changed-functions.ts'
import { macroValues } from '../macro-values.ts'

export interface ChangedName {
  readonly name: string
  readonly before: string
  readonly after: string
  readonly file: string
}

export function changedNames(changes: readonly FileChange[]): ChangedName[] {
  const found = new Map<string, ChangedName>()
  const files = kernelFiles(changes).map(({ path: file, before, after }) => ({
    file,
    old: macroValues(before ?? ''),
    young: macroValues(after ?? ''),
  }))
  for (const { file, old, young } of files)
    for (const [name, before] of old) {
      const after = young.get(name)
      if (after !== undefined && after !== before && after !== '' && before !== '')
        found.set(name, { name, before, after, file })
    }
  if (found.size === 0) return []
  // A constant that is made of another one changes with it.
  for (let depth = 0; depth < 3; depth++)
    for (const { file, young } of files)
      for (const [name, value] of young) {
        const base = [...found.values()].find(
          (one) => one.name !== name && new RegExp(`\\b${one.name}\\b`).test(value),
        )
        if (base !== undefined && !found.has(name)) found.set(name, { ...base, name, file })
      }
  return [...found.values()]
}
