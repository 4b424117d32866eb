// SPDX-License-Identifier: GPL-3.0-or-later
// Which way round a fix fits a kernel: as it is, or turned around where the kernel has it. To undo a fix is a live
// patch as good as the fix itself.
import { readFileSync } from 'node:fs'
import { Fault } from '../../src/ground/fault.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { applyPatches } from '../../src/patch/apply.ts'
import { parsePatch } from '../../src/patch/parse.ts'
import type { Patch } from '../../src/patch/patch.ts'
import { reversed } from '../../test/fixes/reversed.ts'
import { type ChosenFix, patchOf, readChoices } from './choice.ts'

/** A fix, the way round in which it fits a kernel. */
export interface FittingFix {
  readonly fix: ChosenFix
  readonly patch: Patch
  /** The kernel has the fix, and the patch undoes it. */
  readonly reversed: boolean
}

/**
 * The fixes of a set that fit a kernel. None of them fits both ways round: what it changes would have to stand there
 * twice.
 */
export async function fittingFixes(kernel: Kernel, set: string, fixes: readonly ChosenFix[]): Promise<FittingFix[]> {
  const found: FittingFix[] = []
  for (const fix of fixes) {
    const text = readFileSync(patchOf(set, fix.id), 'latin1')
    for (const back of [false, true]) {
      const patch = parsePatch(Buffer.from(back ? reversed(text) : text, 'latin1'), `${fix.id}.patch`)
      if (!(await fits(kernel, patch))) continue
      found.push({ fix, patch, reversed: back })
      break
    }
  }
  return found
}

/** The fixes of all sets that come from the kernel's series, as far as they fit it. */
export async function fixesOf(kernel: Kernel): Promise<FittingFix[]> {
  const own = readChoices().filter(({ series }) => series === kernel.series)
  return (await Promise.all(own.map(({ set, fixes }) => fittingFixes(kernel, set, fixes)))).flat()
}

async function fits(kernel: Kernel, patch: Patch): Promise<boolean> {
  try {
    await applyPatches(kernel.source, [patch], {})
    return true
  } catch (error) {
    if (error instanceof Fault && error.kind === 'patch') return false
    throw error
  }
}
