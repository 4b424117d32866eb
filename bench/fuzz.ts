// SPDX-License-Identifier: GPL-3.0-or-later
// Feeds the engine hostile objects: npm run fuzz -- --cases 100000 --seed 1 [--kernel 6.1]
// Every case must end in an answer or one clear sentence, within 2 s, with less than 1 GB of memory.
// With --command the built command gets them as files: all with --pairs, --alone N each by itself.
// With --readers everything else that reads a format gets spoilt input: kernel images, tables, texts, JSON.
// To see one again, with the same compilers and --kernel: npm run fuzz -- --replay SEED:CASE [--output DIR]
import { mkdirSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { silentJournal } from '../src/ground/job.ts'
import { type Failure, memoryLimit, patience, run, workIfWorker } from './fuzz/campaign.ts'
import { compiledCorpus, kernelCorpus } from './fuzz/corpus.ts'
import { caseOf, examine } from './fuzz/examine.ts'
import { runProcesses } from './fuzz/processes.ts'
import { readIfWorker, runReaders } from './fuzz/readers-campaign.ts'

/** The same fault shows in many cases: they are told once, by where it was thrown. */
function grouped(failures: readonly Failure[]): Map<string, Failure[]> {
  const groups = new Map<string, Failure[]>()
  for (const failure of failures) {
    const [message = '', place = ''] = failure.what.split('\n')
    const key = `${message.replace(/\d+/g, 'N')}\n${place}`
    groups.set(key, [...(groups.get(key) ?? []), failure])
  }
  return groups
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: '10000' },
      seed: { type: 'string', default: '1' },
      workers: { type: 'string', default: String(os.availableParallelism()) },
      kernel: { type: 'string', multiple: true, default: [] },
      replay: { type: 'string' },
      output: { type: 'string', default: '.' },
      command: { type: 'boolean', default: false },
      alone: { type: 'string', default: '100' },
      json: { type: 'boolean', default: false },
      readers: { type: 'boolean', default: false },
    },
  })
  if (values.readers) {
    const report = await runReaders(Number(values.seed), Number(values.cases), new URL(import.meta.url))
    if (values.json) console.log(JSON.stringify(report))
    else {
      console.table(report.endings)
      for (const failure of report.failures) console.log(`\n${failure}`)
    }
    return report.failures.length > 0 ? 1 : 0
  }
  const job = { signal: new AbortController().signal, journal: silentJournal() }
  const corpus = await compiledCorpus()
  for (const kernel of values.kernel) corpus.push(...(await kernelCorpus(job, kernel)))

  if (values.replay !== undefined) {
    const [seed, number] = values.replay.split(':').map(Number)
    if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(number)) throw new Error('--replay takes SEED:CASE')
    const one = caseOf(corpus, seed!, number!)
    mkdirSync(values.output, { recursive: true })
    console.log(one.name)
    for (const side of ['before', 'after'] as const) {
      const file = path.join(values.output, `${side}.o`)
      writeFileSync(file, one[side].bytes)
      console.log(`${file}: ${one[side].bytes.length} bytes`)
      for (const deed of one[side].deeds) console.log(`  ${deed}`)
    }
    const start = performance.now()
    try {
      console.log(examine(one))
    } finally {
      console.log(`${(performance.now() - start).toFixed(0)} ms`)
    }
    return 0
  }

  const seed = Number(values.seed)
  if (values.command) {
    const program = path.resolve('dist/inarch.js')
    const told = await runProcesses(
      corpus,
      seed,
      Number(values.cases),
      Number(values.alone),
      program,
      Number(values.workers),
    )
    console.log(values.json ? JSON.stringify(told) : told)
    return told.failures.length > 0 ? 1 : 0
  }
  const report = await run({
    corpus,
    seed,
    cases: Number(values.cases),
    workers: Number(values.workers),
    program: new URL(import.meta.url),
    ...(process.stderr.isTTY && !values.json
      ? { onProgress: (done: number) => void process.stderr.write(`${done} cases\r`) }
      : {}),
  })
  const tooMuch = report.memory > memoryLimit
  const failed = report.failures.length > 0 || tooMuch
  if (values.json) {
    console.log(JSON.stringify({ seed, objects: 2 * corpus.length, ...report }))
    return failed ? 1 : 0
  }
  const rate = (1000 * report.cases) / report.ms
  console.log(
    `${report.cases} cases of seed ${seed} from ${corpus.length} pairs: ${report.endings.compared} compared, ` +
      `${report.endings.refused} refused with a sentence, ${report.failures.length} failed`,
  )
  console.log(
    `${(report.ms / 1000).toFixed(1)} s (${rate.toFixed(0)} a second), at most ` +
      `${(report.memory / 1024 ** 2).toFixed(0)} MB`,
  )
  const slowest = report.slowest.map(({ number, ms }) => `${ms.toFixed(0)} ms (${seed}:${number})`)
  console.log(`slowest: ${slowest.join(', ')}; ${patience} ms are allowed`)
  for (const list of grouped(report.failures).values()) {
    const examples = list.slice(0, 4).map(({ number }) => `${seed}:${number}`)
    console.log(`\n${list.length} times, such as ${examples.join(' ')}\n${list[0]!.what}`)
  }
  return failed ? 1 : 0
}

if (!workIfWorker() && !(await readIfWorker())) process.exitCode = await main()
