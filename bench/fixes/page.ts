// SPDX-License-Identifier: GPL-3.0-or-later
// docs/fixes.md, from what was found and what a person says about it.
import type { Choice, ChosenFix } from './choice.ts'
import type { Compared, FixResult, Results, Views } from './results.ts'

interface Row {
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
    `[${fix.id}](../test/fixes/${fix.id}.patch)${fix.heldOut === true ? ' *2*' : ''}`,
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

function idsOf(rows: readonly Row[], wanted: ReturnType<typeof agreement>): string {
  const ids = rows.filter((row) => agreement(row) === wanted).map(({ fix }) => `\`${fix.id}\``)
  return ids.length === 0 ? 'none' : ids.join(', ')
}

/** The page as it has to be. */
export function fixesPage(choice: Choice, results: Results | undefined, views: Views, compared: Compared): string {
  if (results === undefined) throw new Error('Nothing was checked yet')
  const rows = choice.fixes.flatMap((fix): Row[] => {
    const result = results.fixes.find(({ id }) => id === fix.id)
    const view = views[fix.id]
    return result === undefined || view === undefined ? [] : [{ fix, result, view, compared: compared[fix.id] }]
  })
  const unchecked = choice.fixes.filter(({ id }) => !rows.some(({ fix }) => fix.id === id))
  const of = (wanted: ReturnType<typeof agreement>) => rows.filter((row) => agreement(row) === wanted)
  const [right, alarms, missed] = [of('right'), of('false alarm'), of('missed')]
  const second = rows.filter(({ fix }) => fix.heldOut === true)
  const proven = rows.filter(({ result }) => result.proof !== undefined && result.proof.verdict !== 'failed')
  const failed = rows.filter(({ result }) => result.proof?.verdict === 'failed')
  const harmless = rows.filter(({ view }) => view.may === 'yes')
  const count = (verdict: FixResult['verdict']) => rows.filter(({ result }) => result.verdict === verdict).length
  const headers = rows.filter(({ fix }) => Object.keys(fix.files).some((file) => file.endsWith('.h')))
  const several = rows.filter(({ fix }) => Object.keys(fix.files).length > 1)
  const modules = rows.filter(({ result }) => result.functions.some(({ object }) => object !== 'vmlinux'))
  const median = rows.map(({ result }) => result.ms).sort((a, b) => a - b)[Math.floor(rows.length / 2)] ?? 0
  return `# Real fixes, judged

Debian's security update of its kernel from ${choice.older} to ${choice.newer} fixes several hundred bugs. ${rows.length} of them were put through
\`inarch check\` on ${results.kernel.version} (\`${results.kernel.release}\`), and a person who knows the code read each: the patch, the code around it, and
who else uses what it changes. What the reader thinks was written down before the tool was asked.

${headers.length} of the fixes change a header, ${several.length} change several files, ${modules.length} reach into modules. They come from
${new Set(rows.map(({ fix }) => fix.subsystem)).size} subsystems. The titles are those of Debian's changelog; a fix is one entry, or several where their hunks can't be parted. The patches are in
\`test/fixes/\`.

| | |
| --- | --- |
| checked | ${rows.length} |
| judged *possible* | ${count('possible')} |
| *asks* (a warning waits for consent) | ${count('consent')} |
| *refused* | ${count('refused')} |
| *nothing to do* in this configuration | ${count('none')} |
| the judgement is right | ${right.length} |
| false alarms | ${alarms.length} of the ${harmless.length} that the reader would apply without a second thought, or another rule besides the right one |
| missed dangers | ${missed.length} |
| built and proven in a virtual machine: loaded, switched, reverted | ${proven.length} of ${proven.length + failed.length} that build |
| a check takes (median) | ${inSeconds(median)} s, on a busy machine |

What of each function reaches beyond its call is told as well ([alive.md](alive.md)): of all 123 fixes, read from their texts alone, 63 are plain in every function.

## What these fixes taught the rules

The rules were written while these fixes were read, so the figures of the first set are better than those of fixes that nobody has looked at.
At the first run four were false alarms: \`ext4-ea-nowait\` and \`loop-block-size\` (\`address-of-new-function\`: the callee calls the function at once, or only
compares the address), \`ext4-writepages-nofs\` and \`apparmor-null-profile\` (\`lock-balance\`: the same lock by way of another variable). And what
\`secretmem-account\`, \`xfrm-dev-ref\` and \`sqpoll-disabled\` bring about was not seen. The rules were corrected, in general terms, and all of the first set were run again then.

So a second set was chosen when the rules were done, and judged by the reader before the first run. Of its ${second.length} fixes the judgement is right for
${second.filter((row) => agreement(row) === 'right').length}; false alarms: ${idsOf(second, 'false alarm')}; missed: ${idsOf(second, 'missed')}. They are marked *2* in the table.

## False alarms

A rule that warns or refuses where the reader sees no danger.

${named(alarms, 'None.')}
## Missed dangers

The tool would build these without a word, and the reader would not, or not without care.

${named(missed, 'None.')}
## The table

*Reader*: would a person apply it to a running kernel? *Proven*: seconds for loading, for the transition, and for the way back, in a guest
without KVM. A fix of a module is proven in both orders; *patch first* is the second. A module whose hardware the guest does not have is patched all
the same, if it loads at all. What the reader would not apply was not proven, and the second set was not, either.

| fix | subsystem | replaces | judged | reader | agree | proven: load / switch / revert |
| --- | --- | --- | --- | --- | --- | --- |
${rows.map(tableRow).join('\n')}

## What the reader says

${rows.map(reading).join('\n')}

## Do it again

\`npm run fixes\` checks them all, \`npm run fixes -- --prove\` also builds and proves them, \`npm run fixes -- --page\` writes this page from
what was found (\`bench/fixes/results.json\`), what the reader says (\`views.json\`) and how the two compare (\`compared.json\`). When ${choice.older} has left
the archive, the patches are turned around and checked on the newest kernel of the series: to undo a fix is a live patch as well.
${unchecked.length > 0 ? `\nNot checked, because a header that most of the kernel includes takes very long on a busy machine: ${unchecked.map(({ id }) => `\`${id}\``).join(', ')}.\n` : ''}${failed.length > 0 ? `\nProofs that failed: ${failed.map(({ fix, result }) => `**${fix.id}** (${result.proof?.failures[0]?.split('\n')[0] ?? ''})`).join('; ')}.\n` : ''}`
}
