// SPDX-License-Identifier: GPL-3.0-or-later
// A changed function lives on in every function into which the compiler put it. What the objects say (which code
// differs, and is therefore replaced) is held against the source (who uses the function) and against the compiler's own
// record of what it put where; a copy that would stay as it is refuses the patch.

import { dumpKey } from '../../../build/compiler/compile-unit.ts'
import { keptDump } from '../../../build/compiler/ipa-record.ts'
import { sourceName } from '../../../diff/object/compiler-names.ts'
import { isInitOrExit } from '../../../diff/object/init-sections.ts'
import { listed } from '../../../ground/listed.ts'
import { grouped } from '../../../ground/values/grouped.ts'
import { readInlining } from '../../../source/change/ipa-clones.ts'
import { type ChangedFunction, type ChangedFunctions, changedFunctionsOf } from '../../subject/changed-functions.ts'
import { error, type Found, foundIn } from '../../subject/rule.ts'
import type { StudiedUnit, Subject } from '../../subject/subject.ts'

/** The functions that use one, straight or through macros and functions that have no code of their own. */
function usersOf(functions: ChangedFunctions, name: string, hasCode: (name: string) => boolean): Set<string> {
  const found = new Set<string>()
  const todo = [name]
  for (const one of todo)
    for (const user of functions.before.users(one)) {
      if (found.has(user)) continue
      found.add(user)
      if (!hasCode(user)) todo.push(user)
    }
  return found
}

async function containersIn(
  subject: Subject,
  { unit, pair }: StudiedUnit,
): Promise<(name: string) => ReadonlySet<string>> {
  const key = dumpKey(subject.bench, unit)
  const dump = pair.before === undefined ? undefined : await keptDump(key, pair.before)
  return dump === undefined ? () => new Set() : readInlining(dump).containers
}

/** A changed function without code of its own, and the replaced functions that it is in. */
interface Copy {
  readonly name: string
  readonly file: string
  readonly into: readonly string[]
}

/** A header's function can be in functions of many units. */
function noteOf(copies: readonly Copy[]): Found {
  const into = [...new Set(copies.flatMap((copy) => copy.into))]
  const [copy] = copies as [Copy]
  return foundIn(
    copy,
    `${copy.name} has no code of its own in the running kernel; it is inlined into ${listed(into)}, which ` +
      `${into.length === 1 ? 'is' : 'are'} replaced`,
    { severity: 'note', hint: 'Nothing needs to be done' },
  )
}

async function findIn(
  subject: Subject,
  studied: StudiedUnit,
  functions: readonly ChangedFunction[],
): Promise<(Found | Copy)[]> {
  const { change } = studied
  const all = changedFunctionsOf(subject)
  const inUnit = subject.extraction.replaced.filter((one) => one.change === change)
  const renewed = new Set(
    [
      ...inUnit.map(({ before }) => before.name),
      ...subject.extraction.carried.filter(({ unit }) => unit === change.unit).map(({ name }) => name),
    ].map(sourceName),
  )
  const withCode = new Set(change.before.functions.map(({ name }) => sourceName(name)))
  const differing = new Map(change.changed.map(({ before }) => [sourceName(before.name), before]))
  const ignored = change.directives.ignored.functions
  const containers = await containersIn(subject, studied)
  return functions.flatMap((one): Found | Copy | [] => {
    const { name } = one
    if (ignored.has(name)) return []
    const into = new Set([...containers(name), ...usersOf(all, name, (user) => withCode.has(user))])
    into.delete(name)
    const left = [...into].filter((user) => {
      const its = differing.get(user)
      return its !== undefined && !renewed.has(user) && !isInitOrExit(its.section) && !ignored.has(user)
    })
    if (left.length > 0)
      return foundIn(
        one,
        `The kernel’s compiler has inlined ${name} into ${listed(left)}, and the live patch does not ` +
          `replace ${left.length === 1 ? 'it' : 'them'}`,
        { functions: left },
      )
    if (renewed.has(name) || differing.has(name)) return []
    const through = [...into].filter((user) => renewed.has(user))
    if (through.length > 0) return { name, file: one.file, into: through }
    if (inUnit.length === 0 || one.before?.kind !== 'function' || !withCode.has(name)) return []
    return foundIn(
      one,
      `The source of ${name} changes, but not the code that the compiler makes of it for this kernel`,
      {
        severity: 'note',
        hint: 'See whether the change depends on a configuration that this kernel does not have',
      },
    )
  })
}

export const inlinedCopy = error(
  'inlined-copy',
  'A changed function that the compiler put into others which the live patch would leave as they are',
  'The kernel redirects a function at its entry; a copy of its code in another function goes on as before',
  'Let the patch change the function that holds the copy as well',
  ['Documentation/livepatch/livepatch.rst: the very beginning of the function'],
  async (subject) => {
    const { all } = changedFunctionsOf(subject)
    const changed = all.filter(({ before, after }) => before !== undefined && after !== undefined)
    if (changed.length === 0) return []
    const told = await Promise.all(
      subject.units.map((studied) => {
        const own = changed.filter(({ file }) => file === studied.change.unit || !file.endsWith('.c'))
        return findIn(subject, studied, own)
      }),
    )
    const isCopy = (one: Found | Copy): one is Copy => 'into' in one
    const copies = grouped(told.flat().filter(isCopy), ({ name }) => name)
    // A header's function can be in many units; what is said of it is said once.
    const said = new Map(told.flat().flatMap((one) => (isCopy(one) ? [] : [[`${one.symbol} ${one.message}`, one]])))
    return [...said.values(), ...[...copies.keys()].sort().map((name) => noteOf(copies.get(name)!))]
  },
)
