// SPDX-License-Identifier: GPL-3.0-or-later
// Random faults in finished modules: live patches are built by both engines, one place of each copy is spoiled (a
// relocation, an addend, a byte of code or data, an entry of the livepatch tables, a symbol), and the audit has to
// refuse it:
// node scripts/run.mjs bench/mutants.ts --kernel 6.1 [--engine source] [--count 150] [--seed 1] [CHANGE…]
// What escapes is printed with its place. docs/audit.md says what of that means the same.
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { audit } from '../src/audit/audit.ts'
import { Fault } from '../src/ground/fault.ts'
import { type Job, silentJournal } from '../src/ground/job.ts'
import { selectKernel } from '../src/kernel/select.ts'
import { type Built, buildToAudit } from '../test/audit/built.ts'
import { type Spoiled, spoil } from '../test/audit/spoil.ts'
import { fixesFor } from '../test/engines/fixes.ts'

const { values, positionals } = parseArgs({
  options: {
    kernel: { type: 'string', short: 'k', default: '6.1' },
    engine: { type: 'string', default: 'binary' },
    count: { type: 'string', default: '150' },
    seed: { type: 'string', default: '1' },
  },
  allowPositionals: true,
})

/** Between them they have statics, tables, keys, alternatives, modules, callbacks, several files, and other code. */
const usual = ['readdir-hides', 'percpu-lock-told', 'schedstats-off', 'qdisc-handles', 'driver-and-kernel', 'shadow']

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const kernel = await selectKernel(job, values.kernel)
const engine = values.engine === 'source' ? 'source' : 'binary'
const wanted = positionals.length === 0 ? usual : positionals
const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-mutants-'))
/** A small generator of our own (mulberry32), so that a run can be repeated. */
let state = Number(values.seed)
function random(below: number): number {
  state = (state + 0x6d2b79f5) | 0
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) % below
}

try {
  const modules: { name: string; built: Built }[] = []
  for (const fix of fixesFor(kernel.series).filter(({ name }) => wanted.includes(name))) {
    const dir = mkdtempSync(path.join(work, 'fix-'))
    try {
      const built = await buildToAudit(job, kernel, engine, fix.patches(kernel), dir, [
        ...(fix.allow ?? []),
        'extract-differs',
      ])
      const findings = await audit(kernel, built)
      if (findings.length === 0) modules.push({ name: fix.name, built })
      else console.log(`${fix.name} is refused as it is: ${findings[0]?.message}`)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      console.log(`${fix.name} is not built: ${error.code} ${error.findings[0]?.message ?? error.message}`)
    }
  }
  let [refused, escaped] = [0, 0]
  const byKind = new Map<string, { refused: number; escaped: number }>()
  for (let nth = 0; nth < Number(values.count) && modules.length > 0; nth++) {
    const { name, built } = modules[nth % modules.length]!
    const spoiled = spoil(built, random)
    const count = byKind.get(spoiled.kind) ?? { refused: 0, escaped: 0 }
    byKind.set(spoiled.kind, count)
    if (await isRefused(built, spoiled)) {
      refused++
      count.refused++
    } else {
      escaped++
      count.escaped++
      console.log(`escaped  ${name}: ${spoiled.kind}, ${spoiled.what}`)
    }
  }
  for (const [kind, count] of byKind)
    console.log(`${kind.padEnd(12)} ${count.refused} refused, ${count.escaped} escaped`)
  console.log(`${kernel.release}, ${engine}: ${refused} refused, ${escaped} escaped, of ${modules.length} modules`)
} finally {
  rmSync(work, { recursive: true, force: true })
}

async function isRefused(built: Built, { bytes }: Spoiled): Promise<boolean> {
  try {
    return (await audit(kernel, { ...built, bytes })).some(({ severity }) => severity === 'error')
  } catch (error) {
    if (error instanceof Fault) return true
    throw error
  }
}
