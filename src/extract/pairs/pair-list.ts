// SPDX-License-Identifier: GPL-3.0-or-later
// The file that names many pairs: a line for each, `BEFORE<tab>AFTER`; a space will do when the names have none.
// Empty lines and lines that begin with # are passed over.
import { Fault } from '../../ground/fault.ts'
import { inputKinds, readInput } from '../../ground/input.ts'
import type { PairFiles } from './pairs.ts'

/** @throws Fault `usage/bad-pairs` with the line, and what `readInput` throws */
export async function readPairList(file: string): Promise<PairFiles[]> {
  const text = (await readInput(file, inputKinds.list)).toString('utf8')
  return text.split('\n').flatMap((line, index) => {
    const trimmed = line.trim()
    if (trimmed === '' || trimmed.startsWith('#')) return []
    const parts = trimmed.includes('\t') ? trimmed.split(/\t+/) : trimmed.split(/ +/)
    const [before, after] = parts
    if (before === undefined || after === undefined || parts.length !== 2)
      throw new Fault('usage', 'bad-pairs', `${file}:${index + 1} does not name two objects`, {
        remedy: 'Write one pair on each line, with a tab between the two names',
      })
    return [{ before, after }]
  })
}
