// SPDX-License-Identifier: GPL-3.0-or-later
// What functions do by a value that they share: a constant that has another value now, or the result of a short
// function that computes it otherwise. Their own text may be the same.
import { callsIn } from '../../../c/tokens/calls.ts'
import type { Token } from '../../../c/tokens/lexer.ts'
import { variablesOf } from '../../../c/written/local-variables.ts'
import type { ChangedFunction, ChangedFunctions } from '../../subject/changed-functions.ts'
import { type ChangedOperation, directionOfCall, thingsOf } from './changed-operations.ts'
import { type Replacement, type Variables, withPlainAccesses } from './replacements.ts'

/** Functions whose result is a number that is computed otherwise; an answer, an error and a pointer are none. */
function sharedResults(replaced: ReadonlyMap<ChangedFunction, readonly Replacement[]>): Set<string> {
  const found = new Set<string>()
  for (const [{ name, after }, replacements] of replaced) {
    const computes = replacements.some(
      ({ after: { kind, tokens, leaves } }) =>
        kind === 'exit' && leaves && tokens.some(({ text }) => /^(?:[-+*/&|^]|<<|>>)$/.test(text)),
    )
    if (computes && !returnsPointer(after!.head)) found.add(name)
  }
  return found
}

/** By what stands before the function’s name. */
function returnsPointer(head: readonly Token[]): boolean {
  const open = head.findIndex(({ text }) => text === '(')
  return head.slice(0, open).some(({ text }) => text === '*' || text === 'bool' || text === 'void')
}

/** Whether a value is one of the names, or is made of one by way of a local variable. */
function shared(value: readonly Token[], names: ReadonlySet<string>, variables: Variables): string | undefined {
  for (const { kind, text } of value) {
    if (kind !== 'name') continue
    if (names.has(text)) return text
    const made = variables.get(text)?.value?.find((one) => one.kind === 'name' && names.has(one.text))
    if (made !== undefined) return made.text
  }
  return undefined
}

/** @param constants names that have another value now */
export function operationsWithSharedValues(
  functions: ChangedFunctions,
  replaced: ReadonlyMap<ChangedFunction, readonly Replacement[]>,
  constants: ReadonlySet<string>,
): ChangedOperation[] {
  const names = new Set([...constants, ...sharedResults(replaced)])
  if (names.size === 0) return []
  return [...functions.after.definitions.values()].flatMap((definition) => {
    if (definition.kind === 'macro' || names.has(definition.name)) return []
    const after = withPlainAccesses(definition)
    const { name } = definition
    const file = functions.after.fileOf(name) ?? ''
    const variables = variablesOf(definition)
    return callsIn(after.body).flatMap(({ name: callee, values }): ChangedOperation[] =>
      values.flatMap((value, index): ChangedOperation[] => {
        const change = names.has(callee) ? undefined : shared(value, names, variables)
        if (change === undefined) return []
        const things = thingsOf(values.toSpliced(index, 1), variables)
        const told = `by ${change}, which is another one`
        const direction = directionOfCall(callee, values)
        return [{ name, file, callee, index, ...direction, things, change, gone: told, come: told }]
      }),
    )
  })
}
