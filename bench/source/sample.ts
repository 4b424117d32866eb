// SPDX-License-Identifier: GPL-3.0-or-later
// Picks units and functions at random, but the same ones for the same seed.
import type { Unit } from '../../src/build/kbuild/units.ts'

/** Where a unit belongs: each area gives as many units as every other, as long as it has some. */
const areas = ['core', 'mm', 'fs', 'net', 'drivers'] as const
type Area = (typeof areas)[number]

function areaOf(source: string): Area {
  const top = source.slice(0, source.indexOf('/'))
  if (top === 'sound') return 'drivers'
  return areas.find((area) => area === top) ?? 'core'
}

/** Numbers from 0 to below 1 that follow from a text (FNV-1a, then mulberry32). */
export function randomFrom(seed: string): () => number {
  let state = 0x811c9dc5
  for (let index = 0; index < seed.length; index++) state = Math.imul(state ^ seed.charCodeAt(index), 0x01000193)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The same items in an order that the generator picks. */
export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const list = [...items]
  for (let last = list.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    ;[list[last], list[other]] = [list[other]!, list[last]!]
  }
  return list
}

/** All units of a kernel that a live patch reaches, in the order in which they are tried. */
export function unitOrder(units: readonly Unit[], seed: string): Unit[] {
  const random = randomFrom(`units ${seed}`)
  const queues = areas.map((area) =>
    shuffled(
      units.filter(({ home, flags, source }) => home !== 'elsewhere' && flags !== undefined && areaOf(source) === area),
      random,
    ),
  )
  const order: Unit[] = []
  for (let round = 0; order.length < queues.reduce((sum, queue) => sum + queue.length, 0); round++)
    for (const queue of queues) {
      const unit = queue[round]
      if (unit !== undefined) order.push(unit)
    }
  return order
}

/** Some of a unit's functions. */
export function chooseFunctions(names: readonly string[], unit: string, seed: string, count: number): string[] {
  return shuffled([...names].sort(), randomFrom(`functions ${seed} ${unit}`)).slice(0, count)
}
