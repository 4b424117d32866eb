// SPDX-License-Identifier: GPL-3.0-or-later
// Values by what they have in common; their order is kept.
import { getOrInsertComputed } from './remembered.ts'

/** Adds a value to the list of its key. */
export function addTo<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  getOrInsertComputed(lists, key, () => []).push(value)
}

/** Adds a value to the list of its key, unless it is there. */
export function addOnce<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = getOrInsertComputed(lists, key, () => [])
  if (!list.includes(value)) list.push(value)
}

/** Adds a value to the set of its key. */
export function addToSet<K, V>(sets: Map<K, Set<V>>, key: K, value: V): void {
  getOrInsertComputed(sets, key, () => new Set()).add(value)
}

/** The first value with the key that most of them have, and of several such keys the one that comes first. */
export function mostFrequent<K, V>(values: Iterable<V>, keyOf: (value: V) => K): V | undefined {
  return [...grouped(values, keyOf).values()].sort((a, b) => b.length - a.length)[0]?.[0]
}

/** @returns the values of each key, keys in the order of their first values */
export function grouped<K, V>(values: Iterable<V>, keyOf: (value: V) => K): Map<K, V[]> {
  const lists = new Map<K, V[]>()
  for (const value of values) addTo(lists, keyOf(value), value)
  return lists
}
