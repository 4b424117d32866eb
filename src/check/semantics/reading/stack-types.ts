// SPDX-License-Identifier: GPL-3.0-or-later
// Types of a changed file whose objects only lie on the stack of its functions: each task has its own, laid out and
// filled by the code that it runs. They are no live objects.

import { type Variable, variablesOf } from '../../../c/written/local-variables.ts'
import type { ChangedFunctions, Side } from '../../subject/changed-functions.ts'

/** The structs and unions of the changed C files of which only variables of functions are seen. */
export function stackTypes(functions: ChangedFunctions): ReadonlySet<string> {
  return functions.facts.once(findStackTypes, functions)
}

function findStackTypes(functions: ChangedFunctions): ReadonlySet<string> {
  const [old, young] = [typesOf(functions.before), typesOf(functions.after)]
  return new Set([...young.onStack].filter((type) => !young.elsewhere.has(type) && !old.elsewhere.has(type)))
}

function typesOf(side: Side): { onStack: Set<string>; elsewhere: Set<string> } {
  const [onStack, elsewhere] = [new Set<string>(), new Set<string>()]
  const pointers: Variable[] = []
  for (const definition of side.definitions.values()) {
    const { body } = definition
    for (const variable of variablesOf(definition).values()) {
      const { type, isStatic, isParameter } = variable
      if (!/^(?:struct|union) /.test(type)) continue
      if (variable.pointers > 0) pointers.push(variable)
      else if (!isParameter) (isStatic ? elsewhere : onStack).add(type)
    }
    for (const [at, { text }] of body.entries()) {
      if (text !== 'sizeof' && text !== 'container_of') continue
      const inner = body.slice(at + 2, at + 12)
      const tag = inner.findIndex((token) => /^(?:struct|union)$/.test(token.text))
      if (tag >= 0) elsewhere.add(`${inner[tag]!.text} ${inner[tag + 1]?.text}`)
      // `kmalloc(sizeof(*p))`
      else if (inner[0]?.text === '*')
        for (const { name, type } of pointers) if (name === inner[1]?.text) elsewhere.add(type)
    }
  }
  for (const type of side.heldTypes) elsewhere.add(type)
  // Of a type that a header defines others may have objects.
  return { onStack: new Set([...onStack].filter((type) => side.ownTypes.has(type))), elsewhere }
}
