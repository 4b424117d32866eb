// SPDX-License-Identifier: GPL-3.0-or-later
// A variable of a file that the new code sets only once: in a block that is entered until another variable is set, and
// which sets that. Where the old code has passed it already, the variable keeps what the old code left in it.

import { partsBetween, valueFrom } from '../../../c/tokens/brackets.ts'
import { argumentsAt, callAround } from '../../../c/tokens/calls.ts'
import { isNamed, wordsAt } from '../../../c/tokens/names.ts'
import { type Statement, statementsOf } from '../../../c/tokens/statements.ts'
import { isKept, variablesOfFile } from '../../../c/written/file-variables.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { variablesOf } from '../../../c/written/local-variables.ts'
import type { FileChange } from '../../../patch/patch.ts'
import { type ChangedFunctions, textOf } from '../../subject/changed-functions.ts'
import { kernelFiles } from '../../subject/kernel-files.ts'
import type { Found } from '../../subject/rule.ts'

/** Where a statement gives a variable a value. */
interface Write {
  readonly value: string
  readonly statement: Statement
}

const stores = /^(?:WRITE_ONCE|rcu_assign_pointer|smp_store_release)$/

function writesOf(definition: Definition, statements: readonly Statement[], name: string): Write[] {
  if (variablesOf(definition).has(name)) return []
  return statements.flatMap((statement): Write[] => {
    const { tokens } = statement
    return wordsAt(tokens, name).flatMap((at): Write[] => {
      const call = callAround(tokens, at)
      if (call?.index === 0 && stores.test(call.name))
        return [{ value: textOf(argumentsAt(tokens, call.open)[1] ?? []), statement }]
      return tokens[at + 1]?.text === '=' ? [{ value: textOf(valueFrom(tokens, at + 2)), statement }] : []
    })
  })
}

/**
 * The variable by which a statement's block is entered once, as the block sets it. What is compared with a variable of
 * the function (`is_spread != knob`) may come again.
 */
function latchOf(
  definition: Definition,
  { under }: Statement,
  writes: (name: string) => readonly Write[],
  names: readonly string[],
): string | undefined {
  const own = [...variablesOf(definition).keys()]
  const conditions = under.filter(({ kind }) => kind === 'condition')
  const isAsked = ({ tokens }: Statement, name: string) =>
    partsBetween(tokens).some((part) => isNamed(part, name) && !own.some((local) => isNamed(part, local)))
  return names.find((name) =>
    conditions.some(
      (condition) =>
        isAsked(condition, name) && writes(name).some(({ statement }) => statement.under.includes(condition)),
    ),
  )
}

export function onceWrittenFindings(functions: ChangedFunctions, changes: readonly FileChange[]): Found[] {
  return kernelFiles(changes).flatMap(({ path, before, after }) => {
    const old = variablesOfFile(path, before ?? '')
    const file = variablesOfFile(path, after ?? '')
    const kept = [...file.variables.values()].filter((one) => old.variables.has(one.name) && isKept(file, one))
    const names = kept.map(({ name }) => name)
    const values = kept.filter(({ isValue }) => isValue).map(({ name }) => name)
    return functions.rewritten.flatMap((one): Found[] => {
      if (one.file !== path) return []
      const [was, is] = [statementsOf(one.before.body), statementsOf(one.after.body)]
      return values.flatMap((name): Found[] => {
        const [gone, come] = [writesOf(one.before, was, name), writesOf(one.after, is, name)]
        const others = names.filter((other) => other !== name)
        const latchIn = (definition: Definition, all: readonly Statement[], { statement }: Write) =>
          latchOf(definition, statement, (other) => writesOf(definition, all, other), others)
        const latches = come.map((write) => latchIn(one.after, is, write))
        const [latch] = latches
        if (latch === undefined || latches.includes(undefined)) return []
        // What was set again and again, and to something else.
        const isOther = ({ value }: Write) => come.every((write) => write.value !== value)
        if (!gone.some((write) => isOther(write) && latchIn(one.before, was, write) === undefined)) return []
        const isSetElsewhere = [...functions.after.definitions.values()].some(
          (other) => other.name !== one.name && writesOf(other, statementsOf(other.body), name).length > 0,
        )
        if (isSetElsewhere) return []
        return [
          {
            symbol: one.name,
            unit: one.file,
            functions: [],
            message:
              `${one.name} now sets ${name} only when it also sets ${latch}, which it does once; where that is set ` +
              `already, ${name} keeps what the old code left in it`,
            hint: `Give ${name} the value that the new code counts on in a callback (INARCH_PRE_PATCH)`,
          },
        ]
      })
    })
  })
}
