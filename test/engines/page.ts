// SPDX-License-Identifier: GPL-3.0-or-later
// docs/agreement.md: what the two engines made of every fix.
import type { Manifest } from '../../src/module/manifest.ts'

export interface EngineResult {
  readonly fix: string
  readonly from: string
  readonly series: string
  readonly version: string
  readonly engines?: NonNullable<Manifest['engines']>
  /** Why there is no module at all. */
  readonly refused?: string
}

const escaped = (text: string) => text.replaceAll('|', '\\|').replaceAll('_', '\\_').replaceAll('*', '\\*')

function row({ fix, from, series, engines }: EngineResult): string {
  const functions = engines?.functions ?? []
  const both = functions.filter(({ replacedBy }) => replacedBy === 'both')
  const same = both.filter(({ code }) => code === 'identical')
  const set = both.length === functions.length ? 'the same' : `${both.length} of ${functions.length}`
  const word = engines === undefined ? 'refused' : engines.agree ? 'yes' : 'no'
  return `| ${fix} | ${from} | ${series} | ${functions.length} | ${set} | ${same.length} of ${both.length} | ${word} |`
}

function explanations({ fix, series, engines, refused }: EngineResult): string[] {
  const title = `**${fix}** on ${series}`
  if (engines === undefined) return [`- ${title}: ${escaped((refused ?? '').split('\n')[0] ?? '')}.`]
  if (engines.failure !== undefined) return [`- ${title}: ${escaped(engines.failure.split('\n')[0] ?? '')}.`]
  return engines.functions
    .filter(({ code }) => code !== 'identical')
    .map(
      ({ name, replacedBy, code, explanation }) =>
        `- ${title}, \`${name}\`: ${replacedBy === 'both' ? `other code (${code})` : `replaced by the ${replacedBy} engine only`}. ${escaped(explanation ?? '')}.`,
    )
}

/** The page as the results say. */
export function agreementPage(results: readonly EngineResult[]): string {
  const versions = [...new Set(results.map(({ series, version }) => `${version} (${series})`))]
  const agreed = results.filter(({ engines }) => engines?.agree).length
  const differing = results.filter(({ engines }) => !engines?.agree)
  return `# What the two engines make of the same fix

\`npm run engines -- --page\` builds every example, every change that \`npm test\` proves, and the patches of
[authoring.md](authoring.md) and of the kpatch tests with \`--engine both\`, and writes this page. Kernels: ${versions.join(', ')}.

${agreed} of ${results.length} live patches agree: both engines replace the same functions, each by the same machine code modulo addresses.
[source-engine.md](source-engine.md) tells what is compared.

| fix | from | series | functions | sets | identical code | agree |
| --- | --- | --- | --- | --- | --- | --- |
${results.map(row).join('\n')}

## Where they differ

${differing.length === 0 ? 'Nowhere.' : differing.flatMap(explanations).join('\n')}
`
}
