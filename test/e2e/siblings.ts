// SPDX-License-Identifier: GPL-3.0-or-later
// Small changes of the real kernel, each judged by a person before: which rules warn, which functions are not plain.
import { beforeAll, describe, expect, test } from 'vitest'
import { beyondOf } from '../../src/check/semantics/plain/judgement.ts'
import { changedFunctionsOf } from '../../src/check/subject/changed-functions.ts'
import { FixFacts } from '../../src/check/subject/fix-facts.ts'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import type { FileChange } from '../../src/patch/patch.ts'
import { constantSiblings } from '../alive/constant-siblings.ts'
import { editedFiles } from '../alive/edited.ts'
import { formulaSiblings } from '../alive/formula-siblings.ts'
import { furtherSiblings } from '../alive/further-siblings.ts'
import { hostileSiblings } from '../alive/hostile-siblings.ts'
import { siblings } from '../alive/siblings.ts'
import { textFindings } from '../alive/text-findings.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
/** The rules that warn, and the functions that are not plain. */
export function judged(kernel: Kernel, changes: readonly FileChange[], units: readonly string[] = []) {
  const functions = changedFunctionsOf({
    changes,
    kernel,
    units: units.map((source) => ({ unit: { source } })),
    facts: new FixFacts(),
  })
  const warned = textFindings(functions, changes).filter(({ severity }) => severity !== 'note')
  const living = functions.all.filter((one) => beyondOf(functions, one)?.verdict === 'lives')
  return { rules: [...new Set(warned.map(({ rule }) => rule))], living: living.map(({ name }) => name) }
}

/** Each small change on the kernel of a suite. */
export function describeSiblings(suite: string): void {
  describe(`on ${suite}`, () => {
    let kernel: Kernel
    beforeAll(async () => {
      kernel = await selectKernel(job, suite)
    }, 600_000)

    test.each([...siblings, ...hostileSiblings, ...constantSiblings, ...furtherSiblings, ...formulaSiblings])(
      '$name: $kind',
      ({ edits, asks, plain, units }) => {
        const changes = editedFiles(kernel.source, edits)
        // A later series may have other code there; the first one has all of it.
        if (changes === undefined) return expect(suite).not.toBe('bookworm')
        const { rules, living } = judged(kernel, changes, units)
        if (asks.length === 0) expect(rules).toEqual([])
        else expect(rules.filter((rule) => asks.includes(rule))).not.toEqual([])
        if (plain === true) expect(living).toEqual([])
      },
    )
  })
}
