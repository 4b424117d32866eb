// SPDX-License-Identifier: GPL-3.0-or-later
// Builds changes as live patches and proves them all in one boot.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import pLimit from 'p-limit'
import { readObject } from '../../src/elf/read.ts'
import { Fault } from '../../src/ground/fault.ts'
import type { Job } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { makeLivePatch } from '../../src/module/make.ts'
import type { WrittenModule } from '../../src/module/manifest/output.ts'
import type { Engine } from '../../src/module/manifest/request.ts'
import { parsePatch } from '../../src/patch/parse.ts'
import { parseExpectation } from '../../src/vm/plan/check.ts'
import { readSubject } from '../../src/vm/plan/subject.ts'
import { type Proof, proveMany } from '../../src/vm/proof.ts'
import type { Change, Edit } from './change.ts'

export interface Outcome {
  readonly change: Change
  readonly made?: WrittenModule
  readonly proof?: Proof
  /** Everything that is not as it should be, in a sentence each; empty when the change is proven. */
  readonly complaints: readonly string[]
  /** ms that the build took. */
  readonly buildMs: number
}

function applied(text: string, { file, from, to }: Edit): string {
  const choices = typeof from === 'string' ? [from] : from
  const found = choices.filter((choice) => text.split(choice).length === 2)
  const [only] = found
  const written = typeof to === 'string' || only === undefined ? to : to[choices.indexOf(only)]
  if (only === undefined || found.length > 1 || typeof written !== 'string')
    throw new Error(`${file} does not have ${JSON.stringify(choices[0])} just once`)
  return text.replace(only, () => written)
}

/** The change as a unified diff against this kernel's source. */
export function diffOf(kernel: Kernel, change: Pick<Change, 'name' | 'edits'>): Buffer {
  const files = [...new Set(change.edits.map(({ file }) => file))]
  const parts = files.map((file) => {
    const original = path.join(kernel.source, file)
    const edits = change.edits.filter((edit) => edit.file === file)
    const text = edits.reduce(applied, readFileSync(original, 'latin1'))
    const labels = ['--label', `a/${file}`, '--label', `b/${file}`]
    const { status, stdout } = spawnSync('diff', ['-u', ...labels, original, '-'], {
      input: Buffer.from(text, 'latin1'),
    })
    if (status !== 1) throw new Error(`${change.name} changes nothing in ${file}`)
    return stdout
  })
  return Buffer.concat(parts)
}

/** Compiles the guest's program. npm runs everything from the project's own directory. */
export function makeProbe(dir: string): string {
  const probe = path.join(dir, 'probe')
  const source = path.resolve('test/changes/probe.c')
  const { status, stderr } = spawnSync('gcc', ['-Wall', '-O1', '-static', '-o', probe, source], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  return probe
}

/** What the module lacks of what the change says about it. */
function missing(change: Change, series: string, { module, manifest }: WrittenModule): string[] {
  const functions = manifest.objects.flatMap((object) => object.functions.map(({ name }) => name))
  const sections = new Set(readObject(readFileSync(module), module).sections.map(({ name }) => name))
  return [
    ...(change.replacesIn?.[series] ?? change.replaces)
      .filter((name) => !functions.includes(name))
      .map((name) => `${name} is not replaced, but ${functions.join(', ')}`),
    ...(change.sections ?? [])
      .filter((name) => !sections.has(name) && !sections.has(`.rela${name}`))
      .map((name) => `the live patch has no section ${name}`),
  ]
}

async function build(job: Job, kernel: Kernel, change: Change, dir: string, engine: Engine): Promise<Outcome> {
  const start = performance.now()
  const done = (rest: Pick<Outcome, 'complaints' | 'made'>): Outcome => ({
    change,
    ...rest,
    buildMs: performance.now() - start,
  })
  try {
    const made = await makeLivePatch(job, kernel, {
      patches: [parsePatch(diffOf(kernel, change), `${change.name}.patch`)],
      name: change.name,
      replace: true,
      engine,
      ...(change.allow === undefined ? {} : { allow: change.allow }),
      output: dir,
    })
    // What the source engine replaces may be a function around the one that the change names.
    return done({ made, complaints: engine === 'source' ? [] : missing(change, kernel.series, made) })
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const findings = error instanceof Fault ? error.findings : []
    return done({
      complaints: [
        error.message,
        ...findings.map(({ rule, symbol, message }) => `${rule} ${symbol ?? ''}: ${message}`),
      ],
    })
  }
}

/**
 * Builds changes side by side and proves those that could be built in one boot.
 * @param dir where the live patches go
 * @param engine what makes them
 */
export async function proveChanges(
  job: Job,
  kernel: Kernel,
  changes: readonly Change[],
  dir: string,
  engine: Engine = 'binary',
): Promise<Outcome[]> {
  mkdirSync(dir, { recursive: true })
  const probe = makeProbe(dir)
  const limit = pLimit(os.availableParallelism())
  const built = await Promise.all(changes.map((change) => limit(() => build(job, kernel, change, dir, engine))))
  const ready = built.flatMap(({ change, made }) => (made ? [{ change, made }] : []))
  const requests = await Promise.all(
    ready.map(async ({ change, made }) => ({
      subject: await readSubject(made.module),
      checks: [
        {
          command: change.run,
          label: change.name,
          before: parseExpectation(change.before),
          after: parseExpectation(change.after),
          ...(change.reverted === undefined ? {} : { reverted: parseExpectation(change.reverted) }),
        },
      ],
      programs: [probe],
      ...(change.modules === undefined ? {} : { modules: change.modules }),
      ...(change.expected === undefined ? {} : { expected: [change.expected] }),
    })),
  )
  // One processor: no other is idle when a transition begins, so it ends at once.
  const proofs = requests.length > 0 ? await proveMany(job, kernel, requests, { cpus: 1 }) : []
  return built.map((outcome) => {
    const proof = proofs[ready.findIndex(({ change }) => change === outcome.change)]
    if (proof === undefined) return outcome
    const failures = proof.failures.map(({ message, lines = [] }) => [message, ...lines].join('\n    '))
    return { ...outcome, proof, complaints: [...outcome.complaints, ...failures] }
  })
}
