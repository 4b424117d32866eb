// SPDX-License-Identifier: GPL-3.0-or-later
// The consistency models side by side, on one kernel and with one patch (docs/consistency.md):
//
//   npm run models -- [--kernel KERNEL] [--seconds N] [--cpus N] [cost] [pairs]
//
// `cost`: instructions that a call of a replaced function costs, counted by the guest's clock. `pairs`: mixed pairs of
// functions that belong together, of which those that a model forbids end the run with exit code 1.
import { parseArgs } from 'node:util'
import { type Job, silentJournal } from '../src/ground/job.ts'
import { models } from '../src/kernel/model.ts'
import { selectKernel } from '../src/kernel/select.ts'
import { measureCost } from './models/cost.ts'
import { forbids, none, tryPairs } from './models/pairs.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kernel: { type: 'string', short: 'k' },
    seconds: { type: 'string', default: '20' },
    cpus: { type: 'string', default: '2' },
  },
})
const wanted = new Set(positionals.length === 0 ? ['cost', 'pairs'] : positionals)
const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const kernel = await selectKernel(job, values.kernel)
console.log(`${kernel.release} (${kernel.version})`)

if (wanted.has('cost')) {
  const { costs } = await measureCost(job, kernel)
  console.log('\nInstructions of one call beyond the unpatched one\n')
  console.log('| model | while tasks go over | at rest |\n| --- | --- | --- |')
  for (const { model, during, after } of costs) console.log(`| ${model} | ${during ?? ''} | ${after} |`)
}

if (wanted.has('pairs')) {
  const size = { seconds: Number(values.seconds), cpus: Number(values.cpus) }
  console.log('\nPairs made while a live patch goes over and back: mixed ones of all\n')
  console.log(
    '| model | over and back | bare: mixed of | held: mixed of | complaints |\n| --- | --- | --- | --- | --- |',
  )
  for (const model of [...models, none] as const) {
    const { cycles, refused, pairs, complaints } = await tryPairs(job, kernel, model, size)
    const of = (kind: string) => {
      const some = pairs.filter((one) => one.kind === kind)
      const mixed = some.reduce((sum, one) => sum + one.mixed, 0)
      return `${mixed} of ${some.reduce((sum, one) => sum + one.old + one.new + one.mixed, 0)}`
    }
    const times = refused === 0 ? `${cycles}` : `${cycles}, ${refused} refused`
    console.log(`| ${model} | ${times} | ${of('bare')} | ${of('held')} | ${complaints.length} |`)
    for (const line of complaints) console.log(line)
    const broken = pairs.filter((one) => one.mixed > 0 && forbids(model, one))
    for (const { place, kind, mixed } of broken)
      console.log(`${mixed} mixed pairs (${kind}) in ${place}, which ${model} forbids`)
    const saw = pairs.some(({ mixed }) => mixed > 0)
    if (broken.length > 0 || complaints.length > 0 || (model === none && !saw)) process.exitCode = 1
    if (model === none && !saw) console.log('without a model no mixed pair was seen, so this run says nothing')
  }
}
