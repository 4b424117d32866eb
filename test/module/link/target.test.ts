// SPDX-License-Identifier: GPL-3.0-or-later
// By which position the kernel is asked for a function that is replaced.
import { expect, test } from 'vitest'
import type { BindMode } from '../../../src/module/bind/distance.ts'
import { soonest } from '../../../src/module/link/target.ts'
import { namesOf, type SmallKernel } from '../small-kernel.ts'

const replaced: readonly (readonly [object: string, position: number])[] = [
  ['vmlinux', 0],
  ['vmlinux', 3],
  ['ext4', 0],
]

function positions(kernel: SmallKernel, mode: BindMode, buildId?: string) {
  const identity = { release: '6', version: '1', buildId }
  const positionFor = soonest({ names: namesOf(kernel), mode, identity })
  return replaced.map(([object, position]) => positionFor(object, position))
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
