// SPDX-License-Identifier: GPL-3.0-or-later
// docs/rules.md, made from what the rules say about themselves.

import { citationsOf } from '../../src/check/catalogue/explanation.ts'
import { catalogue } from '../../src/check/catalogue.ts'

const severities = { error: 'error', warning: 'warning', note: 'note' } as const

/** The page as it stands in the repository. */
export function rulesPage(): string {
  const chapters = catalogue.map(({ title, about, rules }) =>
    [
      `## ${title}`,
      '',
      about,
      '',
      ...rules.flatMap((rule) => [
        `### ${rule.name}`,
        '',
        `*${severities[rule.severity]}* · ${rule.looksFor}.`,
        '',
        `${rule.why}.`,
        '',
        `What to do: ${rule.remedy}.`,
        '',
        ...citationsOf(rule).map((one, at) => `${at === 0 ? 'Rests on:\n\n' : ''}- ${one}`),
        ...(rule.restsOn === undefined ? [] : ['']),
      ]),
    ].join('\n'),
  )
  return `${[
    '# The rules',
    '',
    '<!-- Made by `npm run rules`. -->',
    '',
    'What `inarch check` and `inarch build` look for, why it matters, and what to do. An *error* refuses the patch. A *warning* refuses it',
    'until the author says `--allow RULE`, which the manifest records. A *note* only tells. Where one case of a rule is graver or more',
    'harmless than the others, its finding says so. `inarch check --rules` prints the same.',
    '',
    ...chapters,
  ]
    .join('\n')
    .trimEnd()}\n`
}
