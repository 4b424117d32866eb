// SPDX-License-Identifier: GPL-3.0-or-later
// An oracle that shares nothing with what Inarch concludes: by binutils alone it says which functions of two objects
// differ, and follows every relocation of the extracted object:
// npm run oracle -- [--kernel WHICH] [--older WHICH] [--minutes 15] [NAME…]
// The pairs are the fixes of test/fixes, the changes of test/changes and the examples, and each C file that differs in
// the kernel given as --older, as it is there; or, with --objects BEFORE AFTER, the objects of the same paths in two
// directories. With --spoil Inarch's answers are falsified, one at a time, and each has to be noticed.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { compilePairs } from '../src/build/compile.ts'
import { readObject } from '../src/elf/read.ts'
import { type ObjectDraft, writeObject } from '../src/elf/write.ts'
import { comparePair, reportPair } from '../src/extract/pairs/pair.ts'
import { Fault } from '../src/ground/fault.ts'
import { type Job, silentJournal } from '../src/ground/job.ts'
import { withScratch } from '../src/ground/scratch.ts'
import type { Kernel } from '../src/kernel/kernel.ts'
import { selectKernel } from '../src/kernel/select.ts'
import { applyPatches } from '../src/patch/apply.ts'
import { parsePatch } from '../src/patch/parse.ts'
import type { Patch } from '../src/patch/patch.ts'
import { fixesFor } from '../test/engines/fixes.ts'
import { fixesOf } from './fixes/fit.ts'
import { differing, follow, missed, parentOf, told } from './oracle/judge.ts'
import { randomFrom, shuffled } from './source/sample.ts'

const { values, positionals } = parseArgs({
  options: {
    kernel: { type: 'string', short: 'k', default: '6.1' },
    older: { type: 'string' },
    minutes: { type: 'string', default: '15' },
    seed: { type: 'string', default: '1' },
    spoil: { type: 'boolean', default: false },
    objects: { type: 'boolean', default: false },
  },
  allowPositionals: true,
})
const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const random = randomFrom(`oracle ${values.seed}`)

interface Source {
  readonly name: string
  readonly patches: () => readonly Patch[]
}

async function fixes(kernel: Kernel): Promise<Source[]> {
  const chosen = (await fixesOf(kernel)).map(({ fix, patch }) => ({ name: fix.id, patches: () => [patch] }))
  const others = fixesFor(kernel.series)
    .filter(({ version }) => version === undefined || version === kernel.version)
    .map(({ name, patches }) => ({ name, patches: () => patches(kernel) }))
  return [...chosen, ...others]
}

/** Every C file of the other kernel that differs, as one change. */
function wholeFiles(kernel: Kernel, older: Kernel): Source[] {
  const places = ['block', 'crypto', 'drivers', 'fs', 'ipc', 'kernel', 'lib', 'mm', 'net', 'security']
  return places.flatMap((place) => {
    const [ours, theirs] = [kernel, older].map(({ source }) => path.join(source, place))
    const { stdout } = spawnSync('diff', ['-rq', '--no-dereference', ours!, theirs!], {
      encoding: 'latin1',
      maxBuffer: 2 ** 28,
    })
    return [...stdout.matchAll(/^Files (\S+\.c) and (\S+\.c) differ$/gm)].map(([, one, other]): Source => {
      const name = path.relative(kernel.source, one!)
      const labels = ['--label', `a/${name}`, '--label', `b/${name}`]
      return {
        name,
        patches: () => [parsePatch(spawnSync('diff', ['-u', ...labels, one!, other!]).stdout, name)],
      }
    })
  })
}

const sum = {
  pairs: 0,
  functions: 0,
  differ: 0,
  extracted: 0,
  relocations: 0,
  refused: 0,
  misses: 0,
  wrong: 0,
}
const spoilt = { left: 0, leftNoticed: 0, moved: 0, movedNoticed: 0 }

/** What Inarch says of the pair is held against what binutils say. */
function judge(name: string, files: { readonly before: string; readonly after: string; readonly made: string }): void {
  const [before, after] = [told(files.before), told(files.after)]
  const [b, a] = [files.before, files.after].map((file) => ({ name: file, bytes: readFileSync(file) })) as [
    { name: string; bytes: Buffer },
    { name: string; bytes: Buffer },
  ]
  const report = reportPair(b, a)
  const { draft, report: full } = comparePair(readObject(b.bytes, b.name), readObject(a.bytes, a.name), name)
  const found = differing(before, after)
  sum.pairs++
  sum.functions += found.functions
  sum.differ += found.differ.length
  for (const [way, { changed, added, removed, findings }] of [
    ['', report],
    [' (thorough look)', full],
  ] as const) {
    const said = new Set([
      ...[...changed, ...added, ...removed].map((one) => one.name),
      ...findings.flatMap(({ symbol, message }) => [symbol ?? '', ...message.split(/[^\w.]+/)]),
    ])
    for (const miss of missed(found, said)) {
      sum.misses++
      console.log(`MISS ${name}${way}: ${miss} differs, and nothing is said of it`)
    }
    if (values.spoil && way === '')
      for (const [hidden] of found.differ.slice(0, 3)) {
        const less = new Set(
          [...said].filter(
            (one) => !found.differ.some((names) => names[0] === hidden && names.includes(parentOf(one))),
          ),
        )
        spoilt.left++
        if (missed(found, less).includes(hidden!)) spoilt.leftNoticed++
        else console.log(`NOT NOTICED ${name}: ${hidden} is left out`)
      }
  }
  if (full.outcome === 'refused') sum.refused++
  if (full.outcome !== 'change') return
  const follows = (one: ObjectDraft) => {
    writeFileSync(files.made, writeObject(one))
    return follow(told(files.made), after)
  }
  const { relocations, wrong } = follows(draft)
  sum.extracted++
  sum.relocations += relocations
  for (const what of wrong) {
    sum.wrong++
    console.log(`WRONG REFERENCE ${name}: ${what}`)
  }
  if (values.spoil && wrong.length === 0) spoil(name, draft, follows)
}

/** Lets one reference of carried code lead elsewhere. */
function spoil(name: string, draft: ObjectDraft, follows: (one: ObjectDraft) => { readonly wrong: readonly string[] }) {
  const all = draft.sections.filter(({ flags }) => (flags & 4) !== 0).flatMap(({ relocations }) => relocations)
  for (const relocation of shuffled(all, random).slice(0, 2)) {
    const list = draft.sections.map(({ relocations }) => relocations).find((own) => own.includes(relocation))!
    const at = list.indexOf(relocation)
    list[at] = { ...relocation, addend: relocation.addend + 1 }
    spoilt.moved++
    if (follows(draft).wrong.length > 0) spoilt.movedNoticed++
    else console.log(`NOT NOTICED ${name}: a reference to ${relocation.symbol.name} with another addend`)
    list[at] = relocation
  }
}

const end = performance.now() + 60_000 * Number(values.minutes)
/** Compiles both sides of each change until the time is over. @returns what was looked at */
async function judgeChanges(): Promise<string> {
  const kernel = await selectKernel(job, values.kernel)
  const older = values.older === undefined ? [] : wholeFiles(kernel, await selectKernel(job, values.older))
  const sources = shuffled([...(await fixes(kernel)), ...older], random).filter(
    ({ name }) => positionals.length === 0 || positionals.includes(name),
  )
  let done = 0
  for (const { name, patches } of sources) {
    if (performance.now() > end) break
    done++
    try {
      await withScratch(async (dir) => {
        const { changes } = await applyPatches(kernel.source, [...patches()])
        // A header may mean hundreds of units, nearly all of them alike.
        if (changes.some((change) => change.path.endsWith('.h'))) return
        const { pairs } = await compilePairs(job, kernel, changes, dir)
        for (const { unit, before, after } of pairs)
          if (before !== undefined) judge(`${name}, ${unit}`, { before, after, made: path.join(dir, 'made.o') })
      })
    } catch (error) {
      if (!(error instanceof Fault) || error.kind === 'unexpected') throw error
      console.log(`${name}: ${error.message.split('\n')[0]}`)
    }
  }
  return `${kernel.release}: ${done} of ${sources.length} changes`
}

/** The objects that two directories have under the same path. */
async function judgeObjects(before: string, after: string): Promise<string> {
  const both = readdirSync(after, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.o') && existsSync(path.join(before, name)))
    .sort()
  let done = 0
  for (const name of shuffled(both, random)) {
    if (performance.now() > end) break
    done++
    await withScratch(async (dir) => {
      const [b, a] = [path.join(before, name), path.join(after, name)]
      judge(name, { before: b, after: a, made: path.join(dir, 'made.o') })
    })
  }
  return `${done} of ${both.length} objects`
}

const [first, second] = positionals
const what =
  values.objects && first !== undefined && second !== undefined
    ? await judgeObjects(first, second)
    : await judgeChanges()
console.log(
  `${what}, ${sum.pairs} pairs, ${sum.functions} functions, of which ${sum.differ} differ: ${sum.misses} missed; ` +
    `${sum.extracted} objects extracted (${sum.refused} refused), ${sum.relocations} relocations ` +
    `followed: ${sum.wrong} wrong`,
)
if (values.spoil)
  console.log(
    `${spoilt.leftNoticed} of ${spoilt.left} functions that were left out noticed, ` +
      `${spoilt.movedNoticed} of ${spoilt.moved} references that were moved`,
  )
const unnoticed = spoilt.left - spoilt.leftNoticed + spoilt.moved - spoilt.movedNoticed
process.exitCode = sum.misses + sum.wrong + unnoticed > 0 ? 1 : 0
