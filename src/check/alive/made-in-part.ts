// SPDX-License-Identifier: GPL-3.0-or-later
// Members that are given their values together when an object is made (a device comes, a file system is mounted). Where another
// changed function gives some of them other values in objects that exist, these get one half of what the new code makes, and
// keep the other half as the old code made it.
import type { ChangedFunction, ChangedFunctions } from '../changed-functions.ts'
import { listed } from '../listed.ts'
import type { Found } from '../rule.ts'
import { type Effect, effectsIn, type Reader } from './effects.ts'
import { stackTypes } from './stack-types.ts'
import { differenceOf, statementsOf } from './statements.ts'
import { variablesOf } from './variables.ts'

/** `struct net_device.hard_header_len`, of what a function's changed statements write. */
function writtenOtherwise(functions: ChangedFunctions, { before, after }: ChangedFunction): Set<string> {
  if (before === undefined || after === undefined) return new Set()
  const stack = stackTypes(functions)
  const { gone, come } = differenceOf(statementsOf(before.body), statementsOf(after.body))
  const writes = (side: 'before' | 'after') => {
    const reader: Reader = { side: functions[side], library: functions.library, stack }
    const variables = variablesOf(side === 'before' ? before : after)
    return (side === 'before' ? gone : come)
      .flatMap((one) => effectsIn(reader, one, variables))
      .filter(({ kind, object, member }) => kind === 'write' && member !== '' && /^struct /.test(object))
  }
  const nameOf = ({ object, member }: Effect) => `${object}.${member}`
  const spelled = (list: readonly Effect[]) => new Set(list.map((one) => `${nameOf(one)} ${one.how}`))
  const [old, young] = [writes('before'), writes('after')]
  const [was, is] = [spelled(old), spelled(young)]
  return new Set([
    ...old.filter((one) => !is.has(`${nameOf(one)} ${one.how}`)).map(nameOf),
    ...young.filter((one) => !was.has(`${nameOf(one)} ${one.how}`)).map(nameOf),
  ])
}

/** @param kinds of a function that runs only for what comes, what is there already; undefined for others */
export function madeInPartFindings(
  functions: ChangedFunctions,
  kinds: (name: string) => ReadonlySet<string> | undefined,
): Found[] {
  const all = functions.all.map((of) => {
    const its = kinds(of.name)
    return {
      of,
      written: writtenOtherwise(functions, of),
      kinds: its !== undefined && its.size > 0 ? its : undefined,
    }
  })
  return all.flatMap((maker): Found[] => {
    if (maker.kinds === undefined) return []
    for (const user of all) {
      if (user.kinds !== undefined || functions.isBelow(user.of.name, maker.of.name)) continue
      const both = [...maker.written].filter((member) => user.written.has(member))
      const types = new Set(both.map((member) => member.slice(0, member.lastIndexOf('.'))))
      const rest = [...maker.written].filter(
        (member) => !user.written.has(member) && types.has(member.slice(0, member.lastIndexOf('.'))),
      )
      if (both.length === 0 || rest.length === 0) continue
      return [
        {
          symbol: user.of.name,
          unit: user.of.file,
          message: `${user.of.name} now gives ${listed(both)} another value in objects that exist; ${listed(rest)}, which ${maker.of.name} now gives another value as well, they keep as the old code gave it`,
          hint: 'See whether the halves fit together, or correct what exists in a callback (INARCH_PRE_PATCH)',
        },
      ]
    }
    return []
  })
}
