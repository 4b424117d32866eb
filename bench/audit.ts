// SPDX-License-Identifier: GPL-3.0-or-later
// Builds every fix of test/fixes, every change of test/changes, and the patches of the examples, of the authoring guide
// and of the kpatch tests without a proof. It tells what the audit said of each, and which share of the build it took:
// npm run audit -- --kernel 6.1 [--jobs N] [--engine source] [NAME…].
// Each of them is right, so whatever the audit refuses here is a defect of its own.
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import pLimit from 'p-limit'
import { Fault } from '../src/ground/fault.ts'
import { type Job, silentJournal } from '../src/ground/job.ts'
import type { Kernel } from '../src/kernel/kernel.ts'
import { selectKernel } from '../src/kernel/select.ts'
import { makeLivePatch } from '../src/module/make.ts'
import { engines } from '../src/module/manifest/request.ts'
import type { Patch } from '../src/patch/patch.ts'
import { fixesFor } from '../test/engines/fixes.ts'
import { fixesOf } from './fixes/fit.ts'

const { values, positionals } = parseArgs({
  options: {
    kernel: { type: 'string', short: 'k', default: '6.1' },
    engine: { type: 'string', default: 'binary' },
    jobs: { type: 'string', default: '2' },
  },
  allowPositionals: true,
})
const engine = engines.find((one) => one === values.engine)
if (engine === undefined) throw new Error(`--engine is one of ${engines.join(', ')}`)
const signal = new AbortController().signal
const kernel = await selectKernel({ signal, journal: silentJournal() }, values.kernel)
const output = mkdtempSync(path.join(os.tmpdir(), 'inarch-audit-'))

interface Outcome {
  readonly word: string
  readonly audit: number
  readonly all: number
}

/** Builds it, with consent to every warning. */
async function build(
  to: Kernel,
  name: string,
  patches: readonly Patch[],
  allow: readonly string[] = [],
): Promise<Outcome> {
  const journal = silentJournal()
  const job: Job = { signal, journal }
  const start = performance.now()
  const done = (word: string): Outcome => ({
    word,
    audit: journal.timings.find(({ step }) => step === 'Auditing the module')?.ms ?? 0,
    all: performance.now() - start,
  })
  try {
    await makeLivePatch(job, to, {
      ...{ patches, name, replace: true, allow, engine: engine! },
      // The source engine writes over no directory.
      output: mkdtempSync(path.join(output, 'build-')),
    })
    return done('made')
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    const asks = error.findings.filter(({ severity }) => severity === 'warning').map(({ rule }) => rule)
    const canConsent = error.code === 'needs-consent' || error.code === 'extract-differs'
    if (canConsent && asks.some((rule) => !allow.includes(rule)))
      return await build(to, name, patches, [...allow, ...asks])
    const about = error.findings.map(({ rule, message }) => `\n    ${rule}: ${message}`)
    return done(error.code.startsWith('audit-') ? `REFUSED${about.join('')}` : `not made (${error.code})`)
  }
}

const work = [
  ...(await fixesOf(kernel)).map(({ fix, patch }) => ({ name: fix.id, patches: [patch] })),
  ...fixesFor(kernel.series)
    .filter(({ version }) => version === undefined || version === kernel.version)
    .map(({ name, patches }) => ({ name, patches: patches(kernel) })),
]
const chosen = work.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
const limit = pLimit(Number(values.jobs))
let [made, refused, audit, all] = [0, 0, 0, 0]
try {
  await Promise.all(
    chosen.map(({ name, patches }) =>
      limit(async () => {
        const outcome = await build(kernel, name, patches)
        console.log(
          `${name.padEnd(28)} ${outcome.all.toFixed(0)} ms, audit ${outcome.audit.toFixed(0)} ms: ${outcome.word}`,
        )
        if (outcome.word === 'made') {
          made++
          audit += outcome.audit
          all += outcome.all
        }
        if (outcome.word.startsWith('REFUSED')) refused++
      }),
    ),
  )
  console.log(
    `${kernel.release}: ${made} made, ${refused} refused by the audit; the audit took ` +
      `${((100 * audit) / all).toFixed(1)} % of the builds' time`,
  )
  if (refused > 0) process.exitCode = 1
} finally {
  rmSync(output, { recursive: true, force: true })
}
