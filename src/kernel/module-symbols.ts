// SPDX-License-Identifier: GPL-3.0-or-later
// The symbols of a module, counted as livepatch counts them. While a module is being loaded the kernel
// walks its whole symbol table; once it is initialised, only the core part that remains in memory
// (is_core_symbol in kernel/module/kallsyms.c). A livepatch that is loaded before the module meets the
// first count, one that is loaded after it the second.
import { isAllocated } from '../elf/format.ts'
import { type ElfSymbol, type ObjectFile, readObject } from '../elf/read.ts'
import { Fault } from '../ground/fault.ts'
import { addTo } from '../ground/values/grouped.ts'

export interface ModuleSymbol {
  readonly symbol: ElfSymbol
  /** The position in the initialised module, from 1; 0 when the symbol is gone by then (`__init`). */
  readonly sympos: number
  /** The position while the module is being loaded, from 1. */
  readonly symposLoading: number
}

export interface ModuleSymbols {
  /** In the table's order. */
  readonly all: readonly ModuleSymbol[]
  /** All symbols of this name, in the table's order. */
  lookup(name: string): readonly ModuleSymbol[]
}

/**
 * Reads the symbol table of a module's bytes.
 * @throws Fault `environment/module-unreadable`
 */
export function parseModuleSymbols(bytes: Buffer): ModuleSymbols {
  const bad = (why: string) => new Fault('environment', 'module-unreadable', `A module’s symbols can’t be read: ${why}`)
  return countModuleSymbols(readObject(bytes, 'a module', bad))
}

/** The symbols that a module defines, and how the kernel counts them. */
export function countModuleSymbols(module: ObjectFile): ModuleSymbols {
  const core = new Map<string, number>()
  const loading = new Map<string, number>()
  const next = (counts: Map<string, number>, name: string) => {
    const position = (counts.get(name) ?? 0) + 1
    counts.set(name, position)
    return position
  }
  const all: ModuleSymbol[] = []
  const byName = new Map<string, ModuleSymbol[]>()
  for (const symbol of module.symbols) {
    const { name, place, section, type } = symbol
    if (place === 'undefined' || name === '' || type === 'section') continue
    const stays = section !== undefined && isAllocated(section) && !section.name.startsWith('.init')
    const counted: ModuleSymbol = {
      symbol,
      sympos: stays ? next(core, name) : 0,
      symposLoading: next(loading, name),
    }
    all.push(counted)
    addTo(byName, name, counted)
  }
  return { all, lookup: (name) => byName.get(name) ?? [] }
}
