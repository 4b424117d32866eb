// SPDX-License-Identifier: GPL-3.0-or-later
// Does a rebuilt house do the same? The program as it was at an older commit and the one of this directory are given
// the same patches: every example, change, fix, case and judged patch. What they write, print and answer must be the
// same, byte for byte:
// npm run unchanged -- --against COMMIT [--kernel 6.1 --kernel 6.12 --engine binary --engine source --jobs 2] [NAME…]
// Only where the two lie, and how long their steps took, is taken out of what they tell. Compiled objects are kept for
// both in one cache, and so are the older program's answers, which do not change.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import pLimit from 'p-limit'
import * as v from 'valibot'
import { cacheRoot } from '../src/ground/cache.ts'
import { silentJournal } from '../src/ground/job.ts'
import type { Kernel } from '../src/kernel/kernel.ts'
import { selectKernel } from '../src/kernel/select.ts'
import { changes, isFor } from '../test/changes/changes.ts'
import { diffOf } from '../test/changes/prove.ts'
import { reversed } from '../test/fixes/reversed.ts'
import { patchDir, readChoices } from './fixes/choice.ts'

const { values, positionals } = parseArgs({
  options: {
    against: { type: 'string' },
    kernel: { type: 'string', short: 'k', multiple: true, default: ['6.1', '6.12'] },
    engine: { type: 'string', multiple: true, default: ['binary', 'source'] },
    jobs: { type: 'string', default: '2' },
  },
  allowPositionals: true,
})
if (values.against === undefined) throw new Error('--against says which commit it must be the same as')
const against = values.against
const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-unchanged-'))
const kept = path.join(cacheRoot(), 'bench', 'unchanged')
mkdirSync(kept, { recursive: true })

/** Runs a program to its end, and throws when it fails. */
function run(program: string, args: readonly string[], cwd: string): void {
  const { status, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`)
}

/** The bundle of a commit, made in a directory of its own, and the commit's whole name. */
function programAt(commit: string): { readonly program: string; readonly commit: string } {
  const dir = path.join(work, 'older')
  mkdirSync(dir)
  const archive = path.join(work, 'older.tar')
  run('git', ['archive', '--output', archive, commit], '.')
  run('tar', ['-xf', archive, '-C', dir], '.')
  symlinkSync(path.resolve('node_modules'), path.join(dir, 'node_modules'))
  run(process.execPath, ['scripts/build.mjs'], dir)
  const name = spawnSync('git', ['rev-parse', commit], { encoding: 'utf8' }).stdout.trim()
  return { program: path.join(dir, 'dist/inarch.js'), commit: name }
}

interface Input {
  readonly name: string
  readonly text: string | Buffer
}

function patchesIn(dir: string, label: string): Input[] {
  return readdirSync(dir)
    .filter((file) => file.endsWith('.patch'))
    .map((file) => ({
      name: `${label}-${path.basename(file, '.patch')}`,
      text: readFileSync(path.join(dir, file)),
    }))
}

/** Every patch of the project; a patch that does not fit a kernel must be refused in the same words. */
function inputsFor(kernel: Kernel): Input[] {
  const fixes = readChoices().flatMap(({ set, series }) =>
    patchesIn(patchDir(set), `fix-${set}`).map(({ name, text }) => ({
      name,
      text: kernel.series === series ? Buffer.from(reversed(text.toString('latin1')), 'latin1') : text,
    })),
  )
  return [
    ...patchesIn('examples', 'example'),
    ...patchesIn('examples/authoring', 'authoring'),
    ...patchesIn('test/e2e/kpatch', 'kpatch'),
    ...patchesIn('test/cases', 'case'),
    ...patchesIn('test/cases/semantics', 'semantics'),
    ...patchesIn('test/judged', 'judged'),
    ...changes
      .filter(isFor(kernel.series))
      .map((change) => ({ name: `change-${change.name}`, text: diffOf(kernel, change) })),
    ...fixes,
  ]
}

const AnswerSchema = v.object({
  code: v.nullable(v.number()),
  stdout: v.string(),
  stderr: v.string(),
  /** SHA-256 of each file that was written, by its path. */
  files: v.record(v.string(), v.string()),
})

type Answer = v.InferOutput<typeof AnswerSchema>

/** A manifest tells how long each step took, which is another time each time. */
const withoutTimings = (text: string) => text.replace(/"timings": \[[^\]]*\]/g, '"timings": []')

/** Runs a program in a new directory that has the patch, and reads what it leaves there. */
function answerOf(program: string, { text }: Input, args: readonly string[]): Promise<Answer> {
  const dir = mkdtempSync(path.join(work, 'run-'))
  writeFileSync(path.join(dir, 'it.patch'), text)
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args, 'it.patch'], {
      cwd: dir,
      env: { ...process.env, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const chunks: [Buffer[], Buffer[]] = [[], []]
    child.stdout.on('data', (chunk: Buffer) => chunks[0].push(chunk))
    child.stderr.on('data', (chunk: Buffer) => chunks[1].push(chunk))
    child.on('error', reject)
    child.on('close', (code) => {
      const [stdout, stderr] = chunks.map((some) =>
        withoutTimings(Buffer.concat(some).toString('latin1'))
          .replaceAll(dir, 'DIR')
          .replaceAll(path.dirname(program), 'DIST'),
      )
      const files = readdirSync(dir, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
        .sort()
        .map((file) => [path.relative(dir, file), createHash('sha256').update(contentsOf(file)).digest('hex')])
      rmSync(dir, { recursive: true, force: true })
      resolve({ code, stdout: stdout!, stderr: stderr!, files: Object.fromEntries(files) })
    })
  })
}

/** What the older program answers, from the last time where that is kept. */
async function olderAnswer(older: typeof programs.older, kernel: Kernel, input: Input, args: readonly string[]) {
  const hash = createHash('sha256').update(JSON.stringify([older.commit, kernel.release, kernel.version, args]))
  const file = path.join(kept, hash.update(input.text).digest('hex'))
  if (existsSync(file)) return v.parse(AnswerSchema, JSON.parse(readFileSync(file, 'utf8')))
  const answer = await answerOf(older.program, input, args)
  writeFileSync(file, JSON.stringify(answer))
  return answer
}

const contentsOf = (file: string) =>
  file.endsWith('.json') ? withoutTimings(readFileSync(file, 'latin1')) : readFileSync(file)

const FindingsSchema = v.object({
  findings: v.array(v.object({ severity: v.string(), rule: v.string() })),
})

/** The warnings that a refusal waits for. */
function asksOf({ stdout }: Answer): string[] {
  try {
    const { findings } = v.parse(FindingsSchema, JSON.parse(stdout))
    return findings.flatMap(({ severity, rule }) => (severity === 'warning' ? [rule] : []))
  } catch {
    return []
  }
}

/** The exit code, and the code of a refusal: several refusals share one exit code. */
function endingOf({ code, stdout }: Answer): string {
  return `${code} ${/"code": "([^"]*)"/.exec(stdout)?.[1] ?? ''}`
}

/** The files that one of them wrote, or both. */
function filesOf(older: Answer, newer: Answer): string[] {
  return [...new Set([...Object.keys(older.files), ...Object.keys(newer.files)])].sort()
}

/** What is unlike, in a line each. */
function differences(older: Answer, newer: Answer): string[] {
  const firstLine = (a: string, b: string) => {
    const [one, other] = [a.split('\n'), b.split('\n')]
    const at = one.findIndex((line, i) => line !== other[i])
    return `"${one[at] ?? ''}" is "${other[at === -1 ? one.length : at] ?? ''}"`
  }
  return [
    ...(older.code === newer.code ? [] : [`exit code ${older.code} is ${newer.code}`]),
    ...(older.stdout === newer.stdout ? [] : [`output: ${firstLine(older.stdout, newer.stdout)}`]),
    ...(older.stderr === newer.stderr ? [] : [`errors: ${firstLine(older.stderr, newer.stderr)}`]),
    ...filesOf(older, newer).flatMap((name) => {
      const [was, is] = [older.files[name], newer.files[name]]
      return was === is ? [] : [`${name}: ${was === undefined ? 'new' : is === undefined ? 'missing' : 'other bytes'}`]
    }),
  ]
}

const totals = { runs: 0, modules: 0, unlike: 0, otherModules: 0, otherCodes: 0 }

/** Builds with each engine and with the consent that the older program asks for, and checks as a person does. */
async function compare(kernel: Kernel, input: Input): Promise<void> {
  const ask = (args: readonly string[]) => olderAnswer(programs.older, kernel, input, args)
  const both = async (what: string, args: readonly string[]) => {
    const older = await ask(args)
    const newer = await answerOf(programs.newer, input, args)
    const unlike = differences(older, newer)
    const modules = filesOf(older, newer).filter((file) => file.endsWith('.ko'))
    totals.runs++
    totals.modules += modules.length
    totals.otherModules += modules.filter((file) => older.files[file] !== newer.files[file]).length
    if (endingOf(older) !== endingOf(newer)) totals.otherCodes++
    if (unlike.length === 0) return
    totals.unlike++
    console.log(`${kernel.release} ${input.name} ${what}\n    ${unlike.join('\n    ')}`)
  }
  const common = ['--quiet', '--kernel', kernel.release]
  await both('check', ['check', ...common])
  for (const engine of values.engine) {
    const build = ['build', ...common, '--json', '--engine', engine]
    const allow: string[] = []
    let args: readonly string[] = build
    let answer = await ask(args)
    for (;;) {
      const asks = asksOf(answer).filter((rule) => !allow.includes(rule))
      if (answer.code !== 4 || asks.length === 0) break
      await both(`${engine} ${args.slice(build.length).join(' ')}`, args)
      allow.push(...new Set(asks))
      args = [...build, ...allow.flatMap((rule) => ['--allow', rule])]
      answer = await ask(args)
    }
    await both(`${engine} ${args.slice(build.length).join(' ')}`, args)
  }
}

/** The two that are held against each other. */
const programs = { older: programAt(against), newer: path.resolve('dist/inarch.js') }

try {
  const limit = pLimit(Number(values.jobs))
  for (const which of values.kernel) {
    const kernel = await selectKernel({ signal: new AbortController().signal, journal: silentJournal() }, which)
    const inputs = inputsFor(kernel).filter(({ name }) => positionals.length === 0 || positionals.includes(name))
    let done = 0
    await Promise.all(
      inputs.map((input) =>
        limit(async () => {
          await compare(kernel, input)
          done++
          if (process.stderr.isTTY) process.stderr.write(`${kernel.release}: ${done} of ${inputs.length}\r`)
        }),
      ),
    )
    console.log(`${kernel.release}: ${inputs.length} patches`)
  }
  console.log(
    `${totals.runs} answers and ${totals.modules} modules: ${totals.otherModules} modules and ${totals.otherCodes} ` +
      `exit codes or refusals are others, ${totals.unlike} answers are unlike in anything`,
  )
  process.exitCode = totals.unlike === 0 ? 0 : 1
} finally {
  rmSync(work, { recursive: true, force: true })
}
