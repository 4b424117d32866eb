// SPDX-License-Identifier: GPL-3.0-or-later
// A disk that is full, as the system and as programs tell it. Whatever was being done then, this is what is wrong.
import { Fault } from './fault.ts'

const ofCache =
  'Free some space (`inarch kernels prune` removes superseded kernels), or set XDG_CACHE_HOME to a ' +
  'directory on another disk'

/**
 * @param detail what the system said
 * @param remedy where it is not the cache's disk
 */
export function diskFull(detail: string, message = 'The disk is full', remedy = ofCache): Fault {
  return new Fault('environment', 'disk-full', message, { remedy, detail })
}

/** The system's error codes that say so: no space, no quota. */
export function isDiskFull(code: unknown): boolean {
  return code === 'ENOSPC' || code === 'EDQUOT'
}

const said = /No space left on device|Disk quota exceeded|You don't have enough free space/
/**
 * A compiler names the place in the source where it was when it could not write; it says `error` of what a source says.
 */
const quoted = /^\s*\d* \||\.[a-zA-Z]+:\d+(?::\d+)?: (?!fatal error: error (?:writing|closing))/

/** The line of a program's complaints that says so; what it only quotes from a source does not count. */
export function diskFullLine(complaints: string): string | undefined {
  if (!said.test(complaints)) return undefined
  return complaints.split('\n').find((line) => said.test(line) && !quoted.test(line))
}
