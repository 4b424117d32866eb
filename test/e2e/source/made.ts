// SPDX-License-Identifier: GPL-3.0-or-later
// Live patches made of C source that people can read, edit and build again, proven on a kernel in one boot.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readExamples } from '../../../src/demo/example.ts'
import { type Job, silentJournal } from '../../../src/ground/job.ts'
import type { Kernel } from '../../../src/kernel/kernel.ts'
import { selectKernel } from '../../../src/kernel/select.ts'
import { buildDirectory } from '../../../src/module/engines/directory.ts'
import { makeLivePatch } from '../../../src/module/make.ts'
import type { WrittenModule } from '../../../src/module/manifest/output.ts'
import type { Engine } from '../../../src/module/manifest/request.ts'
import { parsePatch } from '../../../src/patch/parse.ts'
import { readPatches } from '../../../src/patch/read.ts'
import { readSourceDirectory } from '../../../src/source/directory/layout.ts'
import { type Check, parseExpectation } from '../../../src/vm/plan/check.ts'
import { readSubject } from '../../../src/vm/plan/subject.ts'
import { proveMany } from '../../../src/vm/proof.ts'
import { buildCommand, inarch, root } from '../inarch.ts'
import { type Seen, seen } from '../seen.ts'

export const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
export const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-source-'))
beforeAll(buildCommand)
afterAll(() => rmSync(work, { recursive: true, force: true }))

const examples: readonly Seen[] = readExamples()
  .filter(({ kernel }) => kernel === undefined)
  .map(({ patch, check: { run, before, after } }) => ({
    patch: `examples/${patch}`,
    run,
    before,
    after,
    callbacks: [],
  }))

const named = (names: readonly string[]): Seen[] =>
  [...examples, ...seen].filter(({ patch }) => names.includes(path.basename(patch, '.patch')))

let number = 0
export async function make(kernel: Kernel, patch: string, engine: Engine, output?: string): Promise<WrittenModule> {
  const place = output ?? path.join(work, `${++number}`)
  mkdirSync(place, { recursive: true })
  return await makeLivePatch(job, kernel, {
    patches: await readPatches([path.join(root, patch)]),
    name: path.basename(patch, '.patch'),
    replace: true,
    engine,
    output: place,
  })
}

export function edit(file: string, from: string, to: string): void {
  const text = readFileSync(file, 'utf8')
  expect(text).toContain(from)
  writeFileSync(
    file,
    text.replace(from, () => to),
  )
}

/** A patch that puts lines in front of a line of the kernel's source. */
export function insertion(kernel: Kernel, file: string, line: string, added: readonly string[]): Buffer {
  const lines = readFileSync(path.join(kernel.source, file), 'latin1').split('\n')
  const at = lines.indexOf(line)
  expect(at).toBeGreaterThan(2)
  const context = (from: number, to: number) => lines.slice(from, to).map((text) => ` ${text}`)
  return Buffer.from(
    [
      `--- a/${file}`,
      `+++ b/${file}`,
      `@@ -${at - 2},6 +${at - 2},${6 + added.length} @@`,
      ...context(at - 3, at),
      ...added.map((text) => `+${text}`),
      ...context(at, at + 3),
      '',
    ].join('\n'),
    'latin1',
  )
}

/**
 * Both engines' live patch of a function with net_get_random_once(), which has variables of its own for which an
 * extract has no words: only the binary engine makes one.
 */
export async function buildSecretSet(allow: readonly string[]): Promise<WrittenModule> {
  const kernel = await selectKernel(job, 'bookworm')
  const diff = insertion(
    kernel,
    'net/ipv4/inet_hashtables.c',
    '\tnet_get_random_once(&inet_ehash_secret, sizeof(inet_ehash_secret));',
    ['\tif (!lport)', '\t\treturn 0;'],
  )
  return await makeLivePatch(job, kernel, {
    patches: [parsePatch(diff, 'hash.patch')],
    replace: true,
    engine: 'both',
    allow,
    output: path.join(work, `differ-${allow.length}`),
  })
}

const checkOf = ({ run, before, after, reverted }: Seen): Check => ({
  command: run,
  before: parseExpectation(before),
  after: parseExpectation(after),
  ...(reverted === undefined ? {} : { reverted: parseExpectation(reverted) }),
})

/** @param names of examples and of changes */
export const describeMade = (suite: string, names: readonly string[]) =>
  describe(`the kernel of ${suite}`, () => {
    let kernel: Kernel
    beforeAll(async () => {
      kernel = await selectKernel(job, suite)
    })

    test('live patches made from source do what they are made for, also one that was edited by hand', async () => {
      const requests = []
      for (const one of named(names)) {
        const { module, manifest, directory } = await make(kernel, one.patch, 'source')
        expect(manifest.engine).toBe('source')
        expect(manifest.findings.filter(({ severity }) => severity !== 'note')).toEqual([])
        expect(readdirSync(directory!)).toContain('livepatch.c')
        requests.push({
          subject: await readSubject(module),
          ...(one.over === undefined
            ? {}
            : { over: [await readSubject((await make(kernel, one.over, 'source')).module)] }),
          checks: [checkOf(one)],
        })
      }
      const output = path.join(work, `edited-${suite}`)
      const { directory } = await make(kernel, 'examples/meminfo.patch', 'source', output)
      edit(path.join(directory!, 'fs-proc-meminfo.c'), 'live patched', 'edited by hand')
      const run = await inarch(['build', '--json', '--quiet', path.basename(directory!)], { cwd: output })
      expect(run.code).toBe(0)
      const { module } = JSON.parse(run.stdout)
      requests.push({
        subject: await readSubject(path.join(output, module)),
        checks: [
          {
            command: 'grep Inarch /proc/meminfo || echo no such line',
            before: parseExpectation('no such line'),
            after: parseExpectation('edited by hand'),
          },
        ],
      })
      const proofs = await proveMany(job, kernel, requests, { timeout: 600 })
      expect(proofs.map(({ module: { name }, failures }) => [name, failures])).toEqual(
        proofs.map(({ module: { name } }) => [name, []]),
      )
      expect(proofs.map(({ boots }) => boots)).toEqual(proofs.map(() => 1))
    }, 700_000)

    test('both engines make the same of a fix, and the manifest says so', async () => {
      const { manifest, directory } = await make(kernel, 'examples/dummy-count-drops.patch', 'both')
      expect(manifest.engines).toEqual({
        agree: true,
        functions: [
          {
            object: 'dummy',
            name: 'dummy_get_stats64',
            unit: 'drivers/net/dummy.c',
            replacedBy: 'both',
            code: 'identical',
          },
        ],
      })
      expect(manifest.engine).toBeUndefined()
      // What is not edited makes the same module again.
      const one = await buildDirectory(job, kernel, await readSourceDirectory(directory!), {
        output: path.join(work, 'one'),
      })
      const two = await buildDirectory(job, kernel, await readSourceDirectory(directory!), {
        output: path.join(work, 'two'),
      })
      expect(two.manifest.sha256).toBe(one.manifest.sha256)
    })
  })
