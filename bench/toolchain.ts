// SPDX-License-Identifier: GPL-3.0-or-later
// A compiler that is run from the cache, beside the same one installed:
// npm run toolchain -- [--kernel trixie] [--units 100] [--stale]
// As root: makes a root of the kernel's suite with its compiler, compiles units of the kernel by both, and compares the
// objects byte by byte; then tells what starting the one costs against the other, and the room that it takes.
import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { makeRoot, requireRoot } from '../scripts/debian-root.ts'
import { openUnits, type Unit } from '../src/build/kbuild/units.ts'
import { openBuildTrees } from '../src/build/unpatched-units.ts'
import { cacheRoot } from '../src/ground/cache.ts'
import { command } from '../src/ground/command.ts'
import { Fault } from '../src/ground/fault.ts'
import { type Job, silentJournal } from '../src/ground/job.ts'
import { withScratch } from '../src/ground/scratch.ts'
import { distributionOfRelease } from '../src/kernel/distributions.ts'
import type { Kernel } from '../src/kernel/kernel.ts'
import { selectKernel } from '../src/kernel/select.ts'
import { packageOf, toolchainDir } from '../src/kernel/toolchain.ts'
import { compileUnit } from '../test/e2e/matched.ts'
import { unitOrder } from './source/sample.ts'

const { values } = parseArgs({
  options: {
    kernel: { type: 'string', default: 'trixie' },
    units: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    starts: { type: 'string', default: '200' },
    stale: { type: 'boolean', default: false },
  },
})

const stop = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(name, () => stop.abort(new Fault('usage', 'stopped', `Stopped by ${name}`)))
const job: Job = { signal: stop.signal, journal: silentJournal() }

/** What a compilation reads or writes has the same name inside of the root. */
async function placesOf(root: string, scratch: string): Promise<string[]> {
  const places = ['/dev', cacheRoot(), scratch]
  for (const place of places) await mkdir(`${root}${place}`, { recursive: true })
  return places
}

/** Writes a program that runs one of a root, in the directory of whoever starts it. */
async function writeEntry(file: string, root: string, places: readonly string[], program: string): Promise<void> {
  const binds = places.map((place) => `mount --rbind "${place}" "${root}${place}"`)
  const enter = [...binds, `exec chroot "${root}" env -C "$PWD" ${program} "$@"`].join(' && ')
  await writeFile(file, `#!/bin/sh\nexec unshare --mount -- sh -c '${enter}' sh "$@"\n`, { mode: 0o755 })
}

/** A kernel's compiler as its suite installs it. */
interface Installed {
  readonly kernel: Kernel
  /** A shell beside it. */
  readonly shell: string
}

async function install(kernel: Kernel, scratch: string): Promise<Installed> {
  const distribution = distributionOfRelease(kernel.release)
  if (distribution === undefined || kernel.toolchain === undefined)
    throw new Fault('usage', 'no-toolchain', `${kernel.release} is compiled by this machine's own compiler`)
  const root = path.join(scratch, 'root')
  const name = path.basename(kernel.compiler.program)
  await makeRoot(distribution, root, {
    signal: stop.signal,
    include: [packageOf(name), 'libc6-dev'],
    stale: values.stale,
  })
  const places = await placesOf(root, scratch)
  const [program, shell] = [path.join(scratch, name), path.join(scratch, 'shell')]
  await writeEntry(program, root, places, name)
  await writeEntry(shell, root, places, 'sh')
  return { kernel: { ...kernel, compiler: { ...kernel.compiler, program } }, shell }
}

/** Seconds that a compiler takes to start a number of times, with a file in which there is nothing. */
async function secondsToStart(shell: string, program: string, scratch: string): Promise<number> {
  const loop = 'for run in $(seq "$1"); do "$0" -c -x c /dev/null -o "$2" || exit 1; done'
  const start = performance.now()
  await command(shell, ['-c', loop, program, values.starts, path.join(scratch, 'empty.o')], {
    ...job,
    cwd: scratch,
  })
  return (performance.now() - start) / 1000
}

/** The objects of units, by the place that they are in. */
async function compileAll(kernel: Kernel, units: readonly Unit[], dir: string): Promise<(Buffer | undefined)[]> {
  await mkdir(path.join(dir, 'objects'), { recursive: true })
  const known = await openUnits(job, kernel)
  const trees = await openBuildTrees(job, kernel, known, path.join(dir, 'trees'))
  const objects: (Buffer | undefined)[] = []
  for (const unit of units) {
    const file = await compileUnit(job, trees, unit, path.join(dir, 'objects'))
    objects.push(file === undefined ? undefined : readFileSync(file))
  }
  return objects
}

async function megabytes(dir: string): Promise<number> {
  return Number.parseInt((await command('du', ['-sm', dir], job)).stdout, 10)
}

async function compare(kernel: Kernel, scratch: string): Promise<void> {
  const installed = await install(kernel, scratch)
  const { versionText } = kernel.compiler
  for (const { compiler } of [kernel, installed.kernel]) {
    const said = (await command(compiler.program, ['--version'], { ...job, cwd: scratch })).stdout.split('\n')[0]
    if (said !== versionText)
      throw new Fault('environment', 'compiler-mismatch', `${compiler.program} is ${said}, not ${versionText}`)
  }
  const units = unitOrder((await openUnits(job, kernel)).all(), values.seed).slice(0, Number(values.units))
  const unpacked = await compileAll(kernel, units, path.join(scratch, 'unpacked-objects'))
  const other = await compileAll(installed.kernel, units, path.join(scratch, 'installed-objects'))
  const compiled = units.filter((_, at) => unpacked[at] !== undefined)
  const unlike = units.filter((_, at) => !isSame(unpacked[at], other[at]))
  console.log(`${kernel.release}, ${versionText}`)
  console.log(`${units.length} units, of which ${compiled.length} compile: ${unlike.length} objects are unlike`)
  for (const { source } of unlike) console.log(`  ${source}`)
  const { program } = kernel.compiler
  for (let round = 0; round < 3; round++) {
    const cached = await secondsToStart('sh', program, scratch)
    const own = await secondsToStart(installed.shell, path.basename(program), scratch)
    const times = `${cached.toFixed(1)} s from the cache, ${own.toFixed(1)} s installed`
    console.log(`${values.starts} starts: ${times} (${(cached / own).toFixed(2)})`)
  }
  console.log(`room in the cache: ${await megabytes(toolchainDir(kernel.toolchain!))} MB`)
  process.exitCode = unlike.length === 0 && compiled.length > 0 ? 0 : 1
}

function isSame(one: Buffer | undefined, other: Buffer | undefined): boolean {
  return one === undefined || other === undefined ? one === other : one.equals(other)
}

try {
  requireRoot()
  const kernel = await selectKernel(job, values.kernel)
  await withScratch((scratch) => compare(kernel, scratch))
} catch (error) {
  if (!(error instanceof Fault)) throw error
  console.error([error.message, error.remedy, error.detail].filter((line) => line !== undefined).join('\n'))
  process.exitCode = 1
}
