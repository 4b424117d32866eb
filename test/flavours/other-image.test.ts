// SPDX-License-Identifier: GPL-3.0-or-later
// No kernel but its own takes a live patch: not the neighbour, not another flavour of the same version. What refuses it
// is the kernel where the checksums of the symbols differ, and the live patch itself where they are the same.
import { expect, test } from 'vitest'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { loadedOn, olderThan } from '../e2e/other-image.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
/** By the live patch itself, or by the kernel where the checksums of its symbols are others. */
const refusal =
  /livepatch_by_\w+: (made for \S+ .*, and this kernel is|version magic '.*' should be|disagrees about version of symbol)/

test.each([
  ['bookworm', 'bookworm-amd64'],
  ['bookworm-amd64', 'bookworm'],
  ['bookworm', 'bookworm-rt'],
  ['trixie', 'trixie-amd64'],
  ['bookworm', undefined],
  ['trixie', undefined],
])('made for %s, %s (by default the kernel before) refuses it', async (wish, otherWish) => {
  const kernel = await selectKernel(job, wish)
  const other = otherWish === undefined ? await olderThan(kernel) : await selectKernel(job, otherWish)
  const { outcomes, log } = await loadedOn(other!, kernel)
  expect(outcomes).toEqual(['by distance: refused', 'by name: refused'])
  expect(log).toMatch(refusal)
})
