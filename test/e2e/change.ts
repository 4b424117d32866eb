// SPDX-License-Identifier: GPL-3.0-or-later
// Writes the patches that the tests try: a small change to a file of the kernel that is there.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Kernel } from '../../src/kernel/kernel.ts'

/** Writes `DIR/NAME.patch`, which puts `to` in the place of `from` in a file of the kernel. */
export function writePatch(dir: string, name: string, kernel: Kernel, file: string, from: string, to: string): string {
  const original = path.join(kernel.source, file)
  const text = readFileSync(original, 'latin1')
  if (!text.includes(from)) throw new Error(`${file} does not have ${from}`)
  const changed = path.join(dir, `${name}.changed`)
  writeFileSync(
    changed,
    text.replace(from, () => to),
    'latin1',
  )
  const labels = ['--label', `a/${file}`, '--label', `b/${file}`]
  const { status, stdout } = spawnSync('diff', ['-u', ...labels, original, changed])
  if (status !== 1) throw new Error(`${name} changes nothing in ${file}`)
  const patch = path.join(dir, `${name}.patch`)
  writeFileSync(patch, stdout)
  return patch
}
