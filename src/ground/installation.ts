// SPDX-License-Identifier: GPL-3.0-or-later
// Files that Inarch brings along besides its program: they lie beside the sources and beside the bundle.
import { existsSync } from 'node:fs'
import path from 'node:path'
import { Fault } from './fault.ts'

/**
 * The absolute path of a file that Inarch brings along, such as `kernel/livepatch.c`.
 * @throws Fault `environment/incomplete-installation`
 */
export function shippedFile(name: string): string {
  for (let dir = import.meta.dirname; dir !== path.dirname(dir); dir = path.dirname(dir)) {
    const file = path.join(dir, name)
    if (existsSync(file)) return file
  }
  throw new Fault('environment', 'incomplete-installation', `${name} is missing`, {
    remedy: 'Install Inarch again',
  })
}
