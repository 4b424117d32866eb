// SPDX-License-Identifier: GPL-3.0-or-later
// Data that a live patch's source defines and the running kernel has already. Headers bring them into each file that
// includes them, and tables may be copied. A constant is the kernel's as long as nothing about it is other: whoever
// compares its address must see one. Of anything else there would be two that do not agree.

import { isTableEntry } from '../../diff/object/by-content.ts'
import { isCompilersName, stem } from '../../diff/object/compiler-names.ts'
import { isIncidental } from '../../diff/object/diagnostic-data.ts'
import { isInitOrExit } from '../../diff/object/init-sections.ts'
import { type Atom, type SplitObject, splitObject } from '../../diff/object/split-object.ts'
import { sectionFlag } from '../../elf/format.ts'
import type { Finding } from '../../ground/finding.ts'
import type { KernelNames } from '../../match/names.ts'
import { compareData } from '../../source/compare/same-code.ts'
import type { SourceObject } from './source-objects.ts'

export interface KnownData {
  /** Constants that are the running kernel's, by name: the unit's own definitions of them. */
  readonly kept: ReadonlyMap<string, Atom>
  /** What there would be twice. */
  readonly findings: readonly Finding[]
}

/**
 * @param own names that the unit's file may have of its own: new data, and copies that the fix asks for; undefined for
 * a directory
 *   that a person may have edited, who may want a second copy
 */
export function knownData(
  { compiled, before, unit, object, file }: SourceObject,
  names: KernelNames,
  own: ReadonlySet<string> | undefined,
): KnownData {
  const all = splitObject(compiled)
  const running = new Set(before.data.filter(isVariable).map(({ name }) => stem(name)))
  const variables = all.data.filter(
    (atom) => isVariable(atom) && running.has(stem(atom.name)) && own?.has(stem(atom.name)) !== true,
  )
  const pairs = all.data.flatMap((atom) => {
    const { name } = atom
    if (!isConstant(atom) || own?.has(name) === true) return []
    const counterpart = before.data.find((one) => one.name === name)
    // What all its users took in has no symbol, and nobody shares it.
    if (counterpart === undefined || names.symbols(object, name).length === 0) return []
    return isInitOrExit(counterpart.section) ? [] : [{ atom, counterpart }]
  })
  const different = compareData(
    before.object,
    compiled,
    pairs.map(({ atom }) => atom.name),
  )
  const isKept = ({ atom }: (typeof pairs)[number]) =>
    different.get(atom.name) === undefined && hasOwnSection(all, atom)
  const copies = [...variables, ...pairs.filter((one) => !isKept(one)).map(({ atom }) => atom)]
  return {
    kept: new Map(pairs.filter(isKept).map(({ atom, counterpart }) => [atom.name, counterpart])),
    findings: copies.map((atom) => {
      const how = different.get(atom.name)
      return {
        severity: own === undefined ? 'warning' : 'error',
        rule: 'copy-not-shared',
        symbol: atom.name,
        unit,
        message:
          `${file}, or a header that it includes, defines ${stem(atom.name)}, of which the running ` +
          `kernel has a copy that others go on using${how === undefined ? '' : `; the two differ: ${how}`}`,
        hint:
          how !== undefined
            ? 'Leave it as the kernel has it, or give what is other a name of its own'
            : own === undefined
              ? 'Declare it extern, so that the running copy is used; inside a function with LIVEPATCH_SYMBOL'
              : 'Keep the code that uses it out of the functions that change, or use the binary engine, ' +
                'which can use the running copy',
      }
    }),
  }
}

function isVariable(atom: Atom): boolean {
  return (atom.section.flags & sectionFlag.write) !== 0 && !isIncidental(atom)
}

/** A private constant that the source gives its name; those of functions have no identity. */
function isConstant(atom: Atom): boolean {
  const { name, section, symbol } = atom
  return (
    symbol?.binding === 'local' &&
    (section.flags & (sectionFlag.alloc | sectionFlag.write)) === sectionFlag.alloc &&
    !isCompilersName(name) &&
    !isTableEntry(atom) &&
    !isIncidental(atom) &&
    !isInitOrExit(section)
  )
}

/** Whether its section can be left out with it, and no other file knows the place by another name. */
function hasOwnSection(unit: SplitObject, { section, start, aliases }: Atom): boolean {
  const isPrivate = aliases.every(({ binding }) => binding === 'local')
  return isPrivate && start === 0 && unit.atomsOf(section).length === 1
}
