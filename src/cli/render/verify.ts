// SPDX-License-Identifier: GPL-3.0-or-later
// How it looks in a terminal whether a live patch fits to a kernel.
import { inNumbers } from '../../ground/in-numbers.ts'
import type { ImageFunction, ImageReport } from '../../livepatch/verify-image.ts'
import { bold, dim, green, red } from './colour.ts'
import { findingLines } from './findings.ts'

const codes: Readonly<Record<ImageFunction['code'], string>> = {
  matches: green('matches'),
  differs: red('differs'),
  absent: red('is not there'),
  elsewhere: red('is another'),
}

const told: Readonly<Record<ImageFunction['by'], (namesakes: number) => string>> = {
  name: () => '',
  code: (namesakes) => `; its code tells it from ${namesakes - 1} of the same name`,
  surroundings: (namesakes) => `; its callers and neighbours tell it from ${namesakes - 1} of the same name`,
}

function functionLines(one: ImageFunction): string[] {
  const { code, name, object, unit, size, fields = 0, unconfirmed = 0, namesakes, by, address, difference } = one
  const where = address === undefined ? object : `${object} at ${address}`
  const nameless = unconfirmed > 0 ? `, ${unconfirmed} of them to what has no name` : ''
  const among = namesakes > 1 ? told[by](namesakes) : ''
  const facts = code === 'matches' ? `: ${size} bytes, ${inNumbers(fields, 'reference')}${nameless}${among}` : ''
  const lines = [`  ${bold(name)} ${codes[code]} ${dim(`(${unit}, ${where})${facts}`)}`]
  if (difference !== undefined)
    lines.push(
      `    at +0x${difference.offset.toString(16)}${difference.part > 0 ? ' of its cold or out-of-line part' : ''}`,
      `      expected  ${green(difference.expected)}`,
      `      found     ${red(difference.found)}`,
    )
  return lines
}

/** With each reference when `verbose` is set. */
export function renderVerification(report: ImageReport, verbose: boolean): string[] {
  const { module, builtFor, kernel, verdict, functions, references, findings } = report
  const fits = functions.every(({ code }) => code === 'matches')
  const head =
    verdict === 'matches'
      ? `the code ${green('is what it was made for')}`
      : fits
        ? `${red('made for another kernel')}, although the code is the same`
        : `the code ${red('is not what it was made for')}: don’t load it there`
  return [
    `${bold(module.name)} against ${bold(kernel.release)} (${kernel.version}): ${head}`,
    dim(`  built for ${builtFor.release} (${builtFor.version}); module and manifest belong together`),
    ...(kernel.banner === undefined ? [] : [dim(`  image: ${kernel.banner}`)]),
    '',
    ...functions.flatMap(functionLines),
    ...(references.all === 0
      ? []
      : [
          dim(
            `  ${references.found} of ${references.all} symbols that the module refers to, and that are ` +
              'not exported, are there',
          ),
        ]),
    ...(verbose ? references.to.map((one) => dim(`    ${one}`)) : []),
    ...findings.flatMap((finding) => ['', ...findingLines(finding)]),
  ]
}
