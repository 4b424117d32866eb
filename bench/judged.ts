// SPDX-License-Identifier: GPL-3.0-or-later
// Small changes of the kernel, judged by somebody who had not seen the tool (test/judged): which of them does `check`
// ask about?
// npm run judged -- [NAME…]    checks them on the newest 6.1: which answers are right, which differ from the table's
// npm run judged -- --write    also writes the answers into the table
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import pLimit from 'p-limit'
import { Fault } from '../src/ground/fault.ts'
import { type Job, silentJournal } from '../src/ground/job.ts'
import { selectKernel } from '../src/kernel/select.ts'
import { judgeFix } from '../src/module/judgement.ts'
import { readPatches } from '../src/patch/read.ts'

const { values, positionals } = parseArgs({
  options: { write: { type: 'boolean' }, jobs: { type: 'string', default: '2' } },
  allowPositionals: true,
})
const dir = 'test/judged'
const table = path.join(dir, 'verdicts.tsv')
const [head = '', ...lines] = readFileSync(table, 'utf8').trimEnd().split('\n')
const rows = lines.map((line) => {
  const [name = '', right = '', now = '', why = ''] = line.split('\t')
  return { name, right, now, why }
})
const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const kernel = await selectKernel(job, '6.1')

/** `passes`, or the rules that ask or refuse; `stale` for a patch that this version of the kernel does not take. */
async function answer(name: string): Promise<string> {
  try {
    const patches = await readPatches([path.join(dir, `${name}.patch`)])
    const { verdict, findings } = await judgeFix(job, kernel, { patches, name, replace: true, output: '.' })
    const rules = findings.flatMap(({ severity, rule }) => (severity === 'note' ? [] : [rule]))
    return verdict === 'possible' || verdict === 'none' ? 'passes' : [...new Set(rules)].sort().join(' ')
  } catch (error) {
    if (error instanceof Fault && error.kind === 'patch') return 'stale'
    throw error
  }
}

const limit = pLimit(Number(values.jobs))
const chosen = rows.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
await Promise.all(
  chosen.map((row) =>
    limit(async () => {
      const before = row.now
      row.now = await answer(row.name)
      const isRight = row.right === 'pass' ? row.now === 'passes' : row.now !== 'passes'
      const change = before === row.now ? '' : ` (the table has: ${before})`
      console.log(`${isRight ? 'right' : 'WRONG'}  ${row.name}: ${row.now}${change}`)
    }),
  ),
)
const known = chosen.filter(({ now }) => now !== 'stale')
const [dangers, harmless] = ['ask', 'pass'].map((right) => known.filter((row) => row.right === right))
const asked = dangers!.filter(({ now }) => now !== 'passes')
const alarms = harmless!.filter(({ now }) => now !== 'passes')
console.log(
  `${asked.length} of ${dangers!.length} dangers are asked about; ${alarms.length} of ` +
    `${harmless!.length} harmless changes are, too`,
)
if (values.write)
  writeFileSync(
    table,
    `${[head, ...rows.map(({ name, right, now, why }) => [name, right, now, why].join('\t'))].join('\n')}\n`,
  )
