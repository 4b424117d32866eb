// SPDX-License-Identifier: GPL-3.0-or-later
// A few of the real fixes of docs/fixes.md, through `check` on the newest kernel of the series, which has them: so each
// is undone. All of them are checked by `npm run fixes`.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import pLimit from 'p-limit'
import { beforeAll, describe, expect, test } from 'vitest'
import { Fault } from '../../../src/ground/fault.ts'
import { type Job, silentJournal } from '../../../src/ground/job.ts'
import { selectKernel } from '../../../src/kernel/select.ts'
import { type Judgement, judgeFix } from '../../../src/module/judgement.ts'
import { parsePatch } from '../../../src/patch/parse.ts'
import { reversed } from '../../fixes/reversed.ts'

interface Case {
  readonly fix: string
  readonly says: string
  readonly verdict: Judgement['verdict']
  /** As `object:function`, where it can be live patched. */
  readonly functions?: readonly string[]
  readonly rule?: string
}

const cases: readonly Case[] = [
  {
    fix: 'pipe-fasync',
    says: 'a change of what one function decides is possible',
    verdict: 'possible',
    functions: ['vmlinux:pipe_fasync'],
  },
  {
    fix: 'landlock-parent',
    says: 'a reference that is taken and dropped in one function is possible',
    verdict: 'possible',
    functions: ['vmlinux:current_check_refer_path'],
  },
  {
    fix: 'igmp-refcount',
    says: 'another way to count down as often as before is possible',
    verdict: 'possible',
  },
  {
    fix: 'sctp-inqueue',
    says: 'a check in a module is possible',
    verdict: 'possible',
    functions: ['sctp:sctp_inq_pop'],
  },
  {
    fix: 'mokvar-table',
    says: 'what runs only when the kernel starts is refused',
    verdict: 'refused',
    rule: 'init-code',
  },
  {
    fix: 'virtio-shutdown',
    says: 'a table that is registered is refused',
    verdict: 'refused',
    rule: 'data-changed',
  },
  {
    fix: 'blktrace-cmdline',
    says: 'a function that can’t be traced is refused',
    verdict: 'refused',
    rule: 'not-traceable',
  },
]

const judgements = new Map<string, Judgement>()

beforeAll(async () => {
  const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
  const kernel = await selectKernel(job, 'bookworm')
  const limit = pLimit(2)
  await Promise.all(
    cases.map(({ fix }) =>
      limit(async () => {
        const text = reversed(readFileSync(path.join('test/fixes/bookworm', `${fix}.patch`), 'latin1'))
        try {
          const patches = [parsePatch(Buffer.from(text, 'latin1'), `${fix}.patch`)]
          judgements.set(fix, await judgeFix(job, kernel, { patches, name: fix, replace: true, output: '' }))
        } catch (error) {
          // A kernel to come may have changed the lines around it.
          if (!(error instanceof Fault) || error.kind !== 'patch') throw error
        }
      }),
    ),
  )
})

describe('a real fix', () => {
  for (const { fix, says, verdict, functions, rule } of cases)
    test(`${fix}: ${says}`, (context) => {
      const judgement = judgements.get(fix)
      if (judgement === undefined) return context.skip()
      const findings = JSON.stringify(judgement.findings)
      expect(judgement.verdict, findings).toBe(verdict)
      if (functions !== undefined)
        expect(judgement.functions.map(({ object, name }) => `${object}:${name}`)).toEqual(functions)
      if (rule !== undefined) expect(judgement.findings.map((one) => one.rule)).toContain(rule)
    })

  test('still fits the newest kernel, most of them', () => {
    expect(judgements.size).toBeGreaterThan(cases.length / 2)
  })
})
