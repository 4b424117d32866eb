// SPDX-License-Identifier: GPL-3.0-or-later
// What does `inarch build` cost beyond the compiler? Compares its wall time, for a patch not seen before, with
// bare runs of the same compiler on the same two files and of kbuild on a smallest live patch module, all in
// this run: npm run bench [-- KERNEL]
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { withFewestDebugFlags } from '../src/build/compiler/debug-flags.ts'
import { makeShadow } from '../src/build/kbuild/shadow-tree.ts'
import { openUnits } from '../src/build/kbuild/units.ts'
import { cacheRoot } from '../src/ground/cache.ts'
import { silentJournal } from '../src/ground/job.ts'
import { withScratch } from '../src/ground/scratch.ts'
import { selectKernel } from '../src/kernel/select.ts'
import { applyPatches } from '../src/patch/apply.ts'
import { parsePatch } from '../src/patch/parse.ts'

const rounds = 5
const patchFile = 'examples/meminfo.patch'
const patchText = readFileSync(patchFile, 'utf8')
const limit = 2.5

/** Runs a program to its end. @returns ms */
function time(program: string, args: readonly string[], cwd: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const start = performance.now()
    const child = spawn(program, args, { cwd, stdio: ['ignore', 'ignore', 'pipe'] })
    let errors = ''
    child.stderr.on('data', (chunk) => {
      errors += chunk
    })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(performance.now() - start)
      else reject(new Error(`${program} failed with exit code ${code}\n${errors}`))
    })
  })
}

async function timeAll(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Median and range of each measured thing, filled round by round so that the machine's moods hit all alike. */
const samples = new Map<string, number[]>()
function sample(name: string, ms: number): void {
  samples.set(name, [...(samples.get(name) ?? []), ms])
}
function of(name: string): number {
  return median(samples.get(name) ?? [])
}
function show(name: string): void {
  const values = samples.get(name) ?? []
  const range = `${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)}`
  console.log(`  ${name.padEnd(62)} ${of(name).toFixed(0).padStart(6)} ms  (${range})`)
}

const smallestLivePatch = `
#include <linux/module.h>
#include <linux/livepatch.h>
#include <linux/seq_file.h>
static int replacement(struct seq_file *m, void *v) { seq_puts(m, "bench\\n"); return 0; }
static struct klp_func functions[] = { { .old_name = "meminfo_proc_show", .new_func = replacement }, { } };
static struct klp_object objects[] = { { .funcs = functions }, { } };
static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objects };
static int __init start(void) { return klp_enable_patch(&patch); }
static void __exit end(void) { }
module_init(start);
module_exit(end);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
`

const job = { signal: new AbortController().signal, journal: silentJournal() }
const kernel = await selectKernel(job, process.argv[2])
const applied = await applyPatches(kernel.source, [parsePatch(Buffer.from(patchText), patchFile)])
const change = applied.changes[0]!
const unit = (await openUnits(job, kernel)).find(change.path)[0]!
const asKbuild = unit.flags ?? []
const asInarch = [...withFewestDebugFlags(kernel.compiler, asKbuild), '-ffunction-sections', '-fdata-sections']

await withScratch(async (dir) => {
  const shadow = path.join(dir, 'shadow')
  makeShadow(kernel.source, shadow, [{ path: change.path, text: change.after }])
  const compile = (flags: readonly string[], side: 'before' | 'after') =>
    time(
      kernel.compiler.program,
      [...flags, '-c', '-o', path.join(dir, `${side}.o`), unit.argument],
      side === 'before' ? kernel.source : shadow,
    )
  const module = path.join(dir, 'module')
  const linkModule = async () => {
    rmSync(module, { recursive: true, force: true })
    mkdirSync(module)
    writeFileSync(path.join(module, 'Makefile'), 'obj-m := bench.o\n')
    writeFileSync(path.join(module, 'bench.c'), smallestLivePatch)
    const args = ['-o', 'prepare', `KERNELRELEASE=${kernel.release}`, `CC=${kernel.compiler.program}`]
    return time('make', [...args, `M=${module}`, 'modules'], kernel.source)
  }
  const objects = path.join(cacheRoot(), 'objects')
  /** `inarch build` of a patch that no cache has seen. */
  const build = async (keepObjects: boolean) => {
    const aside = path.join(dir, 'objects')
    if (!keepObjects && existsSync(objects)) renameSync(objects, aside)
    const output = path.join(dir, 'out')
    rmSync(output, { recursive: true, force: true })
    mkdirSync(output)
    const fresh = path.join(dir, 'bench.patch')
    writeFileSync(fresh, patchText.replaceAll('live patched', `live patched ${randomBytes(4).toString('hex')}`))
    const inarch = path.resolve('dist/inarch.js')
    const ms = await time(
      process.execPath,
      [inarch, 'build', fresh, '--kernel', kernel.release, '-o', output, '-q'],
      dir,
    )
    if (existsSync(aside)) {
      rmSync(objects, { recursive: true, force: true })
      renameSync(aside, objects)
    }
    return {
      ms,
      timings: JSON.parse(readFileSync(path.join(output, 'livepatch-bench.json'), 'utf8')).timings,
    }
  }
  const parts: { step: string; ms: number }[][] = []

  await build(true)
  await compile(asKbuild, 'after')
  for (let round = 0; round < rounds; round++) {
    if (process.stderr.isTTY) process.stderr.write(`round ${round + 1} of ${rounds}\r`)
    for (const [flags, name] of [
      [asKbuild, "kbuild's arguments"],
      [asInarch, "Inarch's arguments"],
    ] as const) {
      sample(
        `two compiler runs, ${name}, one after the other`,
        await timeAll(async () => {
          await compile(flags, 'before')
          await compile(flags, 'after')
        }),
      )
      sample(
        `two compiler runs, ${name}, side by side`,
        await timeAll(() => Promise.all([compile(flags, 'before'), compile(flags, 'after')])),
      )
    }
    sample('a smallest live patch module, compiled and linked by kbuild', await linkModule())
    sample('inarch --version', await time(process.execPath, ['dist/inarch.js', '--version'], '.'))
    sample('node, doing nothing', await time(process.execPath, ['-e', '0'], '.'))
    const warm = await build(true)
    sample('inarch build, the object before the patch kept', warm.ms)
    parts.push(warm.timings)
    sample('inarch build, no object kept', (await build(false)).ms)
  }

  console.log(
    `${kernel.release}, ${change.path}, ${os.availableParallelism()} processors, median of ${rounds} rounds\n`,
  )
  for (const name of samples.keys()) show(name)

  console.log('\nParts of inarch build, the object before the patch kept:')
  for (const { step } of parts[0]!)
    console.log(
      `  ${step.padEnd(62)} ${median(parts.map((round) => round.find((part) => part.step === step)?.ms ?? 0))
        .toFixed(0)
        .padStart(6)} ms`,
    )

  const kbuild = of('a smallest live patch module, compiled and linked by kbuild')
  console.log(`\nRatio of inarch build to two compiler runs and the module (at most ${limit}):`)
  for (const name of samples.keys()) {
    if (!name.startsWith('two compiler runs')) continue
    const bare = of(name) + kbuild
    const kept = of('inarch build, the object before the patch kept') / bare
    const none = of('inarch build, no object kept') / bare
    console.log(
      `  against ${name.slice('two compiler runs, '.length).padEnd(42)} ${kept.toFixed(2)} object kept, ` +
        `${none.toFixed(2)} not kept`,
    )
  }
})
