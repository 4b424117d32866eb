// SPDX-License-Identifier: GPL-3.0-or-later
// The real archive's patches of a real-time kernel, as far as a minute's work shows them; that the kernels
// are what they make is proven by `npm run test:flavours`.
import { expect, test } from 'vitest'
import type { Fault } from '../../src/ground/fault.ts'
import { silentJournal } from '../../src/ground/job.ts'
import { archiveOf } from '../../src/kernel/apt.ts'
import { archiveKernels } from '../../src/kernel/archive.ts'
import { featurePatches } from '../../src/kernel/packaging.ts'

const job = { signal: new AbortController().signal, journal: silentJournal() }

test('the patches of a real-time kernel come from its source package', async ({ skip }) => {
  const archive = archiveOf()
  const kernels = (await archiveKernels(job, archive)).filter(({ flavour }) => flavour === 'rt-amd64')
  for (const { feature, packages } of kernels) {
    expect(feature).toBe('rt')
    const source = packages[3]!.source
    const patches = await featurePatches(job, archive, source, feature!).catch((error: Fault) => {
      // The archive's lists can be ahead of its files.
      expect([error.code, error.message]).toEqual(['source-missing', expect.stringContaining(source.version)])
    })
    if (patches === undefined) continue
    expect(patches.length).toBeGreaterThan(10)
    const made = patches.flatMap(({ files }) => files.flatMap(({ newPath }) => newPath ?? []))
    expect(made).toContain('b/localversion-rt')
    expect(made.some((name) => name.startsWith('b/kernel/'))).toBe(true)
    return
  }
  skip('the archive has no source of a real-time kernel')
})
