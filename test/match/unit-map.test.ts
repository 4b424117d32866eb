// SPDX-License-Identifier: GPL-3.0-or-later
// Where the things of a unit are in a linked program that plays the kernel.
import { expect, test } from 'vitest'
import { splitObject } from '../../src/diff/object/split-object.ts'
import { mapUnit } from '../../src/match/unit-map.ts'
import { compile } from '../objects.ts'
import { atomOf, link } from './small-image.ts'

const uses = (name: string, variable: string, by: number) => `int ${name}(int a) { return a * ${by} + ${variable}++; }`

test('what two functions place differently widens no range in which others are looked for', () => {
  const [f1, f2, f3] = [uses('f1', 'x', 3), uses('f2', 'x', 5), uses('f3', 'z', 7)]
  const another = (name: string) => `static int y = 1; ${uses(name, 'y', 9)}`
  const kernel = link(
    another('before'),
    `static int x = 2; ${f1}`,
    `static int z = 3; ${f3}`,
    another('between'),
    `static int x = 2; ${f2}`,
  )
  const unit = splitObject(compile(`static int x = 2, y = 1, z = 3; ${f1} ${f2} ${f3} int f4(void) { return y++; }`))
  const { places } = mapUnit(kernel, unit)
  const placeOf = (name: string) => places.get(atomOf(unit, name))
  expect(kernel.addressesOf('x')).toHaveLength(2)
  expect(placeOf('z')).toBe(kernel.addressesOf('z')[0])
  expect(placeOf('x')).toBeUndefined()
  // Only a range up to the x of another unit would have one of the two in it.
  expect(placeOf('y')).toBeUndefined()
})
