// SPDX-License-Identifier: GPL-3.0-or-later
// Every fix that both engines have to make a live patch of: the examples, the changes that are proven, and patches that
// were written for other tests. Each as patch text for one kernel.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { readExamples } from '../../src/demo/example.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { parsePatch } from '../../src/patch/parse.ts'
import type { Patch } from '../../src/patch/patch.ts'
import { changes, isFor } from '../changes/changes.ts'
import { diffOf } from '../changes/prove.ts'

export interface Fix {
  readonly name: string
  /** Where it comes from, for the table. */
  readonly from: 'example' | 'change' | 'authoring' | 'kpatch'
  /** The version of the one kernel that it is for. */
  readonly version?: string
  /** The rules whose warnings its author has thought about. */
  readonly allow?: readonly string[]
  patches(kernel: Kernel): Patch[]
}

const read = (file: string) => parsePatch(readFileSync(file), path.basename(file))

const patchesIn = (from: Fix['from'], dir: string, names: readonly string[]): Fix[] =>
  names.map((name) => ({ name, from, patches: () => [read(path.join(dir, `${name}.patch`))] }))

/** The fixes for kernels of a series. */
export function fixesFor(series: string): Fix[] {
  const examples = readExamples()
    .filter(({ kernel }) => kernel === undefined || kernel.version.startsWith(`${series}.`))
    .map(
      ({ name, patch, kernel }): Fix => ({
        name,
        from: 'example',
        ...(kernel === undefined ? {} : { version: kernel.version }),
        patches: () => [read(path.join('examples', patch))],
      }),
    )
  return [
    ...examples,
    ...changes.filter(isFor(series)).map(
      (change): Fix => ({
        name: change.name,
        from: 'change',
        ...(change.allow === undefined ? {} : { allow: change.allow }),
        patches: (kernel) => [parsePatch(diffOf(kernel, change), `${change.name}.patch`)],
      }),
    ),
    ...patchesIn('authoring', 'examples/authoring', [
      'callback',
      'ignore',
      'include',
      'module',
      'shadow',
      'state-1',
      'state-2',
    ]),
    ...patchesIn('kpatch', 'test/e2e/kpatch', ['fifos', 'sethostname', 'version']),
  ]
}
