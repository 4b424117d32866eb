// SPDX-License-Identifier: GPL-3.0-or-later
// How it looks in a terminal what a kernel's image tells of a live patch without a manifest.
import type { ListedPlace, ListedReport } from '../../livepatch/verify-listed.ts'
import { bold, dim, green, red, yellow } from './colour.ts'
import { findingLines } from './findings.ts'

const places: Readonly<Record<ListedPlace['place'], string>> = {
  there: green('is there'),
  absent: red('is not there'),
  unclear: red('is not one place'),
  closed: red('can’t be hooked'),
}

function functionLine({ name, object, sympos, namesakes, place, address }: ListedPlace): string {
  const where = address === undefined ? object : `${object} at ${address}`
  const among = namesakes > 1 ? `, number ${sympos} of ${namesakes} of this name` : ''
  return `  ${bold(name)} ${places[place]} ${dim(`(${where}${among})`)}`
}

/** With each reference when `verbose` is set. */
export function renderListed(report: ListedReport, verbose: boolean): string[] {
  const { module, kernel, verdict, functions, references, findings } = report
  const head = verdict === 'refused' ? red('it does not fit') : yellow('the code could not be compared')
  return [
    `${bold(module.name)} against ${bold(kernel.release)} (${kernel.version}): ${head}`,
    dim('  there is no manifest; this is what the module’s own tables tell'),
    '',
    ...functions.map(functionLine),
    ...(references.all === 0
      ? []
      : [dim(`  ${references.found} of ${references.all} symbols to which it refers by name and position are there`)]),
    ...(verbose ? references.to.map((one) => dim(`    ${one}`)) : []),
    ...findings.flatMap((finding) => ['', ...findingLines(finding)]),
  ]
}
