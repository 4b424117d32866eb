// SPDX-License-Identifier: GPL-3.0-or-later
// Is `inarch diff` linear, and how fast is it? Real units of a kernel are joined to objects of several sizes, and small
// pairs of them are compared as a user would, within a minute. --full takes more of both, a large driver, and all of
// vmlinux as one object. With --peer the pairs are given to kpatch-build's program, too.
// Every run is a process of its own: npm run bench:diff [-- --full] [--kernel WHICH] [--peer FILE]
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { readObject } from '../src/elf/read.ts'
import { silentJournal } from '../src/ground/job.ts'
import { withScratch } from '../src/ground/scratch.ts'
import { selectKernel } from '../src/kernel/select.ts'
import { type ObjectPair, peerCommands, workOf } from './peer.ts'
import { changeLastReturn, compileReal, linkReal, vmlinuxSources } from './real-objects.ts'

const program = path.resolve('dist/inarch.js')
const rounds = 5
interface Run {
  /** Wall time of the whole process. */
  readonly ms: number
  /** ms that its threads worked, the collector's included: what it costs, however busy the machine is. */
  readonly work: number
  /** Bytes: the most that the process held. */
  readonly memory: number
}

// The process itself knows best what it held.
const telling = `data:text/javascript,${encodeURIComponent(
  "import { writeSync } from 'node:fs'; process.on('exit', () => { const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage(); writeSync(3, maxRSS + ' ' + (userCPUTime + systemCPUTime)) })",
)}`

/** Runs node to its end. @param exits the exit codes that are right */
function time(args: readonly string[], exits: readonly number[]): Promise<Run> {
  return new Promise((resolve, reject) => {
    const start = performance.now()
    const child = spawn(process.execPath, ['--import', telling, ...args], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    })
    let errors = ''
    let told = ''
    child.stderr?.on('data', (chunk) => {
      errors += chunk
    })
    child.stdio[3]?.on('data', (chunk: Buffer) => {
      told += chunk
    })
    child.on('error', reject)
    child.on('close', (code) => {
      const ms = performance.now() - start
      const [kilobytes = 0, microseconds = 0] = told.split(' ').map(Number)
      if (exits.includes(code ?? -1)) resolve({ ms, work: microseconds / 1000, memory: kilobytes * 1024 })
      else reject(new Error(`node ${args.join(' ')} ended with ${code}\n${errors}`))
    })
  })
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

function medianRun(runs: readonly Run[]): Run {
  return {
    ms: median(runs.map(({ ms }) => ms)),
    work: median(runs.map(({ work }) => work)),
    memory: median(runs.map(({ memory }) => memory)),
  }
}

const megabytes = (bytes: number) => bytes / 1024 ** 2
const sizeOf = (files: readonly string[]) => files.reduce((sum, file) => sum + statSync(file).size, 0)

function describe(file: string): string {
  const { sections, symbols } = readObject(readFileSync(file), file)
  return `${megabytes(statSync(file).size).toFixed(1)} MB, ${sections.length} sections, ${symbols.length} symbols`
}

const { values } = parseArgs({
  options: {
    kernel: { type: 'string' },
    full: { type: 'boolean', default: false },
    jobs: { type: 'string', default: String(os.availableParallelism()) },
    peer: { type: 'string' },
  },
})
if (values.peer !== undefined && !existsSync(values.peer)) throw new Error(`there is no ${values.peer}`)
/** Units in the smallest link; each link is twice as large as the one before it. */
const unitsAtOnce = values.full ? 25 : 14
const sizes = values.full ? [1, 2, 4, 8, 16] : [1, 2, 4]
const pairCount = values.full ? 300 : 55
const job = { signal: new AbortController().signal, journal: silentJournal() }
const kernel = await selectKernel(job, values.kernel)
const options = {
  jobs: Number(values.jobs),
  ...(process.stderr.isTTY
    ? { onProgress: (done: number, of: number) => void process.stderr.write(`compiling ${done} of ${of}\r`) }
    : {}),
}

const all = await vmlinuxSources(job, kernel)
/** True for a unit that can be changed. */
const isEditable = (source: string) => {
  const file = path.join(kernel.source, source)
  return existsSync(file) && changeLastReturn(readFileSync(file, 'latin1')) !== undefined
}
// From everywhere in the tree. Compiling takes most of the time, so a short run takes only units that give a pair, too.
const wanted = unitsAtOnce * sizes.at(-1)!
const eligible = values.full ? all : all.filter(isEditable)
const step = Math.max(1, Math.floor(eligible.length / wanted))
const sample = eligible.filter((_, index) => index % step === 0).slice(0, wanted)
const driver = values.full ? all.filter((source) => source.startsWith('fs/ext4/')) : []
const before = await compileReal(job, kernel, [...new Set([...sample, ...driver])], options)
const edited = (sources: readonly string[]) =>
  compileReal(
    job,
    kernel,
    sources.filter((source) => before.has(source)),
    { ...options, edit: changeLastReturn },
  )

/** Links units, and the same units with one of them changed. */
async function linkedPair(dir: string, name: string, objects: ReadonlyMap<string, string>): Promise<ObjectPair> {
  const pair = { before: path.join(dir, `${name}.before.o`), after: path.join(dir, `${name}.after.o`) }
  await linkReal(job, [...objects.values()], pair.before)
  for (const source of objects.keys()) {
    const [change] = (await compileReal(job, kernel, [source], { edit: changeLastReturn })).values()
    if (change === undefined) continue
    const changed = new Map(objects).set(source, change)
    await linkReal(job, [...changed.values()], pair.after)
    return pair
  }
  throw new Error('none of the units can be changed')
}

const diff = (pair: ObjectPair) => time([program, 'diff', pair.before, pair.after, '--json'], [0, 4])
const row = (...cells: readonly string[]) =>
  console.log(cells.map((cell, index) => (index === 0 ? cell.padEnd(30) : cell.padStart(16))).join(''))

await withScratch(async (dir) => {
  console.log(`${kernel.release}, ${os.availableParallelism()} processors, node ${process.version}\n`)

  const links: ObjectPair[] = []
  const compiled = [...before].filter(([source]) => sample.includes(source))
  for (const size of sizes)
    links.push(await linkedPair(dir, `link${size}`, new Map(compiled.slice(0, size * unitsAtOnce))))
  const one = values.full
    ? await linkedPair(dir, 'driver', new Map([...before].filter(([source]) => driver.includes(source))))
    : undefined
  const changes = await edited([...before.keys()].slice(0, pairCount + 100))
  const list = path.join(dir, 'pairs')
  const pairs = [...changes]
    .slice(0, pairCount)
    .map(([source, after]): ObjectPair => ({ before: before.get(source)!, after }))
  writeFileSync(list, pairs.map((pair) => `${pair.before}\t${pair.after}\n`).join(''))
  const peer = values.peer === undefined ? [] : await peerCommands(job, kernel, values.peer, pairs, dir)
  const ours = [process.execPath, program, 'diff', '--pairs', list, '--json']
  const works: { readonly ours: number; readonly peers: number }[] = []

  const samples = new Map<string, Run[]>()
  const take = async (name: string, run: Promise<Run>) => samples.set(name, [...(samples.get(name) ?? []), await run])
  for (let round = 0; round < rounds; round++) {
    await take('node', time(['-e', '0'], [0]))
    await take('version', time([program, '--version'], [0]))
    if (one !== undefined) await take('driver', diff(one))
    await take('pairs', time([program, 'diff', '--pairs', list, '--json'], [0, 4]))
    if (peer.length > 0)
      works.push({
        ours: workOf([ours], [0, 4]),
        peers: workOf(peer, [0, 1, 2, 3]),
      })
    for (const [index, pair] of links.entries()) await take(`link${index}`, diff(pair))
  }
  const of = (name: string) => medianRun(samples.get(name) ?? [])
  const start = of('version')

  console.log(`Relocatable links of ${unitsAtOnce} to ${wanted} units, of which one differs; median of ${rounds}`)
  row('one side', 'whole', 'work/MB of both', 'memory', 'times both')
  const perMegabyte: number[] = []
  for (const [index, pair] of links.entries()) {
    const { ms, work, memory } = of(`link${index}`)
    const both = sizeOf([pair.before, pair.after])
    // The start of the program does not grow with the object.
    perMegabyte.push((work - start.work) / megabytes(both))
    row(
      `${sizes[index]}x: ${describe(pair.before)}`.padEnd(52),
      `${ms.toFixed(0)} ms`,
      `${perMegabyte[index]!.toFixed(1)} ms`,
      `${megabytes(memory).toFixed(0)} MB`,
      ((memory - start.memory) / both).toFixed(1),
    )
  }
  const [least, most] = [Math.min(...perMegabyte), Math.max(...perMegabyte)]
  console.log(`the dearest MB costs ${(most / least).toFixed(2)} times the cheapest\n`)

  if (one !== undefined) {
    console.log(`A large object (fs/ext4, ${describe(one.before)}), as a whole process; median of ${rounds}`)
    const [node, large] = [of('node'), of('driver')]
    console.log(
      `${large.ms.toFixed(0)} ms, ${(large.ms / node.ms).toFixed(1)} times the ${node.ms.toFixed(0)} ms ` +
        `of node doing nothing; 150 ms are allowed\n`,
    )
  }

  const many = of('pairs')
  console.log(
    `${pairs.length} pairs of units in one call: ${many.ms.toFixed(0)} ms, ` +
      `${(many.ms / pairs.length).toFixed(1)} ms a pair; 10 ms are allowed`,
  )
  if (works.length > 0) {
    const [own, theirs] = [median(works.map((one) => one.ours)), median(works.map(({ peers }) => peers))]
    console.log(
      `processor time: ${own.toFixed(0)} ms, ${(own / theirs).toFixed(2)} times the ` +
        `${theirs.toFixed(0)} ms of ${peer.length} processes of ${path.basename(values.peer!)}; 0.5 times are allowed`,
    )
  }

  if (!values.full) return
  const whole = await compileReal(job, kernel, all, options)
  const pair = await linkedPair(dir, 'vmlinux', whole)
  console.log(`\nAll of vmlinux: ${whole.size} of ${all.length} units, ${describe(pair.before)}`)
  const runs: Run[] = []
  for (let round = 0; round < 3; round++) runs.push(await diff(pair))
  const { ms, work, memory } = medianRun(runs)
  const both = sizeOf([pair.before, pair.after])
  console.log(
    `${(ms / 1000).toFixed(1)} s, ${((work - start.work) / megabytes(both)).toFixed(1)} ms of work/MB, ` +
      `${(memory / both).toFixed(1)} times the ${megabytes(both).toFixed(0)} MB of both; 5 s and 6 times are allowed`,
  )
})
