// SPDX-License-Identifier: GPL-3.0-or-later
// Which boot of which machine this is: pids, and what was found out about the machine, hold for it alone.
import { readFileSync } from 'node:fs'

/** The kernel's random id of this boot; `unknown` where /proc does not tell. */
export function bootIdentity(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return 'unknown'
  }
}
