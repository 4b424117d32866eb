// SPDX-License-Identifier: GPL-3.0-or-later
// What loading a live patch costs by the number of functions that it replaces, bound by distance and by name: identical
// copies of the functions of one file. Instructions are counted, as in load.ts.
// npm run bench:replaced -- [SERIES…]
import { type Job, silentJournal } from '../src/ground/job.ts'
import type { Kernel } from '../src/kernel/kernel.ts'
import { selectKernel } from '../src/kernel/select.ts'
import { bindModes } from '../src/module/bind/distance.ts'
import { runInGuest } from '../test/e2e/guest.ts'
import { identityOf } from '../test/e2e/identity.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const source = 'fs/namei.c'
const most = 180

/** The live patches by what they are called here: how they are bound, and how many functions they replace. */
async function build(kernel: Kernel): Promise<Record<string, Buffer>> {
  const whole = await identityOf(job, kernel, source)
  const names = whole.manifest.objects.flatMap(({ functions }) => functions.map(({ name }) => name))
  const built: Record<string, Buffer> = {}
  for (const bind of bindModes)
    for (const count of [1, 20, Math.min(most, names.length)]) {
      const wanted = new Set(names.slice(0, count))
      const { module, findings } = await identityOf(job, kernel, source, (name) => wanted.has(name), bind)
      if (module === undefined) throw new Error(findings.map(({ message }) => message).join('\n'))
      built[`${bind} ${count}`] = module
    }
  return built
}

const wanted = process.argv.slice(2)
for (const series of wanted.length > 0 ? wanted : ['6.1', '6.12']) {
  const kernel = await selectKernel(job, series)
  const built = Object.entries(await build(kernel))
  const files = Object.fromEntries(built.map(([, bytes], index) => [`${index}.ko`, bytes]))
  const script = `load() {
  echo "begin $2" >/dev/kmsg; insmod /$1.ko || echo "failed $2"; echo "end $2" >/dev/kmsg
  at=$(ls -d /sys/kernel/livepatch/*)
  while [ "$(cat $at/transition)" != 0 ]; do usleep 50000; done
  echo 0 >$at/enabled; while ! rmmod \${at##*/} 2>/dev/null; do usleep 100000; done
}
load 0 'the first'
${built.map(([name], index) => `load ${index} '${name}'`).join('\n')}
`
  const lines = await runInGuest(kernel.image, files, script, { counting: true, timeout: 1_800_000 })
  if (lines.some((line) => line.startsWith('failed '))) throw new Error(lines.join('\n'))
  const time = (mark: string) =>
    Number(lines.flatMap((line) => new RegExp(`^log: \\[ *([\\d.]+)\\] ${mark}$`).exec(line)?.[1] ?? [])[0])
  for (const [name] of built) {
    const million = (time(`end ${name}`) - time(`begin ${name}`)) * 1000
    process.stdout.write(`${kernel.release}\t${name} functions\t${million.toFixed(1)} million instructions\n`)
  }
}
