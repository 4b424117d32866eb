// SPDX-License-Identifier: GPL-3.0-or-later
// Live patches made of source: on the second series, states that one takes over from another, and one that only the
// binary engine can make.
import { expect, test } from 'vitest'
import type { Fault } from '../../src/ground/fault.ts'
import { buildSecretSet, describeMade } from '../e2e/source/made.ts'

describeMade('trixie', ['shadow', 'include'])
describeMade('bookworm', ['state-2'])

test('a fix of which only one engine makes a live patch is refused, unless the author allows that', async () => {
  const fault = await buildSecretSet([]).catch((error: unknown) => error)
  expect(fault).toMatchObject({ kind: 'refused', code: 'engines-differ' })
  expect((fault as Fault).remedy).toContain('--allow engines-differ')
  expect((fault as Fault).findings).toContainEqual(
    expect.objectContaining({ severity: 'error', rule: 'engines-differ' }),
  )
})
