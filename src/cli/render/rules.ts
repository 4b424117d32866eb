// SPDX-License-Identifier: GPL-3.0-or-later
// How the rules explain themselves in a terminal.

import { citationsOf } from '../../check/catalogue/explanation.ts'
import type { Chapter } from '../../check/catalogue.ts'
import { bold, cyan, dim, red, yellow } from './colour.ts'

const colours = { error: red, warning: yellow, note: dim } as const

export function renderRules(chapters: readonly Chapter[]): string[] {
  return chapters.flatMap(({ title, about, rules }) => [
    bold(title),
    about,
    '',
    ...rules.flatMap((rule) => [
      `${bold(rule.name)} ${colours[rule.severity](`(${rule.severity})`)}`,
      `  ${rule.looksFor}.`,
      `  ${dim(`${rule.why}.`)}`,
      `  ${cyan('→')} ${rule.remedy}.`,
      ...citationsOf(rule).map((one) => `  ${dim(`rests on ${one}`)}`),
      '',
    ]),
  ])
}
