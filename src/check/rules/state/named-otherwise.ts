// SPDX-License-Identifier: GPL-3.0-or-later
// Names that are keys. What the old code has registered is there under the name that it gave; new code that looks for
// it, or removes it, under another name does not find it, and after a revert old code does not find what the new code
// has registered.

import type { Definition } from '../../../c/written/functions.ts'
import { macroValues } from '../../../c/written/macro-values.ts'
import type { FileChange } from '../../../patch/patch.ts'
import { withHelpers } from '../../locks/operations.ts'
import { type NameUse, namesIn, nameWrappers } from '../../semantics/values/registered-names.ts'
import type { ChangedFunctions, Side } from '../../subject/changed-functions.ts'
import { kernelFiles } from '../../subject/kernel-files.ts'
import { type Found, foundIn, ofTexts, warning } from '../../subject/rule.ts'

type Constants = ReadonlyMap<string, string>

/** The macros of the changed files that stand for one text. */
function constantsOf(texts: readonly string[]): Constants {
  return new Map(texts.flatMap((text) => [...macroValues(text)].filter(([, value]) => /^"[^"]*"$/.test(value))))
}

const keyOf = ({ registry, name }: NameUse) => `${registry} ${name}`

export function nameFindings(functions: ChangedFunctions, changes: readonly FileChange[]): Found[] {
  const files = kernelFiles(changes)
  const [old, young] = [
    constantsOf(files.map(({ before }) => before ?? '')),
    constantsOf(files.map(({ after }) => after ?? '')),
  ]
  const names = (side: Side, one: Definition, constants: Constants) =>
    namesIn(one, functions.facts.once(nameWrappers, side), constants)
  const everyKey = (side: Side, constants: Constants) =>
    new Set([...side.definitions.values()].flatMap((one) => names(side, one, constants)).map(keyOf))
  const [there, then] = [everyKey(functions.before, old), everyKey(functions.after, young)]
  return [...functions.after.definitions].flatMap(([symbol, after]): Found[] => {
    const before = functions.before.definitions.get(symbol)
    if (before === undefined || after.kind === 'macro') return []
    // What one call has registered itself, it removes under the same name.
    const finds = (side: Side, own: Definition, other: Side, constants: Constants) =>
      withHelpers(side, own, other)
        .flatMap((one) => names(side, one, constants))
        .filter(
          (one, at, all) =>
            one.role === 'find' && !all.slice(0, at).some((its) => its.role === 'make' && keyOf(its) === keyOf(one)),
        )
    const was = finds(functions.before, before, functions.after, old)
    // What these files have under that name already is found, whichever function asks.
    const come = finds(functions.after, after, functions.before, young).filter((one) => !there.has(keyOf(one)))
    const left = was.filter((one) => !then.has(keyOf(one)))
    const told = new Set<string>()
    return come.flatMap((one): Found[] => {
      if (told.has(keyOf(one))) return []
      told.add(keyOf(one))
      const at = left.findIndex(({ registry }) => registry === one.registry)
      const [gone] = at < 0 ? [] : left.splice(at, 1)
      if (gone === undefined) return []
      const message =
        `${symbol} now asks ${one.word} for "${one.name}" instead of "${gone.name}"; what was ` +
        `registered as "${gone.name}" before the live patch came is not found`
      return [foundIn({ name: symbol, file: functions.after.fileOf(symbol)! }, message)]
    })
  })
}

export const namedOtherwise = warning(
  'named-otherwise',
  'A function that looks up or removes something by its name (an entry of /proc or debugfs, a link in ' +
    'sysfs, a device), and now by another name',
  'What the old code has registered keeps its name, so the new code does not find it and it stays ' +
    'for ever; after a revert the old code does not find what the new code has registered',
  'Keep the name, or look for the old name, too, as long as things can be there under it',
  ['fs/kernfs/dir.c: kernfs_find_ns', 'fs/proc/generic.c: remove_proc_entry'],
  ofTexts(nameFindings),
)
