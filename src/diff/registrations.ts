// SPDX-License-Identifier: GPL-3.0-or-later
// Data that the kernel finds by the section in which they lie: exports, parameters, initcalls and the like. It looks
// there once, while it starts or loads a module, so that a live patch can neither add to them nor take away from them.

import type { Finding } from '../ground/finding.ts'
import { sectionClass } from './compare.ts'
import type { Correlation } from './correlation/correlate.ts'
import { bareName, stem } from './object/compiler-names.ts'
import { isIncidental } from './object/diagnostic-data.ts'
import type { Atom, SplitObject } from './object/split-object.ts'
import { isTable } from './object/tables.ts'

/** True of data that only code looks for. */
export function isOrdinaryData(atom: Atom): boolean {
  return /^\.(data|bss|rodata|sdata)(\.(?!\.)|$)|^\.data\.\.(read_mostly|ro_after_init|cacheline_aligned|shared_aligned|page_aligned|percpu(\.\.(read_mostly|shared_aligned|page_aligned))?)$|^\.data\.\.?once$/.test(
    sectionClass(atom.section),
  )
}

/** What belongs to code of the start or the end, to an object file alone, or is told by what it comes with. */
const beside =
  /^\.(?:init|exit)\.(?:data|rodata|bss)|^\.exit|^\.modinfo|^\.discard|^__kcrctab|^___kcrctab|^\.BTF_ids|^\.data/

/** How registrations of a kind are named, and what to say of one that the patch removes. */
const kinds: readonly (readonly [name: RegExp, says: (name: string) => string])[] = [
  [
    /^__(?:ksymtab|kstrtab|kstrtabns|crc|export_symbol)_(\w+)$/,
    (name) => `The patch removes the export of ${name}, which stays: modules can go on using it`,
  ],
  [
    /^__param_(?:ops_|str_|arr_|string_)?(\w+)$/,
    (name) => `The patch removes the parameter ${name}, which stays: it can be read and set as before`,
  ],
  [
    /^__setup_(?:str_)?(\w+)$/,
    (name) => `The patch removes the boot parameter ${name}, which the kernel has read when it started`,
  ],
  [
    /^__initcall__kmod_\w+?__(?:\d+_\d+_)?(\w+?)(?:\d|early|rootfs|con)?s?$/,
    (name) => `The patch removes the initcall of ${name}, which has run, so that what it has set up stays`,
  ],
]

function saidOf({ name, section }: Atom): string {
  for (const [pattern, says] of kinds) {
    const of = pattern.exec(stem(name))?.[1]
    if (of !== undefined) return says(of)
  }
  return (
    `The patch removes ${bareName(name)} from the section ${section.name}, which the kernel has ` +
    'read when it started or loaded the module, so that it stays'
  )
}

/** What stays although the patch removes it. */
export function removedRegistrations(before: SplitObject, { successorOf }: Correlation, unit: string): Finding[] {
  const told = new Set<string>()
  return before.data.flatMap((atom): Finding[] => {
    const { name, section } = atom
    if (successorOf(atom) !== undefined || isOrdinaryData(atom) || isIncidental(atom)) return []
    if (beside.test(section.name) || isTable(section) || atom.end === atom.start) return []
    const message = saidOf(atom)
    if (told.has(message)) return []
    told.add(message)
    return [
      {
        severity: 'note',
        rule: 'registration-removed',
        symbol: name,
        unit,
        message,
        hint: 'It goes when the kernel that is built with the fix is booted, or the module is loaded anew',
      },
    ]
  })
}
