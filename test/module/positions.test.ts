// SPDX-License-Identifier: GPL-3.0-or-later
// By which position the kernel is asked for a function that is replaced.
import { expect, test } from 'vitest'
import type { BindMode } from '../../src/module/distance.ts'
import { soonest } from '../../src/module/positions.ts'
import type { PositionedFunction } from '../../src/module/tables.ts'
import { namesOf, type SmallKernel } from './small-kernel.ts'

const replaced = [
  ['vmlinux', 0],
  ['vmlinux', 3],
  ['ext4', 0],
].map(([object, sympos]) => ({ object, sympos })) as unknown as PositionedFunction[]

function positions(kernel: SmallKernel, mode: BindMode, buildId?: string) {
  const identity = { release: '6', version: '1', buildId }
  return soonest(replaced, { names: namesOf(kernel), mode, identity }).map(({ sympos }) => sympos)
}

test('where the kernel walks through its symbols, the walk ends at the only one of the name', () => {
  expect(positions({}, 'distance', 'ab12')).toEqual([1, 3, 0])
})

test('where it does not, or another image could be meant, the kernel sees to it that it is the only one', () => {
  const direct = { symbols: { 'vmlinux klp_match_callback': [{ type: 't' }] } }
  expect(positions(direct, 'distance', 'ab12')).toEqual([0, 3, 0])
  expect(positions({}, 'klp', 'ab12')).toEqual([0, 3, 0])
  expect(positions({}, 'distance')).toEqual([0, 3, 0])
})
