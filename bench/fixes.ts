// SPDX-License-Identifier: GPL-3.0-or-later
// Real fixes of a stable update, through `check`, `build` and `prove`:
// npm run fixes -- [NAME…]            checks them on the older of the two versions
// npm run fixes -- --prove [NAME…]    also builds those that can be built, and proves them
// npm run fixes -- --page             writes docs/fixes.md from what was found and what a reader says
// npm run fixes -- --take             makes the patches anew from the two sources
// When the older version has left the archive, the patches are reversed and checked on the newest one.
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { type Job, silentJournal } from '../src/ground/job.ts'
import type { Kernel } from '../src/kernel/kernel.ts'
import { listKernels } from '../src/kernel/list.ts'
import { selectKernel } from '../src/kernel/select.ts'
import { readChoice } from './fixes/choice.ts'
import { judgeAll } from './fixes/judge.ts'
import { fixesPage } from './fixes/page.ts'
import { type Attempt, proveAll } from './fixes/prove.ts'
import { keepResult, readCompared, readResults, readViews } from './fixes/results.ts'
import { takePatches } from './fixes/take.ts'

const { values, positionals } = parseArgs({
  options: {
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
const choice = readChoice()

/** The cloud kernel of one exact version; undefined when neither the archive nor the cache has it. */
async function kernelOf(version: string): Promise<Kernel | undefined> {
  const all = await listKernels(job)
  const found = all.find((one) => one.version === version && one.flavour === 'cloud-amd64')
  return found === undefined ? undefined : await selectKernel(job, found.release)
}

if (values.page) {
  writeFileSync('docs/fixes.md', fixesPage(choice, readResults(), readViews(), readCompared()))
} else if (values.take) {
  const [older, newer] = [await kernelOf(choice.older), await kernelOf(choice.newer)]
  if (older === undefined || newer === undefined)
    throw new Error(`The archive no longer has both ${choice.older} and ${choice.newer}; the stored patches stay`)
  for (const complaint of await takePatches(job, choice, older, newer)) console.log(complaint)
} else {
  const older = await kernelOf(choice.older)
  const kernel = older ?? (await selectKernel(job, choice.series))
  if (older === undefined)
    console.log(`${choice.older} has left the archive: the patches are reversed for ${kernel.version}`)
  const fixes = choice.fixes.filter(({ id }) => positionals.length === 0 || positionals.includes(id))
  const options = { reversed: older === undefined, jobs: Number(values.jobs) }
  if (!values['only-prove'])
    await judgeAll(job, kernel, fixes, options, (result) => {
      keepResult(kernel, { ...result, ...attemptOf(result.id) })
      const rules = result.findings.filter(({ severity }) => severity !== 'note')
      console.log(
        `${result.verdict.padEnd(9)} ${result.id.padEnd(24)} ${(result.ms / 1000).toFixed(1)} s, ` +
          `${result.functions.length} functions`,
      )
      for (const { severity, rule, symbol, message } of rules)
        console.log(`    ${severity} ${rule} ${symbol ?? ''}: ${message}`)
    })
  if (values.prove || values['only-prove']) {
    const output = path.resolve(values.keep ?? 'dist/fixes')
    await proveAll(job, kernel, fixes, mayBeApplied, output, options, (id, attempt) => {
      const judged = readResults()?.fixes.find((one) => one.id === id)
      if (judged !== undefined) {
        const { refusal: _, allowed: __, proof: ___, ...rest } = judged
        keepResult(kernel, { ...rest, ...attempt })
      }
      console.log(`${attempt.proof?.verdict ?? 'not built'} ${id} ${attempt.refusal ?? ''}`)
      for (const failure of attempt.proof?.failures ?? []) console.log(`    ${failure}`)
    })
  }
}

/** What an earlier run found out about building and proving a fix. */
function attemptOf(id: string): Attempt {
  const known = readResults()?.fixes.find((one) => one.id === id)
  return {
    ...(known?.refusal === undefined ? {} : { refusal: known.refusal }),
    ...(known?.allowed === undefined ? {} : { allowed: known.allowed }),
    ...(known?.proof === undefined ? {} : { proof: known.proof }),
  }
}

function mayBeApplied(id: string): boolean {
  return readViews()[id]?.may !== 'no'
}
