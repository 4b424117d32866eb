// SPDX-License-Identifier: GPL-3.0-or-later
// A new export. The kernel reads its exports when a module is loaded, and a live patch can't add to them. Where the
// fix's own functions use what is exported, they reach it without: then the export is left out, and that is told.
import type { Change } from '../diff/change.ts'
import type { Finding } from '../ground/finding.ts'

/** What EXPORT_SYMBOL() makes: a row, strings and a version; since Linux 6.4 only a mark for modpost. */
const row = /^__(?:ksymtab|kstrtab|kstrtabns|crc|export_symbol)_(\w+)$/
const rowSection = /^(?:___?ksymtab|___?kcrctab|__ksymtab_strings$|\.export_symbol$)/

/** What the functions that a fix changes or adds refer to, but a function to itself. */
function usedBy(changes: readonly Change[]): Set<string> {
  return new Set(
    changes.flatMap(({ after, changed, added }) =>
      [...changed.map((one) => one.after), ...added].flatMap((atom) =>
        after.relocations(atom).flatMap(({ symbol: { name } }) => (name === atom.name ? [] : [name])),
      ),
    ),
  )
}

/**
 * @param changes of all units of the fix
 * @param findings about the units; of those about the rows of one export one remains, as a note
 */
export function withOwnExports(changes: readonly Change[], findings: readonly Finding[]): Finding[] {
  const rows = new Set(
    changes.flatMap(({ unit, addedData }) =>
      addedData.filter(({ section }) => rowSection.test(section.name)).map(({ name }) => `${unit} ${name}`),
    ),
  )
  if (rows.size === 0) return [...findings]
  const used = usedBy(changes)
  const told = new Set<string>()
  return findings.flatMap((finding): Finding[] => {
    const { rule, symbol = '', unit } = finding
    const name = row.exec(symbol)?.[1]
    if (rule !== 'registration-added' || name === undefined || !rows.has(`${unit} ${symbol}`)) return [finding]
    if (!used.has(name)) return [finding]
    if (told.has(name)) return []
    told.add(name)
    return [
      {
        ...finding,
        severity: 'note',
        message:
          `The patch exports ${name}, which a live patch can't do: its own functions use it all the ` +
          `same, modules can't`,
        hint: 'A module that needs it loads only where the kernel itself is built with the fix',
      },
    ]
  })
}
