// SPDX-License-Identifier: GPL-3.0-or-later
// docs/agreement.md: what the two engines made of every fix.
import type { Manifest } from '../../src/module/manifest/manifest.ts'

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
  const differing = engines.functions.filter(({ code }) => code !== 'identical')
  return [
    `- ${title}:`,
    ...differing.map(({ name, replacedBy, code, explanation }) => {
      const what = replacedBy === 'both' ? `other code (${code})` : `replaced by the ${replacedBy} engine only`
      return `  - \`${name}\`, ${what}. ${escaped(explanation ?? '').replaceAll(process.cwd(), '.')}.`
    }),
  ]
}

const reasons = `Four things make the engines differ, and none of them makes one of the live patches wrong; the modules made from source are
proven like the others (\`npm run changes -- --engine source\`).

- *Forms of functions.* gcc makes other forms of a private function for its callers: without arguments that nobody needs
  (\`.isra\`), for one value of an argument (\`.constprop\`), or a part of it (\`.part\`). The binary engine replaces such a form by its own
  like. C has no name for it, so the source engine replaces the functions that call it, which then have the changed
  function in them or beside them.
- *A function that vanishes or appears.* When the fix makes the compiler put a changed function into its callers, the binary
  engine sees the callers change. The source engine replaces the function that the fix changes; the running kernel
  still calls it.
- *Other decisions of the compiler.* Whether gcc puts an inline function of a header into its user, which registers it takes and in which
  order it writes, depends also on what else is in the file. An extract is a small file. The functions do the same, by other
  instructions.
- *Where it begins.* A function that the wrapper knows begins with a landing pad, four bytes that the unit's may not have. What the compiler
  aligns within it moves, by longer or shorter nops. \`vmstat-offset\` on 6.12 differs by one such nop and nothing else.`

/**
 * The page as the results say.
 * @param date of the run, as 2026-01-31
 */
export function agreementPage(results: readonly EngineResult[], date: string): string {
  const versions = [...new Set(results.map(({ series, version }) => `${version} (${series})`))]
  const agreed = results.filter(({ engines }) => engines?.agree).length
  const differing = results.filter(({ engines }) => !engines?.agree)
  return `# What the two engines make of the same fix

\`npm run engines -- --page\` builds every example, every change that \`npm test\` proves, and the patches of
[authoring.md](authoring.md) and of the kpatch tests with \`--engine both\`, and writes this page. Kernels: ${versions.join(', ')}.

${agreed} of ${results.length} live patches agree: both engines replace the same functions, each by the same machine code modulo addresses,
or by code that is the same by its source.
[source-engine.md](source-engine.md#two-engines-compared) tells what is compared, and what both engines share, so that agreement does not check it.
The page shows the engines as they were on ${date}.

| fix | from | series | functions | sets | identical code | agree |
| --- | --- | --- | --- | --- | --- | --- |
${results.map(row).join('\n')}

## Where they differ

${reasons}

${differing.length === 0 ? 'Nowhere.' : differing.flatMap(explanations).join('\n')}
`
}
