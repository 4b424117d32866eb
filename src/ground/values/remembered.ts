// SPDX-License-Identifier: GPL-3.0-or-later
// Answers that are worked out when they are first asked for, and kept.

/**
 * The value of a key; where there is none, it is computed and kept: JavaScript's own
 * `Map.prototype.getOrInsertComputed`, which Node does not have yet, for values that are never undefined.
 */
export function getOrInsertComputed<K, V>(
  values: { get(key: K): V | undefined; set(key: K, value: V): unknown },
  key: K,
  compute: () => V,
): V {
  let value = values.get(key)
  if (value === undefined) {
    value = compute()
    values.set(key, value)
  }
  return value
}

/** A value that is worked out when it is first asked for. */
export function lazy<T>(make: () => T): () => T {
  let known: { readonly value: T } | undefined
  return () => {
    known ??= { value: make() }
    return known.value
  }
}

/** A function that works out each answer once. */
export function remembered<K, T>(answer: (about: K) => T): (about: K) => T {
  const known = new Map<K, T>()
  return (about) => {
    if (!known.has(about)) known.set(about, answer(about))
    return known.get(about)!
  }
}
