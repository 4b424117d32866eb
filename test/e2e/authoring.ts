// SPDX-License-Identifier: GPL-3.0-or-later
// The worked examples of the guide for patch authors, and patches written the way of kpatch: each is built
// unchanged for a series, and its effect is seen in one boot of it.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { makeLivePatch } from '../../src/module/make.ts'
import type { WrittenModule } from '../../src/module/manifest/output.ts'
import { readPatches } from '../../src/patch/read.ts'
import { type Check, parseExpectation } from '../../src/vm/plan/check.ts'
import { readSubject } from '../../src/vm/plan/subject.ts'
import { proveMany } from '../../src/vm/proof.ts'
import { root } from './inarch.ts'
import { seen } from './seen.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-authoring-'))
afterAll(() => rmSync(work, { recursive: true, force: true }))

export function describeAuthoring(suite: string): void {
  describe(`the kernel of ${suite}`, () => {
    test('each does what it is made for', async () => {
      const kernel = await selectKernel(job, suite)
      const output = path.join(work, suite)
      mkdirSync(output, { recursive: true })
      const build = async (patch: string): Promise<WrittenModule> =>
        await makeLivePatch(job, kernel, {
          patches: await readPatches([path.join(root, patch)]),
          name: patch.replace(/^.*?(\w+)\/([\w-]+)\.patch$/, '$1-$2'),
          replace: true,
          output,
        })
      const requests = []
      for (const { patch, over, run, before, after, reverted, callbacks, functions, findings = [] } of seen) {
        const { module, manifest } = await build(patch)
        const told = manifest.objects.flatMap((object) =>
          object.callbacks.map(({ kind, name }) => `${kind} ${name} ${object.name}`),
        )
        expect(told.sort(), patch).toEqual(callbacks)
        const replaced = manifest.objects.flatMap((object) => object.functions.map(({ name }) => name))
        if (functions !== undefined) expect(replaced.sort(), patch).toEqual(functions)
        expect([...new Set(manifest.findings.map(({ rule }) => rule))].sort(), patch).toEqual(findings)
        const check: Check = {
          command: run,
          before: parseExpectation(before),
          after: parseExpectation(after),
          ...(reverted === undefined ? {} : { reverted: parseExpectation(reverted) }),
        }
        requests.push({
          subject: await readSubject(module),
          ...(over === undefined ? {} : { over: [await readSubject((await build(over)).module)] }),
          checks: [check],
        })
      }
      const proofs = await proveMany(job, kernel, requests, { timeout: 600 })
      expect(proofs.map(({ module, failures }) => [module.name, failures])).toEqual(
        proofs.map(({ module }) => [module.name, []]),
      )
      const others = proofs.map(({ notes }) => notes.filter((note) => !/refuses the module until/.test(note)))
      expect(others).toEqual(proofs.map(() => []))
      const states = JSON.parse(readFileSync(path.join(output, 'livepatch-authoring-state-2.json'), 'utf8'))
      expect(states.states).toEqual([{ name: 'protected_fifos', id: 4711, version: 2, unit: 'fs/namei.c' }])
    }, 700_000)
  })
}
