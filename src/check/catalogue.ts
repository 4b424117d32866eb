// SPDX-License-Identifier: GPL-3.0-or-later
// Every rule that Inarch knows, explained: the safety rules, and what the rooms below say about files, code, names and
// the author's own words. `inarch check --rules` prints it, docs/rules.md shows it, and `--allow` takes its names only.
import { auditRules } from './catalogue/audit.ts'
import { authoringRules } from './catalogue/authoring.ts'
import { bindingRules } from './catalogue/binding.ts'
import { codeRules } from './catalogue/code.ts'
import { type Explanation, explanationOf } from './catalogue/explanation.ts'
import { fileRules } from './catalogue/files.ts'
import { rules } from './rules.ts'

/** Rules that belong together, under a heading. */
export interface Chapter {
  readonly title: string
  readonly about: string
  readonly rules: readonly Explanation[]
}

export const catalogue: readonly Chapter[] = [
  {
    title: 'Safety',
    about:
      'What could go wrong although the live patch can be made: old and new code at the same time, ' +
      'objects that the old code has made, callers that stay.',
    rules: rules.map(explanationOf),
  },
  { title: 'Files', about: 'What the patch changes besides code that can be replaced.', rules: fileRules },
  {
    title: 'Code and data',
    about: 'What differs between the two compiles, and what can be cut out.',
    rules: codeRules,
  },
  {
    title: 'The running kernel',
    about: 'Whether the code is the one that runs, and whether every name can be found.',
    rules: bindingRules,
  },
  {
    title: 'The audit',
    about: 'What is found wrong in the finished module, by code that did not make it.',
    rules: auditRules,
  },
  {
    title: 'The author’s words',
    about: 'The macros of inarch.h, a directory’s tables, and the options of inarch source.',
    rules: authoringRules,
  },
]

/** All rules, by name. */
export const everyRule: ReadonlyMap<string, Explanation> = new Map(
  catalogue.flatMap((chapter) => chapter.rules.map((rule) => [rule.name, rule] as const)),
)
