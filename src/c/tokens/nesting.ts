// SPDX-License-Identifier: GPL-3.0-or-later
// How deeply statements may lie in each other: what reads them calls itself for each.
import { Fault } from '../../ground/fault.ts'
import type { Token } from './lexer.ts'

/** Statements in each other; compilers need not take more than 127 blocks (C11, 5.2.4.1). */
const deepest = 1000

/**
 * @param token with which the statement begins
 * @throws Fault `patch/too-deep`
 */
export function refuseTooDeep(depth: number, { line }: Token): void {
  if (depth <= deepest) return
  throw new Fault('patch', 'too-deep', `Statements are nested too deeply, at line ${line}`, {
    remedy: `Only generated text has more than ${deepest} in each other; put them into functions`,
  })
}
