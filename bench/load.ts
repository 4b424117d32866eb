// SPDX-License-Identifier: GPL-3.0-or-later
// What loading a live patch costs by the number of its references to what vmlinux does not export, bound by distance
// and by name. Instructions are counted, not time: a guest with one processor runs one in each nanosecond of its clock.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type Job, silentJournal } from '../src/ground/job.ts'
import { withScratch } from '../src/ground/scratch.ts'
import type { Kernel } from '../src/kernel/kernel.ts'
import { selectKernel } from '../src/kernel/select.ts'
import { kernelNames } from '../src/match/names.ts'
import { anchor, type BindMode, bindModes, distanceFromAnchor } from '../src/module/bind/distance.ts'
import { makeLivePatch } from '../src/module/make.ts'
import { readPatches } from '../src/patch/read.ts'
import { runInGuest } from '../test/e2e/guest.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const counts = [1, 100, 1000]
const unit = 'fs/proc/meminfo.c'

/**
 * Variables of vmlinux with a name that nothing else has, which are global and not exported, evenly from all of the
 * image.
 */
async function variablesOf(kernel: Kernel, count: number): Promise<string[]> {
  const names = await kernelNames(kernel, [])
  try {
    const distanceTo = distanceFromAnchor(names)
    const text = await readFile(kernel.systemMap, 'latin1')
    const all = [...text.matchAll(/^[0-9a-f]{16} [BD] ([a-z][a-z0-9_]+)$/gm)].flatMap(([, name = '']) => {
      if (name === anchor || names.exported(name) !== undefined || names.symbols('vmlinux', name).length !== 1)
        return []
      return distanceTo({ kind: 'livepatch', object: 'vmlinux', when: 'vmlinux', name, sympos: 0 }) === undefined
        ? []
        : [name]
    })
    if (all.length < count) throw new Error(`${kernel.release} has ${all.length} variables for ${count}`)
    return Array.from({ length: count }, (_, index) => all[Math.floor((index * all.length) / count)]!)
  } finally {
    names.close()
  }
}

/** A fix that lets meminfo_proc_show look at so many private variables, each by a pointer in a table. */
async function patchOf(kernel: Kernel, count: number): Promise<string> {
  const before = (await readFile(path.join(kernel.source, unit), 'latin1')).split('\n')
  const variables = await variablesOf(kernel, count)
  const start = before.findIndex((line) => line.startsWith('static int meminfo_proc_show'))
  const end = before.findIndex((line, index) => index > start && line === '\treturn 0;')
  const table = [
    ...variables.map((name) => `extern char private_${name}[] __asm__("${name}");`),
    'static void *const inarch_private[] = {',
    ...variables.map((name) => `\tprivate_${name},`),
    '};',
    '',
  ]
  const use = [`\tOPTIMIZER_HIDE_VAR(m);`, `\tif (!m) return (long)inarch_private[jiffies % ${count}];`]
  const plus = (lines: readonly string[]) => lines.map((line) => `+${line}`)
  return [
    `--- a/${unit}`,
    `+++ b/${unit}`,
    `@@ -${start + 1},1 +${start + 1},${table.length + 1} @@`,
    ...plus(table),
    ` ${before[start]}`,
    `@@ -${end + 1},1 +${end + 1 + table.length},${use.length + 1} @@`,
    ...plus(use),
    ` ${before[end]}`,
    '',
  ].join('\n')
}

interface Loaded {
  readonly name: string
  readonly bytes: Buffer
}

async function build(kernel: Kernel, dir: string, count: number, bind: BindMode): Promise<Loaded> {
  const name = `${bind}-${count}`
  await mkdir(dir, { recursive: true })
  const file = path.join(dir, `${name}.patch`)
  await writeFile(file, await patchOf(kernel, count), 'latin1')
  const patches = await readPatches([file])
  const made = await makeLivePatch(job, kernel, { patches, bind, replace: true, output: dir })
  return { name, bytes: await readFile(made.module) }
}

/** Millions of instructions of each insmod, by its mark. */
async function count(kernel: Kernel, loaded: readonly Loaded[], parameters: readonly string[]) {
  const at = (name: string) => `livepatch_${name.replaceAll('-', '_')}`
  const load = (name: string, mark: string) =>
    `echo "begin ${mark}" >/dev/kmsg; insmod /${name}.ko || echo failed; echo "end ${mark}" >/dev/kmsg\n` +
    `while [ "$(cat /sys/kernel/livepatch/${at(name)}/transition)" != 0 ]; do usleep 50000; done\n`
  const revert = (name: string) =>
    `echo 0 >/sys/kernel/livepatch/${at(name)}/enabled\nwhile ! rmmod ${at(name)} 2>/dev/null; do usleep 100000; done\n`
  const over = loaded.find(({ name }) => name === 'distance-100')!.name
  const script = [
    // The first one pays for what the kernel sets up once.
    load('klp-1', 'warm') + revert('klp-1'),
    ...loaded.map(({ name }) => load(name, name) + revert(name)),
    load('klp-1', 'below') + load(over, `${over} over another`),
  ].join('')
  const lines = await runInGuest(
    kernel.image,
    Object.fromEntries(loaded.map(({ name, bytes }) => [`${name}.ko`, bytes])),
    script,
    { counting: true, parameters, timeout: 900_000 },
  )
  if (lines.includes('failed')) throw new Error(lines.join('\n'))
  const marks = lines.flatMap((line) => {
    const [, time, edge, mark] = /^log: \[ *([\d.]+)\] (begin|end) (.+)$/.exec(line) ?? []
    return mark === undefined ? [] : [{ time: Number(time), edge, mark }]
  })
  return new Map(
    marks.flatMap(({ time, edge, mark }) => {
      const end = marks.find((one) => one.mark === mark && one.edge === 'end')
      return edge === 'begin' && end !== undefined ? [[mark, (end.time - time) * 1000] as const] : []
    }),
  )
}

const wanted = process.argv.slice(2)
await withScratch(async (dir) => {
  for (const series of wanted.length > 0 ? wanted : ['6.1', '6.12']) {
    const kernel = await selectKernel(job, series)
    const loaded: Loaded[] = []
    for (const bind of bindModes)
      for (const references of counts) loaded.push(await build(kernel, path.join(dir, series), references, bind))
    for (const [where, parameters] of [
      ['KASLR', []],
      ['nokaslr', ['nokaslr']],
    ] as const) {
      const costs = await count(kernel, loaded, parameters)
      for (const [mark, cost] of costs)
        process.stdout.write(`${kernel.release}\t${where}\t${mark}\t${cost.toFixed(1)} million instructions\n`)
    }
  }
})
