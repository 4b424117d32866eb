// SPDX-License-Identifier: GPL-3.0-or-later
// What the safety rules rest on stands in the source of the kernels, under the names that the rules give.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { explanationOf } from '../../../src/check/catalogue/explanation.ts'
import { rules } from '../../../src/check/rules.ts'
import { type Job, silentJournal } from '../../../src/ground/job.ts'
import { selectKernel } from '../../../src/kernel/select.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }

test.each(['bookworm', 'trixie'])(
  'every citation of a rule is found in the source of %s',
  async (suite) => {
    const { source } = await selectKernel(job, suite)
    const missing = rules
      .map(explanationOf)
      .flatMap(({ name, restsOn = [] }) =>
        restsOn
          .filter(({ file, says }) => !readFileSync(path.join(source, file), 'utf8').includes(says))
          .map(({ file, says }) => `${name}: ${file}: ${says}`),
      )
    expect(missing).toEqual([])
  },
  600_000,
)
