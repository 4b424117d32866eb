// SPDX-License-Identifier: GPL-3.0-or-later
// docs/changes.md, from the changes themselves.
import { changes, isFor, sample } from './changes.ts'

/** The series on which CI proves the changes. */
export const provenSeries = ['6.1', '6.12'] as const

const escaped = (text: string) => text.replaceAll('|', '\\|').replaceAll('_', '\\_')

/** The page as it has to be. */
export function changesPage(): string {
  const rows = changes.map((change) => {
    const { name, edits, exercises, backports } = change
    const files = [...new Set(edits.map(({ file }) => `\`${file}\``))].join(', ')
    const why = backports === undefined ? '' : `; it backports ${backports}`
    const marks = provenSeries.map((one) => (isFor(one)(change) ? 'yes' : '–'))
    const everyDay = sample.some((one) => one.name === name) ? ' \\*' : ''
    return `| ${name}${everyDay} | ${files} | ${escaped(`${exercises}${why}`)} | ${marks.join(' | ')} |`
  })
  const counts = provenSeries.map((one) => `${changes.filter(isFor(one)).length} on ${one}`)
  return `# Changes that are proven

These are changes to real units of the kernel, ${changes.length} in all: ${counts.join(', ')}. \`npm run test:long\` builds each as a live patch for
the newest cloud kernel of Debian 12 and 13 and proves all for a kernel in one boot; \`npm test\` does so with those marked \\*. Each has a check of what it does: without
the live patch, with it, and when it was reverted. It also says which functions must be replaced, and which sections
(tables of faults, of static keys, of alternatives, …) the live patch must have, so that it really exercises what the table
says. The kernel's log must stay clean.

The changes are in \`test/changes/\`, written as edits that fit both series. What "–" marks is in that series already, or needs a newer one.

\`npm run changes -- --kernel WHICH [NAME…]\` proves them on any other kernel, such as \`6.1-amd64\`; \`--keep DIR\` keeps
the live patches. \`npm run changes -- --page\` writes this page.

| change | unit | what it exercises | ${provenSeries.join(' | ')} |
| --- | --- | --- | ${provenSeries.map(() => '---').join(' | ')} |
${rows.join('\n')}
`
}
