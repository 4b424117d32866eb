// SPDX-License-Identifier: GPL-3.0-or-later
// Boots a kernel with some files and a shell script, for work on what runs in the kernel:
//
//   node scripts/run.mjs scripts/guest.ts [-k KERNEL] [--cpus N] [--modules a,b] [--console FILE] SCRIPT FILE…
//
// What the script prints comes on standard output as it is printed, and behind it the kernel's log of that time. The
// files lie in /work, where the script starts; the kernel's own modules with their dependencies are found by modprobe.
// A guest that breaks off shows the end of its console.
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { type Job, silentJournal } from '../src/ground/job.ts'
import { selectKernel } from '../src/kernel/select.ts'
import { gatherModules, moduleEntries } from '../src/vm/guest/modules.ts'
import { runScript } from './script-guest.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kernel: { type: 'string', short: 'k' },
    cpus: { type: 'string', default: '2' },
    memory: { type: 'string', default: '512' },
    timeout: { type: 'string', default: '300' },
    modules: { type: 'string', default: '' },
    console: { type: 'string' },
    parameters: { type: 'string', default: '' },
    icount: { type: 'boolean', default: false },
  },
})
const [script, ...files] = positionals
if (script === undefined) throw new Error('name a script')
const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const kernel = await selectKernel(job, values.kernel)
const words = (text: string) => text.split(/[ ,]+/).filter((word) => word !== '')

const named = files.map(async (file) => [path.basename(file), await readFile(file)] as const)
const end = await runScript(job, kernel, {
  script: await readFile(script),
  files: new Map(await Promise.all(named)),
  entries: await moduleEntries(kernel, await gatherModules(kernel, words(values.modules))),
  cpus: Number(values.cpus),
  memory: Number(values.memory),
  parameters: words(values.parameters),
  counting: values.icount,
  timeout: Number(values.timeout),
  console: values.console,
  onLine: (line) => console.log(line),
})
if ('console' in end) console.log(`the guest broke off\n${end.console.join('\n')}`)
process.exitCode = 'code' in end ? end.code : 1
