// SPDX-License-Identifier: GPL-3.0-or-later
// Do both engines find the same functions to replace? Units are picked at random, but the same ones for the same
// seed; an instruction is put into up to three functions of each, and what the source says is compared with
// what the objects say: npm run sets [-- --kernel WHICH --units 30 --seed 1]
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { compilePairs } from '../src/build/compile.ts'
import { openUnits, type Unit } from '../src/build/kbuild/units.ts'
import { rootsOf } from '../src/extract/roots.ts'
import { Fault } from '../src/ground/fault.ts'
import { type Job, silentJournal } from '../src/ground/job.ts'
import { withScratch } from '../src/ground/scratch.ts'
import type { Kernel } from '../src/kernel/kernel.ts'
import { selectKernel } from '../src/kernel/select.ts'
import { applyPatches } from '../src/patch/apply.ts'
import { parsePatch } from '../src/patch/parse.ts'
import type { Patch } from '../src/patch/patch.ts'
import type { SourceChange } from '../src/source/change/source-change.ts'
import { findSourceChanges } from '../src/source/change/unit-change.ts'
import { compareUnit } from '../src/source/change/unit-comparison.ts'
import { randomFrom, shuffled, unitOrder } from './source/sample.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }

/** A patch that puts an instruction into up to three functions of a unit; undefined when it has no three. */
function randomPatch(kernel: Kernel, { source }: Unit, random: () => number): Patch | undefined {
  const original = path.join(kernel.source, source)
  const lines = readFileSync(original, 'latin1').split('\n')
  const bodies = lines.flatMap((line, i) => (line === '{' && /\)\s*$/.test(lines[i - 1] ?? '') ? [i] : []))
  if (bodies.length < 3) return undefined
  const chosen = new Set(shuffled(bodies, random).slice(0, 3))
  const patched = lines.map((line, i) => (chosen.has(i) ? `${line}\n\tasm volatile("nopw ${i % 100}(%rax)");` : line))
  const labels = ['--label', `a/${source}`, '--label', `b/${source}`]
  const { stdout } = spawnSync('diff', ['-u', ...labels, original, '-'], {
    input: Buffer.from(patched.join('\n'), 'latin1'),
  })
  return parsePatch(stdout, source)
}

async function changeOf(kernel: Kernel, patch: Patch): Promise<SourceChange | undefined> {
  return await withScratch(async (dir) => {
    const { changes } = await applyPatches(kernel.source, [patch])
    const { pairs, bench } = await compilePairs(job, kernel, changes, dir)
    const units = await Promise.all(pairs.map((pair) => compareUnit(job, bench, bench!.known, pair)))
    const [found] = await findSourceChanges(job, bench, units)
    return found
  })
}

const unexplained = 'without an explanation'

/** How the sets differ, a line for each function; empty when they are the same. */
function differences({ compared, functions, embedded, findings }: SourceChange): string[] {
  const binary = new Map(rootsOf(compared).replaced.map(({ before, reasons }) => [before.name, reasons]))
  const source = new Map(functions.map(({ symbol, reasons }) => [symbol, reasons]))
  return [
    ...[...binary].flatMap(([symbol, reasons]) => {
      if (source.has(symbol)) return []
      const note = findings.find(({ rule, symbol: about }) => rule === 'same-source-other-code' && about === symbol)
      const why = embedded.has(symbol)
        ? 'a form of a function, whose callers the source engine replaces'
        : note?.message
      return [`only the objects: ${symbol}: ${why ?? `${unexplained}: ${reasons[0]}`}`]
    }),
    ...[...source].flatMap(([symbol, reasons]) => {
      if (binary.has(symbol)) return []
      const why = reasons.find((reason) => [...embedded.keys()].some((form) => reason.includes(form)))
      return [`only the source: ${symbol}: ${why ?? `${unexplained}: ${reasons[0]}`}`]
    }),
  ]
}

const { values } = parseArgs({
  options: {
    kernel: { type: 'string', short: 'k' },
    units: { type: 'string', default: '30' },
    seed: { type: 'string', default: '1' },
  },
})
const kernel = await selectKernel(job, values.kernel)
const random = randomFrom(`sets ${values.seed}`)
const units = unitOrder((await openUnits(job, kernel)).all(), values.seed).filter(
  ({ standard, source }) => standard && source.endsWith('.c'),
)
let looked = 0
let same = 0
let open = 0
for (const unit of units) {
  if (looked === Number(values.units)) break
  const patch = randomPatch(kernel, unit, random)
  if (patch === undefined) continue
  try {
    const change = await changeOf(kernel, patch)
    if (change === undefined) continue
    looked++
    const lines = differences(change)
    if (lines.length === 0) same++
    else console.log([unit.source, ...lines].join('\n  '))
    if (lines.some((line) => line.includes(unexplained))) open++
  } catch (error) {
    // One that does not compile with the instruction where it is.
    if (!(error instanceof Fault) || error.kind === 'unexpected') throw error
    console.log(`${unit.source}: ${error.message}`)
  }
}
console.log(
  `${kernel.release}: the same functions in ${same} of ${looked} units; others, with an explanation, in ` +
    `${looked - same - open}; without one in ${open}`,
)
process.exitCode = open > 0 ? 1 : 0
