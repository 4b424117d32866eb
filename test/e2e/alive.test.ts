// SPDX-License-Identifier: GPL-3.0-or-later
// What a change of the real kernel does to objects that live, told from its text: small changes of both series, each
// judged by a person before. A few go all the way through the command.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { applyPatches } from '../../src/patch/apply.ts'
import { parsePatch } from '../../src/patch/parse.ts'
import { buildCommand, inarch, root } from './inarch.ts'
import { describeSiblings, judged } from './siblings.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const patchOf = (name: string) => path.join(root, 'test/cases/semantics', `${name}.patch`)

describeSiblings('bookworm')

describe('a patch', () => {
  let kernel: Kernel
  beforeAll(async () => {
    kernel = await selectKernel(job, 'bookworm')
  }, 600_000)

  test.each([
    ['private-data-wrap', 'held-otherwise'],
    ['krefget', 'refcount-balance'],
    ['kfree-to-percpu', 'given-back-otherwise'],
    ['kfree-to-vfree', 'given-back-otherwise'],
    ['hashfn-macro', 'placed-otherwise'],
    ['lock-order', 'lock-balance'],
    ['bitlock', 'wake-up'],
    ['fa-lock-add', undefined],
    ['fa-null', undefined],
    ['fa-stackstruct', undefined],
  ])('%s is asked about by %s', async (name, rule) => {
    const patch = parsePatch(readFileSync(patchOf(name)), name)
    const { changes } = await applyPatches(kernel.source, [patch])
    expect(judged(kernel, changes).rules).toEqual(rule === undefined ? [] : [rule])
  })
})

describe('the command', () => {
  const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-alive-'))
  beforeAll(buildCommand, 600_000)
  afterAll(() => rmSync(work, { recursive: true }))

  const check = async (name: string) => {
    const { code, stdout } = await inarch(['check', '--kernel', 'bookworm', '--json', patchOf(name)], {
      cwd: work,
    })
    return { code, judgement: JSON.parse(stdout) }
  }

  test('says of a function that only gets a NULL test that it is plain, and why', {
    timeout: 300_000,
  }, async () => {
    const { code, judgement } = await check('fa-null')
    expect(code).toBe(0)
    expect(judgement.functions).toMatchObject([
      {
        name: 'eventfd_release',
        beyond: { verdict: 'plain', why: expect.stringMatching(/adds a check and leaves/) },
      },
    ])
  })

  test('names the object, the member and both meanings of what lives', { timeout: 300_000 }, async () => {
    const { code, judgement } = await check('krefget')
    expect(code).toBe(4)
    const release = judgement.functions.find(({ name }: { name: string }) => name === 'eventfd_release')
    expect(release.beyond).toMatchObject({
      verdict: 'lives',
      living: [{ object: 'struct eventfd_ctx', member: 'kref', after: 'given back' }],
    })
  })

  test('does not call a function plain of which a rule warns', { timeout: 300_000 }, async () => {
    const { judgement } = await check('lock-order')
    expect(judgement.functions[0]).toMatchObject({ name: 'timers_dead_cpu', beyond: { verdict: 'lives' } })
  })
})
