// SPDX-License-Identifier: GPL-3.0-or-later
// Real fixes of stable updates, in sets (bench/fixes), through `check`, `build` and `prove`:
// npm run fixes -- [--set SET]… [NAME…]  checks them on the older of the two versions that a set comes from
// npm run fixes -- --on WHICH …          on another kernel, those that fit it; what it has already is undone
// npm run fixes -- --prove …             also builds those that can be built with both engines, and proves them
// npm run fixes -- --only-prove …        the same without checking them again
// npm run fixes -- --page                writes docs/fixes.md from what was found and what a reader says
// npm run fixes -- --take                makes the patches anew from the two sources
// When the older version has left the archive, the fixes are tried on the newest kernel of the series.
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { type Job, silentJournal } from '../src/ground/job.ts'
import type { Kernel } from '../src/kernel/kernel.ts'
import { listKernels } from '../src/kernel/list.ts'
import { selectKernel } from '../src/kernel/select.ts'
import { type Choice, readChoice, setNames } from './fixes/choice.ts'
import { fittingFixes } from './fixes/fit.ts'
import { judgeAll } from './fixes/judge.ts'
import { fixesPage } from './fixes/page.ts'
import { type Attempt, proveAll } from './fixes/prove.ts'
import { keepResult, readFindings, readResults, readViews } from './fixes/results.ts'
import { takePatches } from './fixes/take.ts'

const { values, positionals } = parseArgs({
  options: {
    set: { type: 'string', multiple: true },
    on: { type: 'string' },
    take: { type: 'boolean' },
    prove: { type: 'boolean' },
    'only-prove': { type: 'boolean' },
    page: { type: 'boolean' },
    keep: { type: 'string' },
    jobs: { type: 'string', default: '2' },
  },
  allowPositionals: true,
})
const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const choices = (values.set ?? setNames()).map(readChoice)

if (values.page) writeFileSync('docs/fixes.md', fixesPage(setNames().map(readFindings)))
else for (const choice of choices) await (values.take ? take(choice) : work(choice))

/** The cloud kernel of one exact version; undefined when neither the archive nor the cache has it. */
async function kernelOf(version: string): Promise<Kernel | undefined> {
  const all = await listKernels(job, { all: true })
  const found = all.find((one) => one.version === version && one.flavour === 'cloud-amd64')
  return found === undefined ? undefined : await selectKernel(job, found.release)
}

async function take(choice: Choice): Promise<void> {
  const [older, newer] = [await kernelOf(choice.older), await kernelOf(choice.newer)]
  if (older === undefined || newer === undefined)
    console.log(`${choice.set}: the archive no longer has both ${choice.older} and ${choice.newer}; the patches stay`)
  else for (const complaint of await takePatches(job, choice, older, newer)) console.log(complaint)
}

async function work(choice: Choice): Promise<void> {
  const { set } = choice
  const kernel = values.on === undefined ? await ownKernel(choice) : await selectKernel(job, values.on)
  const series = values.on === undefined ? undefined : kernel.series
  const wanted = choice.fixes.filter(({ id }) => positionals.length === 0 || positionals.includes(id))
  const fixes = await fittingFixes(kernel, set, wanted)
  console.log(`${set} on ${kernel.version}: ${fixes.length} of ${wanted.length} fixes fit`)
  const jobs = Number(values.jobs)
  if (!values['only-prove'])
    await judgeAll(job, kernel, fixes, jobs, (result) => {
      keepResult(set, kernel, { ...result, ...attemptOf(choice, result.id, series) }, series)
      const rules = result.findings.filter(({ severity }) => severity !== 'note')
      console.log(
        `${result.verdict.padEnd(9)} ${result.id.padEnd(24)} ${(result.ms / 1000).toFixed(1)} s, ` +
          `${result.functions.length} functions`,
      )
      for (const { severity, rule, symbol, message } of rules)
        console.log(`    ${severity} ${rule} ${symbol ?? ''}: ${message}`)
    })
  if (values.prove || values['only-prove']) {
    const output = path.resolve(values.keep ?? 'dist/fixes', `${set}-${kernel.release}`)
    const views = readViews(set)
    const consents = (id: string) => views[id]?.may !== 'no'
    await proveAll(job, kernel, fixes, consents, output, jobs, (id, attempt) => {
      const judged = readResults(set, series)?.fixes.find((one) => one.id === id)
      if (judged !== undefined) {
        const { refusal: _, allowed: __, engines: ___, proof: ____, ...rest } = judged
        keepResult(set, kernel, { ...rest, ...attempt }, series)
      }
      console.log(`${attempt.proof?.verdict ?? 'not built'} ${id} ${attempt.refusal ?? ''}`)
      for (const failure of attempt.proof?.failures ?? []) console.log(`    ${failure}`)
      for (const difference of attempt.engines?.differences ?? []) console.log(`    ${difference}`)
    })
  }
}

/** The older of a set's two versions, or what the archive has in its place. */
async function ownKernel({ older, series }: Choice): Promise<Kernel> {
  const own = await kernelOf(older)
  if (own !== undefined) return own
  const newest = await selectKernel(job, series)
  console.log(`${older} has left the archive: the fixes are tried on ${newest.version}`)
  return newest
}

/** What an earlier run found out about building and proving a fix. */
function attemptOf({ set }: Choice, id: string, series: string | undefined): Attempt {
  const known = readResults(set, series)?.fixes.find((one) => one.id === id)
  return {
    ...(known?.refusal === undefined ? {} : { refusal: known.refusal }),
    ...(known?.allowed === undefined ? {} : { allowed: known.allowed }),
    ...(known?.engines === undefined ? {} : { engines: known.engines }),
    ...(known?.proof === undefined ? {} : { proof: known.proof }),
  }
}
