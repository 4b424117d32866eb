// SPDX-License-Identifier: GPL-3.0-or-later
// A private variable that nothing writes after the patch. The compiler then needs no variable: it puts the initial
// value into the code. The running kernel's variable may have another one by now, which an administrator or the old
// code gave it. It shows where the object has lost the variable, and the text after the patch still uses it.

import { readFileSync } from 'node:fs'
import path from 'node:path'
import { macrosIn } from '../../../c/tokens/directives.ts'
import { closing, type Token } from '../../../c/tokens/lexer.ts'
import { isMember } from '../../../c/tokens/names.ts'
import { assignment } from '../../../c/tokens/words.ts'
import { type Definition, definitionsOf, isInitOrExit } from '../../../c/written/functions.ts'
import { variablesOf } from '../../../c/written/local-variables.ts'
import type { Change } from '../../../diff/change.ts'
import { isState, usersOf } from '../../../diff/lost-state.ts'
import { bareName } from '../../../diff/object/compiler-names.ts'
import { listed } from '../../../ground/listed.ts'
import { type Found, warning } from '../../subject/rule.ts'
import type { StudiedUnit, Subject } from '../../subject/subject.ts'

/** A variable's name, and the macros by which a text may use it. */
function spellings(name: string, texts: readonly string[]): Set<string> {
  const macros = texts.flatMap(macrosIn)
  const found = new Set([name])
  for (let size = 0; size < found.size; ) {
    size = found.size
    for (const { name: macro, body } of macros) if (body.some(({ text }) => found.has(text))) found.add(macro)
  }
  return found
}

/** Where a function uses a variable. Members, and variables of its own that are called the same, are others. */
function usesIn(of: Definition, names: ReadonlySet<string>, isLocal: boolean): number[] {
  const own = variablesOf(of)
  return [...of.body.keys()].filter((at) => {
    const { kind, text } = of.body[at]!
    if (kind !== 'name' || !names.has(text) || isMember(of.body, at)) return false
    return (own.get(text)?.isStatic ?? false) === isLocal && (isLocal || !own.has(text))
  })
}

/** True when the place that begins with this token is given a value, and not read. */
function isWritten(body: readonly Token[], at: number): boolean {
  if (/^(?:\+\+|--)$/.test(body[at - 1]?.text ?? '')) return true
  let end = at + 1
  while (/^[[.]$/.test(body[end]?.text ?? '')) end = body[end]!.text === '[' ? closing(body, end) : end + 2
  return assignment.test(body[end]?.text ?? '')
}

/** @param texts what the unit is made of after the patch: its file, and others that the patch changes */
export function foldedVariables(
  { before, after, correlation, copied, unit }: Change,
  texts: readonly string[],
): Found[] {
  // One of another file is a variable still, and so is one of which the author wants a copy.
  const elsewhere = new Set(
    [...after.object.symbols.filter(({ place }) => place === 'undefined'), ...copied].map(({ name }) => name),
  )
  const gone = before.data.filter(
    (one) => isState(one) && correlation.successorOf(one) === undefined && !elsewhere.has(one.name),
  )
  const users = usersOf(before, new Set(gone))
  if (users.size === 0) return []
  const functions = texts
    .flatMap((text) => [...definitionsOf(text).byName.values()])
    .filter((one) => one.kind === 'function' && !isInitOrExit(one))
  return [...users.keys()].flatMap((variable): Found | [] => {
    const name = bareName(variable.name)
    const names = spellings(name, texts)
    const isLocal = name !== variable.name
    const using = functions.flatMap((of) => {
      const uses = usesIn(of, names, isLocal)
      // One of a function's own stands there once more, where it is declared.
      return uses.length > (isLocal ? 1 : 0) ? [{ of, uses: isLocal ? uses.slice(1) : uses }] : []
    })
    if (using.length === 0) return []
    const isRead = using.some(({ of, uses }) => uses.some((at) => !isWritten(of.body, at)))
    const usersOfIt = using.map(({ of }) => of.name)
    const who = using.length > 3 ? `${using.length} functions` : listed(usersOfIt)
    const use = `${who} ${using.length === 1 ? 'uses' : 'use'} ${name}`
    if (isRead)
      return {
        symbol: name,
        unit,
        functions: usersOfIt,
        message:
          `${use}, and nothing writes ${name} after the patch: the compiler has put in its ` +
          'initial value, and the running kernel’s value is ignored',
      }
    return {
      symbol: name,
      unit,
      severity: 'note',
      message:
        `${use}, and nothing reads ${name} after the patch: the compiler leaves the ` +
        `writes out, and the running kernel’s ${name} stays as it is`,
      hint: 'Mark it __used, if the old code must find it up to date after a revert',
    }
  })
}

/** The unit's own file after the patch, and all others that the patch changes. */
function textsOf({ kernel, changes }: Subject, { unit }: StudiedUnit): string[] {
  const changed = changes.flatMap(({ after }) => after ?? [])
  return changes.some((change) => change.path === unit.source)
    ? changed
    : [...changed, readFileSync(path.join(kernel.source, unit.source), 'latin1')]
}

export const variableFolded = warning(
  'variable-folded',
  'A variable that the new code still uses, and that the compiler has taken for a constant, because ' +
    'the patch removes its module parameter or all that writes it',
  'The compiler knows only the initial value; an administrator, or the old code, may have given ' +
    'the running kernel’s variable another one, which the new code no longer looks at',
  'Leave in what writes it, or mark it __used, so that the compiler keeps it; allow it, if the ' +
    'initial value is meant',
  ['kernel/params.c: param_attr_store'],
  (subject) => subject.units.flatMap((one) => foldedVariables(one.change, textsOf(subject, one))),
)
