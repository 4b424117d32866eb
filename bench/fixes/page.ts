// SPDX-License-Identifier: GPL-3.0-or-later
// docs/fixes.md, from what was found and what a person says about it.
import type { ChosenFix } from './choice.ts'
import type { Compared, Findings, FixResult, Results, Views } from './results.ts'

interface Row {
  readonly set: string
  readonly fix: ChosenFix
  readonly result: FixResult
  readonly view: Views[string]
  readonly compared: Compared[string] | undefined
}

const escaped = (text: string) => text.replaceAll('|', '\\|')
const inSeconds = (ms: number) => (ms / 1000).toFixed(1)

/** The rules that refused a fix or asked for consent. */
export function objectingRules({ findings }: FixResult): string[] {
  return [...new Set(findings.filter(({ severity }) => severity !== 'note').map(({ rule }) => rule))]
}

function isLenient({ verdict }: FixResult): boolean {
  return verdict === 'possible'
}

/** Whether the tool and the reader come to the same. */
function agreement({ result, view, compared }: Row): 'right' | 'false alarm' | 'missed' {
  if (compared?.missed !== undefined) return 'missed'
  const rules = objectingRules(result)
  if (rules.length === 0 && isLenient(result)) return view.may === 'yes' ? 'right' : 'missed'
  return rules.some((rule) => compared?.rules[rule] === 'false') ? 'false alarm' : 'right'
}

const judged: Readonly<Record<FixResult['verdict'], string>> = {
  possible: 'possible',
  consent: 'asks',
  refused: 'refused',
  none: 'nothing to do',
  failed: 'failed',
}

const may: Readonly<Record<Views[string]['may'], string>> = { yes: 'yes', care: 'with care', no: 'no' }

function times({ proof, refusal }: FixResult): string {
  if (proof === undefined) return refusal === undefined ? '–' : 'not built'
  if (proof.verdict === 'failed')
    return proof.failures.some((text) => text.includes('No such device')) ? 'no such hardware' : 'failed'
  return proof.orders
    .map(
      ({ title, loadMs, switchMs, revertMs }) =>
        `${title.startsWith('the live patch first') ? 'patch first: ' : ''}${inSeconds(loadMs)} / ` +
        `${inSeconds(switchMs)} / ${inSeconds(revertMs)}`,
    )
    .join('; ')
}

/** `mm/hugetlb: move_hugetlb_page_tables, …`, at most three. */
function functionsOf({ functions }: FixResult): string {
  const objects = [...new Set(functions.map(({ object }) => object))]
  return objects
    .map((object) => {
      const names = functions.filter((one) => one.object === object).map(({ name }) => `\`${name}\``)
      const shown = names.slice(0, 3).join(', ')
      return `${object}: ${shown}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`
    })
    .join('; ')
}

function tableRow(row: Row): string {
  const { fix, result, view } = row
  const rules = objectingRules(result)
  const rulesNamed = rules.length > 0 ? `: ${rules.map((rule) => `\`${rule}\``).join(', ')}` : ''
  const verdict = `${judged[result.verdict]}${rulesNamed}`
  const cells = [
    `[${fix.id}](../test/fixes/${row.set}/${fix.id}.patch)${fix.heldOut === true ? ' *2*' : ''}`,
    fix.subsystem,
    functionsOf(result) || '–',
    verdict,
    may[view.may],
    agreement(row),
    times(result),
  ]
  return `| ${cells.map(escaped).join(' | ')} |`
}

function reading({ fix, view, compared }: Row): string {
  const titles = fix.titles.map((title) => `*${title.replaceAll('*', '\\*').replaceAll('_', '\\_')}*`).join('; ')
  const more = [compared?.missed, compared?.remark].filter((text) => text !== undefined)
  return `- **${fix.id}** (${titles}): ${view.why}${more.map((text) => ` ${text}`).join('')}`
}

function named(rows: readonly Row[], empty: string): string {
  return rows.length === 0 ? `${empty}\n` : `${rows.map(reading).join('\n')}\n`
}

/** What one set came to. */
interface Outcome extends Findings {
  readonly results: Results
  readonly rows: readonly Row[]
  readonly of: (wanted: ReturnType<typeof agreement>) => readonly Row[]
}

/** Nothing, before the first run of a set. */
function outcomesOf(findings: Findings): Outcome[] {
  const { choice, results, views, compared } = findings
  if (results === undefined) return []
  const rows = choice.fixes.flatMap((fix): Row[] => {
    const result = results.fixes.find(({ id }) => id === fix.id)
    const view = views[fix.id]
    return result === undefined || view === undefined
      ? []
      : [{ set: choice.set, fix, result, view, compared: compared[fix.id] }]
  })
  return [{ ...findings, results, rows, of: (wanted) => rows.filter((row) => agreement(row) === wanted) }]
}

/** The figures of a set, one for each line of the summary. */
function figures({ rows, of }: Outcome): readonly (readonly [string, string])[] {
  const count = (verdict: FixResult['verdict']) =>
    String(rows.filter(({ result }) => result.verdict === verdict).length)
  const built = rows.flatMap(({ result: { proof } }) => proof ?? [])
  const proven = built.filter(({ verdict }) => verdict !== 'failed').length
  const compared = rows.flatMap(({ result: { engines } }) => engines ?? [])
  const harmless = rows.filter(({ view }) => view.may === 'yes').length
  const median = rows.map(({ result }) => result.ms).sort((a, b) => a - b)[Math.floor(rows.length / 2)] ?? 0
  return [
    ['checked', String(rows.length)],
    ['judged *possible*', count('possible')],
    ['*asks* (a warning waits for consent)', count('consent')],
    ['*refused*', count('refused')],
    ['*nothing to do* in this configuration', count('none')],
    ['the judgement is right', String(of('right').length)],
    [
      'false alarms, of those that the reader would apply without a second thought',
      `${of('false alarm').length} of ${harmless}`,
    ],
    ['missed dangers', String(of('missed').length)],
    [
      'proven in a virtual machine (loaded, switched, reverted), of those that were built for it',
      `${proven} of ${built.length}`,
    ],
    [
      'both engines make the same live patch, of those built with both',
      compared.length === 0 ? '–' : `${compared.filter(({ agree }) => agree).length} of ${compared.length}`,
    ],
    ['a check takes (median), on a busy machine', `${inSeconds(median)} s`],
  ]
}

function summary(outcomes: readonly Outcome[]): string {
  const columns = outcomes.map(figures)
  const lines = columns[0]!.map(([label], index) => [label, ...columns.map((column) => column[index]![1])])
  const head = ['', ...outcomes.map(({ choice }) => choice.title)]
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** How the fixes of a set fare on the kernel of another series. */
function elsewherePart({ choice, rows }: Outcome, { kernel, fixes }: Results): string {
  const undone = fixes.filter(({ reversed }) => reversed === true)
  const pairs = fixes.flatMap((result) => {
    const own = rows.find(({ fix }) => fix.id === result.id)
    return own === undefined ? [] : [{ result, own }]
  })
  const said = (result: FixResult) => {
    const rules = objectingRules(result).map((rule) => `\`${rule}\``)
    return `${judged[result.verdict]}${rules.length > 0 ? `: ${rules.join(', ')}` : ''}`
  }
  const others = pairs.filter(({ result, own }) => said(result) !== said(own.result))
  const built = fixes.flatMap(({ proof }) => proof ?? [])
  const engines = fixes.flatMap((one) => one.engines ?? [])
  const missing = fixes.filter(({ reversed }) => reversed !== true).map(({ id }) => `\`${id}\``)
  const proven = built.filter(({ verdict }) => verdict !== 'failed').length
  const agreed = engines.filter(({ agree }) => agree).length
  const told =
    built.length === 0
      ? ''
      : ` ${proven} of ${built.length} that were built were proven,\n` +
        `and both engines make the same live patch of ${agreed} of ${engines.length}.`
  const same = pairs.length - others.length
  const table = others.map(
    ({ result, own }) => `| ${[result.id, said(own.result), said(result), own.view.may].join(' | ')} |`,
  )
  return `### On ${kernel.version} as well

Of those that fit \`${kernel.release}\`, ${fixes.length} were checked there: ${undone.length} turned around, as that kernel has them${missing.length > 0 ? `, and ${missing.join(', ')} as they are` : ''}.
The judgement is the same as on ${choice.older} for ${same}.${told}
${table.length === 0 ? '' : `\n| fix | on ${choice.older} | on ${kernel.version} | reader |\n| --- | --- | --- | --- |\n${table.join('\n')}\n`}`
}

function differing({ rows }: Outcome): string {
  const some = rows.filter(({ result: { engines } }) => engines !== undefined && !engines.agree)
  const line = ({ fix, result: { engines } }: Row) => `- **${fix.id}**: ${engines?.differences.join('; ')}`
  return some.length === 0 ? '' : `### Where the engines differ\n\n${some.map(line).join('\n')}\n\n`
}

function setPart(outcome: Outcome): string {
  const { choice, results, rows, of, lessons, elsewhere } = outcome
  const headers = rows.filter(({ fix }) => Object.keys(fix.files).some((file) => file.endsWith('.h')))
  const several = rows.filter(({ fix }) => Object.keys(fix.files).length > 1)
  const modules = rows.filter(({ result }) => result.functions.some(({ object }) => object !== 'vmlinux'))
  const unchecked = choice.fixes.filter(({ id }) => !rows.some(({ fix }) => fix.id === id))
  const failed = rows.filter(({ result }) => result.proof?.verdict === 'failed')
  const notes = [
    ...(unchecked.length > 0 ? [`Not checked: ${unchecked.map(({ id }) => `\`${id}\``).join(', ')}.`] : []),
    ...failed.map(
      ({ fix, result }) => `The proof of **${fix.id}** failed: ${result.proof?.failures[0]?.split('\n')[0] ?? ''}.`,
    ),
  ]
  return `## ${choice.title}: from ${choice.older} to ${choice.newer}

Checked on \`${results.kernel.release}\` (${results.kernel.version}). ${headers.length} of the ${rows.length} fixes change a header, ${several.length} change several files, ${modules.length} reach into
modules. They come from ${new Set(rows.map(({ fix }) => fix.subsystem)).size} subsystems. The patches are in \`test/fixes/${choice.set}/\`.

${lessons}

### False alarms

A rule that warns or refuses where the reader sees no danger.

${named(of('false alarm'), 'None.')}
### Missed dangers

The tool would build these without a word, and the reader would not, or not without care.

${named(of('missed'), 'None.')}
${elsewhere.map((one) => `${elsewherePart(outcome, one)}\n`).join('')}${differing(outcome)}### The table

| fix | subsystem | replaces | judged | reader | agree | proven: load / switch / revert |
| --- | --- | --- | --- | --- | --- | --- |
${rows.map(tableRow).join('\n')}
${notes.length > 0 ? `\n${notes.join('\n')}\n` : ''}
### What the reader says

${rows.map(reading).join('\n')}
`
}

/** The page as it has to be. */
export function fixesPage(sets: readonly Findings[]): string {
  const outcomes = sets.flatMap(outcomesOf)
  const froms = outcomes.map(
    ({ choice, rows }) => `${rows.length} of ${choice.title}'s (${choice.older} to ${choice.newer})`,
  )
  return `# Real fixes, judged

A security update of Debian's kernel fixes several hundred bugs. Of such updates, ${froms.join(' and ')}
were put through \`inarch check\` on the older kernel, and a person who knows the code read each: the patch, the code around it, and who else
uses what it changes. What the reader thinks was written down before the tool was asked. The titles are those of Debian's changelog; a fix is one
entry, or several where their hunks can't be parted.

${summary(outcomes)}

*Reader*, in the tables below: would a person apply it to a running kernel? *Proven*: seconds for loading, for the transition, and for the way
back, in a guest without KVM. A fix of a module is proven in both orders; *patch first* is the second. A module whose hardware the guest does not
have is patched all the same, if it loads at all. What the reader would not apply was not proven.

${outcomes.map(setPart).join('\n')}
## Do it again

\`npm run fixes\` checks them all, \`npm run fixes -- --prove\` also builds and proves them, \`npm run fixes -- --page\` writes this page from
what was found (\`results.json\` in a set's folder below \`bench/fixes/\`), what the reader says (\`views.json\`), how the two compare
(\`compared.json\`) and what was learnt (\`lessons.md\`). \`--set\` names one set, \`--on\` another kernel. When the older version has left the
archive, the patches are turned around and checked on the newest kernel of the series: to undo a fix is a live patch as well. Another set is another
folder with these files: \`--take\` makes its patches from \`choice.json\`.
`
}
