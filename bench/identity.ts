// SPDX-License-Identifier: GPL-3.0-or-later
// Replaces every function of real units by its identical copy, and checks where each relocation of the
// module leads. Whatever the extraction gets wrong about real code shows here:
//   npm run identity -- --kernel 6.1 [--output DIR] UNIT…
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { silentJournal } from '../src/ground/job.ts'
import { selectKernel } from '../src/kernel/select.ts'
import { identityOf } from '../test/e2e/identity.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { kernel: { type: 'string' }, output: { type: 'string' }, verbose: { type: 'boolean' } },
})
const job = { signal: new AbortController().signal, journal: silentJournal() }
const kernel = await selectKernel(job, values.kernel)
const columns = ['unit', 'object', 'functions', 'references', 'relocations', 'compare', 'extract', 'bind', 'link']
const widths = [38, 12, 11, 11, 12, 9, 9, 9, 9]
const row = (cells: readonly string[]) =>
  console.log(cells.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(' '))
console.log(`${kernel.release} ${kernel.version}`)
row(columns)
let wrong = 0
for (const source of positionals) {
  const result = await identityOf(job, kernel, source).catch((error: Error) => error)
  if (result instanceof Error) {
    console.log(`${source}\n  ${result.message}${'detail' in result ? `\n  ${result.detail}` : ''}`)
    wrong++
    continue
  }
  const ms = (key: string) => `${(result.ms[key] ?? 0).toFixed(0)} ms`
  row([
    source,
    result.object,
    `${result.replaced}/${result.functions}`,
    String(result.references),
    String(result.relocations),
    ms('compare'),
    ms('extract'),
    ms('bind'),
    ms('link'),
  ])
  for (const { severity, rule, message } of result.findings)
    if (severity === 'error' || values.verbose) console.log(`  ${severity} ${rule}: ${message}`)
  for (const line of result.wrong.slice(0, 10)) console.log(`  WRONG ${line}`)
  wrong += result.wrong.length + result.findings.filter(({ severity }) => severity === 'error').length
  if (values.output !== undefined && result.module !== undefined) {
    mkdirSync(values.output, { recursive: true })
    const base = path.join(values.output, `livepatch-${result.manifest.name}`)
    writeFileSync(`${base}.ko`, result.module)
    writeFileSync(`${base}.json`, JSON.stringify(result.manifest))
  }
}
console.log(wrong === 0 ? 'Everything leads where it led.' : `${wrong} things are wrong.`)
process.exitCode = wrong === 0 ? 0 : 1
