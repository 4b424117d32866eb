// SPDX-License-Identifier: GPL-3.0-or-later
// A live patch names what it replaces by object, name and position (`old_sympos`). Each must be one place of the
// kernel, and each place be named once: of two functions for one place the kernel calls whichever came last, and nobody
// would say which.
import type { Finding } from '../ground/finding.ts'
import { defined } from '../ground/values/defined.ts'

export interface NamedFunction {
  readonly object: string
  readonly name: string
  readonly unit?: string
  /** From 1; 0 for the only one. */
  readonly sympos: number
  /** Where the kernel has functions of this name, in its order. */
  readonly places: readonly bigint[]
}

/** True when a position (from 1; 0 for the only one) is none of so many functions of one name, or of several. */
export function isNoPosition(sympos: number, count: number): boolean {
  return sympos === 0 ? count > 1 : sympos > count
}

/** What is wrong with the places that a live patch names; a name that the kernel does not have is told elsewhere. */
export function positionFindings(functions: readonly NamedFunction[]): Finding[] {
  const taken = new Map<string, NamedFunction>()
  return functions.flatMap((one): Finding[] => {
    const { object, name, unit, sympos, places } = one
    const error = (message: string): Finding[] => [
      {
        severity: 'error',
        rule: 'not-one-place',
        symbol: name,
        ...defined({ unit }),
        message,
        hint: 'Build the live patch again for this kernel',
      },
    ]
    if (places.length > 0 && isNoPosition(sympos, places.length))
      return error(
        sympos === 0
          ? `The live patch replaces ${name} of ${object} as if there was only one, and the kernel has ${places.length}`
          : `The live patch replaces number ${sympos} of the functions ${name} of ${object}, and the ` +
              `kernel has ${places.length}`,
      )
    const place = places[Math.max(0, sympos - 1)]
    if (place === undefined) return []
    const key = `${object} ${place}`
    const other = taken.get(key)
    taken.set(key, one)
    return other === undefined
      ? []
      : error(
          `${name} and ${other.name} of ${object} are one place in the kernel, which the live patch ` +
            'would replace twice',
        )
  })
}
