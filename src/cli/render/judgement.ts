// SPDX-License-Identifier: GPL-3.0-or-later
// How a judgement looks in a terminal: the verdict, what would be replaced, and what there is to say.
import type { Judgement } from '../../module/judgement.ts'
import { bold, dim, green, red, yellow } from './colour.ts'
import { findingLines } from './findings.ts'

const verdicts: Readonly<Record<Judgement['verdict'], string>> = {
  possible: green('can be applied live'),
  consent: yellow('waits for your judgement'),
  refused: red('can’t be applied live'),
  none: yellow('changes nothing'),
}

export function renderJudgement({ name, kernel, verdict, functions, findings }: Judgement): string[] {
  return [
    `${bold(name)} on ${kernel.release}: ${verdicts[verdict]}`,
    ...functions.map(
      ({ name: called, object, unit, reasons }) =>
        `  ${called} of ${object} ${dim(`(${unit}): ${reasons[0] ?? ''}`)}`,
    ),
    ...findings.flatMap((finding) => ['', ...findingLines(finding)]),
  ]
}
