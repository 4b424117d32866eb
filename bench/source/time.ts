// SPDX-License-Identifier: GPL-3.0-or-later
// How long the programs worked that this process has run: what they cost, however busy the machine is.
import { readFileSync } from 'node:fs'

/** ms in one clock tick: USER_HZ is 100 on x86-64. */
const tick = 10

/** ms of the processor of all programs that this process ran and that have ended (cutime and cstime of proc(5)). */
export function childrenTime(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8')
  // The second field is a name that may hold anything; the third comes behind its parenthesis.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[13]) + Number(fields[14])) * tick
}
