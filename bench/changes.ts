// SPDX-License-Identifier: GPL-3.0-or-later
// Builds the changes in test/changes and proves them on any kernel, in one boot:
// npm run changes -- --kernel 6.1-amd64 [NAME…]. --engine source makes them from source.
// With --page it writes docs/changes.md instead.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { type Job, silentJournal } from '../src/ground/job.ts'
import { selectKernel } from '../src/kernel/select.ts'
import { engines } from '../src/module/manifest/request.ts'
import { changes, isFor } from '../test/changes/changes.ts'
import { changesPage } from '../test/changes/page.ts'
import { proveChanges } from '../test/changes/prove.ts'

const { values, positionals } = parseArgs({
  options: {
    kernel: { type: 'string', short: 'k' },
    keep: { type: 'string' },
    page: { type: 'boolean' },
    engine: { type: 'string', default: 'binary' },
  },
  allowPositionals: true,
})
if (values.page) {
  writeFileSync('docs/changes.md', changesPage())
  process.exit()
}
const engine = engines.find((one) => one === values.engine)
if (engine === undefined) throw new Error(`--engine is one of ${engines.join(', ')}`)
const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const start = performance.now()
const kernel = await selectKernel(job, values.kernel)
const chosen = changes
  .filter(isFor(kernel.series))
  .filter(({ name }) => positionals.length === 0 || positionals.includes(name))
const work = values.keep ?? mkdtempSync(path.join(os.tmpdir(), 'inarch-changes-'))
const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
try {
  const outcomes = await proveChanges(job, kernel, chosen, work, engine)
  for (const { change, made, proof, complaints, buildMs } of outcomes) {
    const functions = made?.manifest.objects.flatMap((object) => object.functions.map(({ name }) => name))
    const times = `built in ${seconds(buildMs)}${proof ? `, proven in ${seconds(proof.ms)}` : ''}`
    console.log(`${complaints.length === 0 ? 'ok    ' : 'FAILED'} ${change.name.padEnd(24)} ${times}`)
    console.log(`       ${change.exercises}; replaces ${functions?.join(', ') ?? 'nothing'}`)
    for (const complaint of complaints) console.log(`    ${complaint}`)
    if (complaints.length > 0) process.exitCode = 1
  }
  const good = outcomes.filter(({ complaints }) => complaints.length === 0).length
  const boots = Math.max(0, ...outcomes.map(({ proof }) => proof?.boots ?? 0))
  console.log(
    `${good} of ${outcomes.length} changes proven on ${kernel.release}; boots: ${boots}; all in all ` +
      `${seconds(performance.now() - start)}`,
  )
} finally {
  if (values.keep === undefined) rmSync(work, { recursive: true, force: true })
}
