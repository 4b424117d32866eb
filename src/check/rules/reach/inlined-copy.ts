// SPDX-License-Identifier: GPL-3.0-or-later
// A changed function lives on in every function into which the compiler put it. What the objects say (which code
// differs, and is therefore replaced) is held against the source (who uses the function) and against the compiler's own
// record of what it put where; a copy that would stay as it is refuses the patch.

import { dumpKey } from '../../../build/compiler/compile-unit.ts'
import { keptDump } from '../../../build/compiler/ipa-record.ts'
import { sourceName } from '../../../diff/object/compiler-names.ts'
import { isInitOrExit } from '../../../diff/object/init-sections.ts'
import { listed } from '../../../ground/listed.ts'
import { readInlining } from '../../../source/change/ipa-clones.ts'
import { type ChangedFunction, type ChangedFunctions, changedFunctionsOf } from '../../subject/changed-functions.ts'
import { type Found, foundIn, type Rule } from '../../subject/rule.ts'
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
  const { name, file } = copies[0]!
  const into = [...new Set(copies.flatMap((copy) => copy.into))]
  return foundIn(
    { name, file },
    `${name} has no code of its own in the running kernel; it is inlined into ${listed(into)}, which ` +
      `${into.length === 1 ? 'is' : 'are'} replaced`,
    { severity: 'note', hint: 'Nothing needs to be done' },
  )
}

async function findIn(
  subject: Subject,
  studied: StudiedUnit,
  functions: readonly ChangedFunction[],
  tell: (copy: Copy) => void,
): Promise<Found[]> {
  const { change } = studied
  const all = changedFunctionsOf(subject)
  const inUnit = subject.extraction.replaced.filter((one) => one.change === change)
  const replaced = new Set(inUnit.map(({ before }) => sourceName(before.name)))
  const carried = new Set(
    subject.extraction.carried.filter(({ unit }) => unit === change.unit).map(({ name }) => sourceName(name)),
  )
  const withCode = new Set(change.before.functions.map(({ name }) => sourceName(name)))
  const differing = new Map(change.changed.map((one) => [sourceName(one.before.name), one]))
  const containers = await containersIn(subject, studied)
  return functions.flatMap((one): Found[] => {
    const { name } = one
    if (change.directives.ignored.functions.has(name)) return []
    const place = { symbol: name, unit: one.file }
    const into = new Set([...containers(name), ...usersOf(all, name, (user) => withCode.has(user))])
    into.delete(name)
    const left = [...into].filter((user) => {
      const its = differing.get(user)
      if (its === undefined || replaced.has(user) || carried.has(user)) return false
      return !isInitOrExit(its.before.section) && !change.directives.ignored.functions.has(user)
    })
    if (left.length > 0)
      return [
        {
          ...place,
          functions: left,
          message:
            `The kernel’s compiler has inlined ${name} into ${listed(left)}, and the live patch does not ` +
            `replace ${left.length === 1 ? 'it' : 'them'}`,
        },
      ]
    if (replaced.has(name) || carried.has(name) || differing.has(name)) return []
    const through = [...into].filter((user) => replaced.has(user) || carried.has(user))
    if (through.length > 0) {
      tell({ name, file: one.file, into: through })
      return []
    }
    const somewhere = inUnit.length > 0 && one.before?.kind === 'function'
    if (!somewhere || !withCode.has(name)) return []
    return [
      {
        severity: 'note',
        ...place,
        message: `The source of ${name} changes, but not the code that the compiler makes of it for this kernel`,
        hint: 'See whether the change depends on a configuration that this kernel does not have',
      },
    ]
  })
}

export const inlinedCopy: Rule = {
  name: 'inlined-copy',
  severity: 'error',
  looksFor: 'A changed function that the compiler put into others which the live patch would leave as they are',
  why: 'The kernel redirects a function at its entry; a copy of its code in another function goes on as before',
  remedy: 'Let the patch change the function that holds the copy as well',
  restsOn: ['Documentation/livepatch/livepatch.rst: the very beginning of the function'],
  async find(subject) {
    const { all } = changedFunctionsOf(subject)
    const changed = all.filter(({ before, after }) => before !== undefined && after !== undefined)
    if (changed.length === 0) return []
    const copies: Copy[] = []
    const found = await Promise.all(
      subject.units.map((studied) =>
        findIn(
          subject,
          studied,
          changed.filter(({ file }) => file === studied.change.unit || !file.endsWith('.c')),
          (copy) => copies.push(copy),
        ),
      ),
    )
    const named = [...new Set(copies.map(({ name }) => name))].sort()
    // A header's function can be in many units; what is said of it is said once.
    const said = new Map(found.flat().map((one) => [`${one.symbol} ${one.message}`, one]))
    return [...said.values(), ...named.map((name) => noteOf(copies.filter((copy) => copy.name === name)))]
  },
}
