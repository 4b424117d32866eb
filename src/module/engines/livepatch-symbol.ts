// SPDX-License-Identifier: GPL-3.0-or-later
// LIVEPATCH_SYMBOL(object, symbol, position) of kernel/include/inarch-source.h: by it the source of a live patch says
// which of the running kernel's symbols a name means. The compiler leaves it in the name of an undefined symbol.
import type { Reference } from '../../extract/extraction.ts'
import type { Finding } from '../../ground/finding.ts'
import type { KernelNames } from '../../match/names.ts'
import { Binder, type Binding } from '../bind/bind.ts'
import type { CompiledDirectory } from './source-objects.ts'

/** A symbol as LIVEPATCH_SYMBOL names it. */
export interface LivepatchSymbol {
  readonly object: string
  readonly position: number
  readonly name: string
}

/** @returns what LIVEPATCH_SYMBOL wrote into a symbol's name; undefined for any other name */
export function parseLivepatchSymbol(name: string): LivepatchSymbol | undefined {
  const [, object, position, symbol] = /^__livepatch_symbol\.([A-Za-z0-9_-]+)\.(\d{1,6})\.(.+)$/.exec(name) ?? []
  if (object === undefined || symbol === undefined) return undefined
  return { object, position: Number(position), name: symbol }
}

/** The kernel objects that the compiled files name. */
export function livepatchSymbolObjects({ units, wrapper }: CompiledDirectory): string[] {
  return [wrapper, ...units.map(({ compiled }) => compiled)].flatMap(({ symbols }) =>
    symbols.flatMap(({ name }) => parseLivepatchSymbol(name)?.object ?? []),
  )
}

/** A list of symbols for a person: position, type and address of each. */
export function candidates(names: KernelNames, object: string, name: string): string {
  return names
    .symbols(object, name)
    .map(({ type, address }, index) => `${index + 1}: ${type} ${address.toString(16)}`)
    .join(', ')
}

/**
 * Binds a reference as the author says.
 * @returns the binding, or why it can't be that one
 */
export function bindAsWritten(
  names: KernelNames,
  reference: Reference,
  { object, name, position }: LivepatchSymbol,
): Binding | Finding {
  const symbols = names.symbols(object, name)
  const { unit, from } = reference
  const refused = (message: string): Finding => ({
    severity: 'error',
    rule: symbols.length === 0 ? 'no-symbol' : 'ambiguous-symbol',
    symbol: name,
    unit,
    message,
    hint:
      symbols.length === 0
        ? 'Look for the name in /proc/kallsyms of that kernel'
        : `They are, by position: ${candidates(names, object, name)}`,
  })
  if (symbols.length === 0) return refused(`${object} has no symbol ${name}, which LIVEPATCH_SYMBOL names`)
  if (position === 0 && symbols.length > 1)
    return refused(`${object} has ${symbols.length} symbols named ${name}, and LIVEPATCH_SYMBOL gives no position`)
  if (position > symbols.length)
    return refused(`${object} has ${symbols.length} symbols named ${name}, none of which has the position ${position}`)
  // The code of the unit may tell more; where it can't, the author's word stands.
  if (reference.definition !== undefined && object === from) {
    const told = new Binder(names).bind(reference)
    if (told?.kind === 'livepatch' && told.sympos !== position && !(told.sympos === 0 && position === 1))
      return refused(
        `LIVEPATCH_SYMBOL says position ${position} of ${name}, but the code of ${unit} shows that it ` +
          `is ${told.sympos}`,
      )
  }
  return { kind: 'livepatch', object, when: object === 'vmlinux' ? object : from, name, sympos: position }
}
