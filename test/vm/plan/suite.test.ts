// SPDX-License-Identifier: GPL-3.0-or-later
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { Fault } from '../../../src/ground/fault.ts'
import { readSuite } from '../../../src/vm/plan/suite.ts'

const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-suite-'))
afterAll(() => rmSync(work, { recursive: true }))

async function refusal(text: string): Promise<Fault> {
  const file = path.join(work, 'suite.json')
  writeFileSync(file, text)
  return readSuite(file).then(
    () => {
      throw new Error('it was read')
    },
    (fault: Fault) => fault,
  )
}

describe('a suite', () => {
  test.each([
    ['that is not JSON', '[{', 'not JSON'],
    ['that is empty', '[]', 'at least one'],
    ['without a module', '[{"fs": "ext4"}]', '0.module'],
    ['with a word that means nothing', '[{"module": "a.ko", "moduls": []}]', '0.moduls'],
    ['with a check that runs nothing', '[{"module": "a.ko", "checks": [{"before": "x"}]}]', '0.checks.0.run'],
    ['with a number for a text', '[{"module": 5}]', '0.module'],
  ])('%s is refused with the place', async (_, text, words) => {
    const fault = await refusal(text)
    expect(fault).toMatchObject({ kind: 'usage', code: 'bad-suite' })
    expect(fault.detail).toContain(words)
  })

  test('names its files relative to itself', async () => {
    const fault = await refusal('[{"module": "nothing/here.ko"}]')
    expect(fault).toMatchObject({ kind: 'usage', code: 'no-such-file' })
    expect(fault.message).toContain(path.join(work, 'nothing/here.ko'))
  })

  test('that is not there is told', async () => {
    await expect(readSuite(path.join(work, 'none.json'))).rejects.toMatchObject({ code: 'no-such-file' })
  })
})
