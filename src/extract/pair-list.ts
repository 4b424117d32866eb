// SPDX-License-Identifier: GPL-3.0-or-later
// The file that names many pairs: a line for each, `BEFORE<tab>AFTER`; a space will do when the names have none.
// Empty lines and lines that begin with # are passed over.
import { readFile } from 'node:fs/promises'
import { Fault } from '../ground/fault.ts'
import type { PairFiles } from './pairs.ts'

/** @throws Fault `usage/no-such-file`, `usage/bad-pairs` with the line */
export async function readPairList(file: string): Promise<PairFiles[]> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new Fault('usage', 'no-such-file', `${file} can't be read: ${(error as Error).message}`)
  }
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
