// SPDX-License-Identifier: GPL-3.0-or-later
// Compiles units of a stock kernel and compares every function of them with the kernel's image:
//   npm run bench:match -- [--kernel 6.1] [--units 300] [--seed 1] [--flag -Os] [--drop -fno-x]
//                          [--against OTHER] [--keep DIR]
// With another flag, or against another kernel, the functions that differ must be found.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import pLimit from 'p-limit'
import { openUnits, type Unit } from '../src/build/kbuild/units.ts'
import { openBuildTrees } from '../src/build/unpatched-units.ts'
import { compareObjects } from '../src/diff/change.ts'
import { isColdPart } from '../src/diff/object/compiler-names.ts'
import { readObject } from '../src/elf/read.ts'
import { silentJournal } from '../src/ground/job.ts'
import { withScratch } from '../src/ground/scratch.ts'
import { selectKernel } from '../src/kernel/select.ts'
import { kernelNames } from '../src/match/names.ts'
import { mapUnit } from '../src/match/unit-map.ts'
import { compileUnit, locateNamesakes, type MatchedFunction, matchUnit, readUnit } from '../test/e2e/matched.ts'

const { values } = parseArgs({
  options: {
    kernel: { type: 'string' },
    units: { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
    flag: { type: 'string', multiple: true, default: [] },
    drop: { type: 'string', multiple: true, default: [] },
    against: { type: 'string' },
    only: { type: 'string', multiple: true, default: [] },
    keep: { type: 'string' },
    plain: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
})
const job = { signal: new AbortController().signal, journal: silentJournal() }
const kernel = await selectKernel(job, values.kernel)
const other = values.against === undefined ? kernel : await selectKernel(job, values.against)

/** The parts of the tree from which units are chosen in equal shares. */
const areas = ['kernel/', 'mm/', 'fs/', 'net/', 'drivers/', 'arch/x86/', 'lib/', 'block/', 'security/', 'crypto/']

/** Numbers from 0 to 1 that depend on the seed only (a linear congruential generator, Numerical Recipes). */
function numbersFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

function choose(all: readonly Unit[], count: number, seed: number): Unit[] {
  const next = numbersFrom(seed)
  const usable = all.filter(
    ({ home, flags, modules }) => flags !== undefined && home !== 'elsewhere' && modules.length < 2,
  )
  if (values.only.length > 0) return usable.filter(({ source }) => values.only.includes(source))
  const piles = areas.map((area) => usable.filter(({ source }) => source.startsWith(area)))
  const chosen: Unit[] = []
  while (chosen.length < count && piles.some((pile) => pile.length > 0))
    for (const pile of piles)
      if (pile.length > 0 && chosen.length < count) chosen.push(...pile.splice(Math.floor(next() * pile.length), 1))
  return chosen.sort((one, two) => (one.source < two.source ? -1 : 1))
}

const known = await openUnits(job, kernel)
const units = choose(known.all(), Number(values.units), Number(values.seed))
const change = (flags: readonly string[]) => [...flags.filter((flag) => !values.drop.includes(flag)), ...values.flag]
/** With other flags: the functions of which the compiler makes other code, and those of them that were not seen. */
const made = { differ: 0, missed: [] as string[] }
const results: { unit: Unit; functions: MatchedFunction[] }[] = []
await withScratch(async (scratch) => {
  const dir = values.keep ?? path.join(scratch, 'objects')
  const limit = pLimit(2)
  const bench = await openBuildTrees(job, kernel, known, path.join(scratch, 'bench'))
  const compiled = await Promise.all(
    units.map((unit) => limit(async () => await compileUnit(job, bench, unit, dir, change))),
  )
  const names = await kernelNames(
    other,
    units.flatMap(({ modules }) => modules.slice(0, 1)),
  )
  if (values.flag.length + values.drop.length > 0)
    for (const [index, unit] of units.entries()) {
      const [plain, other] = [
        await compileUnit(job, bench, unit, values.plain ?? path.join(scratch, 'plain')),
        compiled[index],
      ]
      if (plain === undefined || other === undefined) continue
      const change = compareObjects(
        readObject(readFileSync(plain), 'plain'),
        readObject(readFileSync(other), 'other'),
        unit.source,
      )
      const matches = new Set(
        matchUnit(names, unit.modules[0] ?? 'vmlinux', readUnit(other))
          .filter(({ outcome }) => outcome === 'matches' || outcome === 'alike')
          .map(({ name }) => name),
      )
      for (const { after } of change.changed) {
        if (isColdPart(after.name)) continue
        made.differ++
        if (matches.has(after.name)) made.missed.push(`${unit.source} ${after.name}`)
      }
    }
  const start = performance.now()
  units.forEach((unit, index) => {
    const file = compiled[index]
    if (file === undefined) console.log(`${unit.source}: does not compile so`)
    else results.push({ unit, functions: matchUnit(names, unit.modules[0] ?? 'vmlinux', readUnit(file)) })
  })
  const ms = performance.now() - start
  const seen = units.flatMap((unit, index) => {
    const file = compiled[index]
    return file === undefined
      ? []
      : locateNamesakes(names, unit.modules[0] ?? 'vmlinux', readUnit(file)).map((one) => ({
          ...one,
          unit: unit.source,
        }))
  })
  const disputes = units.flatMap(({ source, modules }, index) => {
    const file = compiled[index]
    if (file === undefined) return []
    const map = mapUnit(names.running(modules[0] ?? 'vmlinux'), readUnit(file))
    return [...map.disputes].map(([symbol, one]) => `${source} ${symbol} ${JSON.stringify(one)}`)
  })
  console.log([`private symbols about which functions do not agree: ${disputes.length}`, ...disputes].join('\n  '))
  for (const kind of ['function', 'data'] as const) {
    const all = seen.filter((one) => one.kind === kind)
    const told = all.filter(({ address }) => address !== undefined)
    const places = new Set(told.map(({ object, address }) => `${object} ${address}`))
    if (values.list)
      for (const one of told)
        if (told.some((other) => other !== one && other.object === one.object && other.address === one.address))
          console.log(`  claimed twice: ${one.unit} ${one.object} ${one.name} ${one.address?.toString(16)}`)
    const worst = Math.max(0, ...told.map(({ namesakes }) => namesakes))
    console.log(
      `${kind} names that occur several times: ${all.length}; told apart: ${told.length} (the worst of ` +
        `${worst}); claimed twice: ${told.length - places.size}; content confirmed: ` +
        `${told.filter(({ content }) => content === true).length}, contradicted: ` +
        `${told.filter(({ content }) => content === false).length}`,
    )
  }
  names.close()
  report(ms)
})

function report(ms: number): void {
  const all = results.flatMap(({ unit, functions }) => functions.map((one) => ({ unit, ...one })))
  const count = (outcome: MatchedFunction['outcome'], kind?: MatchedFunction['kind']) =>
    all.filter((one) => one.outcome === outcome && (kind === undefined || one.kind === kind)).length
  const sum = (of: (one: MatchedFunction) => number) => all.reduce((total, one) => total + of(one), 0)
  const home = (module: boolean) => results.filter(({ unit }) => unit.modules.length > 0 === module).length
  const flags = [...values.flag, ...values.drop.map((flag) => `without ${flag}`)].join(' ')
  const otherwise = change([]).length + values.drop.length > 0 ? ` with ${flags}` : ''
  console.log(`${kernel.release} against ${other.release}${otherwise}`)
  console.log(
    `${results.length} units (${home(false)} of vmlinux, ${home(true)} of modules), ${all.length} ` +
      `functions, ${sum(({ bytes }) => bytes)} bytes, ${ms.toFixed(0)} ms to compare`,
  )
  console.log(
    `match: ${count('matches')}; differ: ${count('differs')} (weak ${count('differs', 'weak')}, init ` +
      `${count('differs', 'init')}); alike: ${count('alike')}; no symbol: ${count('absent')} (init ` +
      `${count('absent', 'init')})`,
  )
  console.log(
    `fields that lead out: ${sum(({ fields }) => fields)}, of which nothing confirms ` +
      `${sum(({ unconfirmed }) => unconfirmed)}`,
  )
  console.log(`functions with namesakes: ${all.filter(({ namesakes }) => namesakes > 1).length}`)
  const units = results.filter(({ functions }) => functions.some(({ outcome }) => outcome === 'differs')).length
  console.log(`units with a function that differs: ${units}`)
  if (values.flag.length + values.drop.length > 0)
    console.log(
      `of ${made.differ} functions that the compiler makes otherwise, ${made.missed.length} were not ` +
        `seen ${made.missed.join(', ')}`,
    )
  const reasons = new Map<string, number>()
  for (const { mismatch } of all)
    if (mismatch !== undefined) reasons.set(mismatch.why, (reasons.get(mismatch.why) ?? 0) + 1)
  for (const [why, times] of reasons) console.log(`  ${why}: ${times}`)
  if (values.list)
    for (const { unit, name, outcome, kind, namesakes, mismatch } of all)
      if (outcome !== 'matches')
        console.log(`  ${unit.source} ${name}: ${outcome} (${kind}, ${namesakes} namesakes)${mismatchWords(mismatch)}`)
}

function mismatchWords(mismatch: MatchedFunction['mismatch']): string {
  if (mismatch === undefined) return ''
  const { why, part, at, ours, theirs, address, expected, found } = mismatch
  return (
    ` ${why} part ${part} at ${at}: ${ours} | ${theirs} @${address.toString(16)} ` +
    `${JSON.stringify(expected ?? '')} ${found?.toString(16) ?? ''}`
  )
}
