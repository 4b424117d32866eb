// SPDX-License-Identifier: GPL-3.0-or-later
// What of each replaced function reaches beyond its call: what its own text changes, or, where that is the same, what
// changes in those that were put into it. A function of which a rule warns is not plain, whatever its text looks like.
import type { ChangedFunction, ChangedFunctions } from '../../subject/changed-functions.ts'
import { type Beyond, beyondOf, type Living } from './judgement.ts'

/** @param name as the kernel has it: `foo.isra.0`, `__do_sys_read` */
export type FindBeyond = (name: string) => Beyond

/** @param warned the functions of which a safety rule warns, each with the rule's name */
export function beyondOfReplaced(functions: ChangedFunctions, warned: ReadonlyMap<string, string>): FindBeyond {
  const known = new Map<string, Beyond>()
  const own = (one: ChangedFunction): Beyond | undefined => {
    const before = known.get(one.name)
    if (before !== undefined) return before
    const found = beyondOf(functions, one)
    const rule = warned.get(one.name)
    const all: Beyond | undefined =
      found?.verdict === 'plain' && rule !== undefined
        ? {
            verdict: 'lives',
            living: [
              {
                object: one.name,
                before: 'as the running code does it',
                after: `otherwise (${rule})`,
              },
            ],
          }
        : found
    if (all !== undefined) known.set(one.name, all)
    return all
  }
  return (name) => {
    const plain = name.replace(/\..*$/, '').replace(/^__(?:do_|se_|x64_|ia32_)*sys_/, 'sys_')
    const changed = functions.all.find((one) => one.name === plain)
    const direct = changed === undefined ? undefined : own(changed)
    if (direct !== undefined) return direct
    const inside = functions.all.filter((one) => one.name !== plain && functions.calls(plain, one.name))
    const found = inside.flatMap((one) => {
      const beyond = own(one)
      return beyond === undefined ? [] : [{ name: one.name, beyond }]
    })
    if (found.length === 0)
      return {
        verdict: 'untold',
        why:
          'its own text is the same; the compiler makes other code of it, or a type, a constant or ' +
          'another file changes it',
      }
    const living = found.flatMap(({ name: inner, beyond }): Living[] =>
      beyond.verdict === 'lives' ? beyond.living.map((one) => ({ ...one, object: `${one.object} (in ${inner})` })) : [],
    )
    if (living.length > 0) return { verdict: 'lives', living }
    for (const { name: inner, beyond } of found)
      if (beyond.verdict === 'untold')
        return { verdict: 'untold', why: `of ${inner}, which is part of it, ${beyond.why}` }
    const why = found.flatMap(({ name: inner, beyond }) =>
      beyond.verdict === 'plain' ? [`of ${inner}, which is part of it, ${beyond.why}`] : [],
    )
    return { verdict: 'plain', why: why.join('; ') }
  }
}
