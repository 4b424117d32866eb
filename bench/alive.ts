// SPDX-License-Identifier: GPL-3.0-or-later
// What of each changed function reaches beyond its call, read from the texts alone:
// npm run alive -- [--fixes] [--short] [PATCH…]    each patch's functions and warnings; --fixes: those of the kernel's
// series
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { beyondLines } from '../src/check/semantics/plain/description.ts'
import { beyondOf } from '../src/check/semantics/plain/judgement.ts'
import { changedFunctionsOf } from '../src/check/subject/changed-functions.ts'
import { FixFacts } from '../src/check/subject/fix-facts.ts'
import { type Job, silentJournal } from '../src/ground/job.ts'
import { selectKernel } from '../src/kernel/select.ts'
import { applyPatches } from '../src/patch/apply.ts'
import { parsePatch } from '../src/patch/parse.ts'
import { textFindings } from '../test/alive/text-findings.ts'
import { reversed } from '../test/fixes/reversed.ts'
import { patchOf, readChoices } from './fixes/choice.ts'

const { values, positionals } = parseArgs({
  options: {
    fixes: { type: 'boolean' },
    short: { type: 'boolean' },
    kernel: { type: 'string', default: '6.1' },
  },
  allowPositionals: true,
})
const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const kernel = await selectKernel(job, values.kernel)
const files = values.fixes
  ? readChoices()
      .filter(({ series }) => series === kernel.series)
      .flatMap(({ set, fixes }) => fixes.map(({ id }) => ({ set, id })))
      .filter(({ id }) => positionals.length === 0 || positionals.includes(id))
      .map(({ set, id }) => patchOf(set, id))
  : positionals
let [plain, fixes, functionsPlain, functionsAll] = [0, 0, 0, 0]
const start = process.cpuUsage()
for (const file of files) {
  const text = readFileSync(file, 'latin1')
  const patch = parsePatch(Buffer.from(values.fixes ? reversed(text) : text, 'latin1'), file)
  const { changes: applied } = await applyPatches(kernel.source, [patch])
  // The kernel has the fixes: what it was before them is what their undoing makes.
  const changes = (
    values.fixes ? applied.map((one) => ({ ...one, before: one.after, after: one.before })) : applied
  ) as typeof applied
  const functions = changedFunctionsOf({ changes, kernel, units: [], facts: new FixFacts() })
  const lines: string[] = []
  let allPlain = true
  for (const one of functions.all) {
    const beyond = beyondOf(functions, one)
    if (beyond === undefined) continue
    functionsAll++
    if (beyond.verdict === 'plain') functionsPlain++
    else allPlain = false
    for (const line of beyondLines(beyond, true)) lines.push(`    ${one.name}: ${line}`)
  }
  const findings = textFindings(functions, changes)
  fixes++
  if (allPlain) plain++
  console.log(`${allPlain ? 'plain' : 'LIVES'} ${path.basename(file, '.patch')}`)
  if (!values.short) for (const line of lines) console.log(line)
  for (const { rule, severity = 'warning', message } of findings)
    if (severity !== 'note' || !values.short) console.log(`  ! ${severity} ${rule}: ${message}`)
}
const { user } = process.cpuUsage(start)
console.log(
  `${plain} of ${fixes} are plain; ${functionsPlain} of ${functionsAll} functions; ${Math.round(user / 1000)} ms`,
)
