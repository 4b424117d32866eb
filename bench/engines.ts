// SPDX-License-Identifier: GPL-3.0-or-later
// Builds every example and every change of the tests with both engines and compares what they make:
// npm run engines -- --kernel 6.1 --kernel 6.12 [NAME…]
// With --keep DIR it goes on where it was stopped. With --page it writes docs/agreement.md and docs/ext4-source.md too.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import pLimit from 'p-limit'
import * as v from 'valibot'
import { Fault } from '../src/ground/fault.ts'
import { type Job, silentJournal } from '../src/ground/job.ts'
import type { Kernel } from '../src/kernel/kernel.ts'
import { listKernels } from '../src/kernel/list.ts'
import { selectKernel } from '../src/kernel/select.ts'
import { makeLivePatch } from '../src/module/make.ts'
import { manifestSchema } from '../src/module/manifest/manifest.ts'
import { ext4Page } from '../test/engines/ext4-page.ts'
import { type Fix, fixesFor } from '../test/engines/fixes.ts'
import { agreementPage, type EngineResult } from '../test/engines/page.ts'

const { values, positionals } = parseArgs({
  options: {
    kernel: { type: 'string', short: 'k', multiple: true },
    keep: { type: 'string' },
    page: { type: 'boolean' },
  },
  allowPositionals: true,
})
const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const start = performance.now()
const work = values.keep ?? mkdtempSync(path.join(os.tmpdir(), 'inarch-engines-'))

async function build(kernel: Kernel, fix: Fix): Promise<EngineResult> {
  const base = { fix: fix.name, from: fix.from, series: kernel.series, version: kernel.version }
  const output = path.join(work, kernel.release)
  const known = keptEngines(path.join(output, `livepatch-${fix.name}.json`))
  if (known !== undefined) return { ...base, engines: known }
  rmSync(path.join(output, `livepatch-${fix.name}`), { recursive: true, force: true })
  try {
    const made = await makeLivePatch(job, kernel, {
      patches: fix.patches(kernel),
      name: fix.name,
      replace: true,
      engine: 'both',
      allow: ['engines-differ', ...(fix.allow ?? [])],
      output,
    })
    return { ...base, engines: made.manifest.engines! }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    const findings = error.findings.map(({ rule, symbol, message }) => `${rule} ${symbol ?? ''}: ${message}`)
    return { ...base, refused: [error.message, ...findings, error.detail ?? ''].join('\n    ') }
  }
}

/** The comparison that an earlier run left in the directory of `--keep`; what failed is tried again. */
function keptEngines(manifest: string): EngineResult['engines'] {
  try {
    const { engines } = v.parse(manifestSchema, JSON.parse(readFileSync(manifest, 'utf8')))
    return engines?.failure === undefined ? engines : undefined
  } catch {
    return undefined
  }
}

const results: EngineResult[] = []
try {
  for (const wanted of values.kernel ?? ['6.1', '6.12']) {
    const kernel = await selectKernel(job, wanted)
    const limit = pLimit(os.availableParallelism())
    const fixes = fixesFor(kernel.series).filter(({ name }) => positionals.length === 0 || positionals.includes(name))
    const found = await Promise.all(
      fixes.map((fix) =>
        limit(async () => {
          const own = fix.version === undefined ? kernel : await kernelOf(fix.version, kernel.flavour)
          return own === undefined ? [] : [await build(own, fix)]
        }),
      ),
    )
    for (const result of found.flat()) {
      results.push(result)
      const { engines, refused } = result
      const functions = engines?.functions ?? []
      const both = functions.filter(({ replacedBy }) => replacedBy === 'both')
      const same = both.filter(({ code }) => code === 'identical')
      const word = engines === undefined ? 'REFUSED' : engines.agree ? 'agree  ' : 'DIFFER '
      console.log(`${word} ${result.series} ${result.fix.padEnd(24)} ${same.length} of ${functions.length} identical`)
      if (refused !== undefined) console.log(`    ${refused}`)
      if (engines?.failure !== undefined) console.log(`    ${engines.failure}`)
      for (const { name, replacedBy, code, explanation } of functions)
        if (engines?.failure === undefined && code !== 'identical')
          console.log(`    ${name}: ${replacedBy}, ${code ?? ''} ${explanation ?? ''}`)
    }
  }
  const good = results.filter(({ engines }) => engines?.agree).length
  console.log(`${good} of ${results.length} agree; all in all ${((performance.now() - start) / 1000).toFixed(1)} s`)
  if (values.page) {
    writeFileSync('docs/agreement.md', agreementPage(results, new Date().toISOString().slice(0, 10)))
    const page = await ext4Page(job)
    if (page !== undefined) writeFileSync('docs/ext4-source.md', page)
  }
} finally {
  if (values.keep === undefined) rmSync(work, { recursive: true, force: true })
}

/** The kernel of one exact version; undefined when the archive has it no more. */
async function kernelOf(version: string, flavour: string): Promise<Kernel | undefined> {
  const found = (await listKernels(job)).find((one) => one.version === version && one.flavour === flavour)
  return found === undefined ? undefined : await selectKernel(job, found.release)
}
