// SPDX-License-Identifier: GPL-3.0-or-later
// The object that carries what changed between two objects, as a file.
import type { ObjectFile } from '../../elf/read.ts'
import { writeObject } from '../../elf/write.ts'
import { Fault } from '../../ground/fault.ts'
import { writeWhole } from '../../ground/whole-file.ts'
import { type ComparedPair, comparePair } from './pair.ts'

/**
 * Writes `output`, which is not seen before it is whole.
 * @throws Fault `refused/not-live-patchable`, `refused/no-functional-change` with findings
 */
export async function extractPair(
  before: ObjectFile,
  after: ObjectFile,
  unit: string,
  output: string,
): Promise<ComparedPair> {
  const pair = comparePair(before, after, unit)
  const { outcome, findings } = pair.report
  if (outcome === 'refused')
    throw new Fault('refused', 'not-live-patchable', "The change can't be live patched", { findings })
  if (outcome === 'none')
    throw new Fault('refused', 'no-functional-change', 'There is no change to carry', { findings })
  await writeWhole(output, writeObject(pair.draft))
  return pair
}
