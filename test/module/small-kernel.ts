// SPDX-License-Identifier: GPL-3.0-or-later
// The names of a small kernel of a test's own.
import type { KernelNames, KernelSymbol } from '../../src/match/names.ts'
import type { Running } from '../../src/match/running.ts'
import { unitMatchers } from '../../src/match/unit-matcher.ts'

export interface SmallKernel {
  readonly symbols?: Record<string, readonly (Partial<KernelSymbol> & { type: string })[]>
  readonly exports?: Record<string, string>
}

const nothing: Running = { read: () => undefined, addressesOf: () => [] }

/** Nothing of the test's kernel has code: what only code can tell is not known. */
export function namesOf({ symbols = {}, exports = {} }: SmallKernel): KernelNames {
  return {
    symbols: (object, name) =>
      (symbols[`${object} ${name}`] ?? []).map((symbol, index) => ({
        name,
        address: BigInt(index + 1),
        whileLoading: index + 1,
        crowded: false,
        ...symbol,
      })),
    exported: (name) => {
      const [module, namespace = ''] = (exports[name] ?? '').split(' ')
      return exports[name] === undefined ? undefined : { crc: 7, module: module!, namespace }
    },
    at: (object, address) =>
      Object.entries(symbols).flatMap(([key, list]) =>
        list.flatMap(({ address: place, type }, index) =>
          key.startsWith(`${object} `) && (place ?? BigInt(index + 1)) === address
            ? [{ name: key.slice(object.length + 1), type }]
            : [],
        ),
      ),
    landing: () => undefined,
    freed: () => false,
    needs: () => [],
    running: () => nothing,
    matcher: unitMatchers(() => nothing),
  }
}
