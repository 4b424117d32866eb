// SPDX-License-Identifier: GPL-3.0-or-later
// What is made of what, among types, must come to an end.

/** Types that people write are nested a few steps deep; the kernel itself takes no more than 32. */
const deepest = 100

/**
 * Refuses a type that is made of itself (without a pointer between), and one whose words would have no end: a pointer
 * to itself without a name.
 */
export function checkCircles(
  count: number,
  edges: (type: number) => readonly number[],
  bad: (why: string) => never,
): void {
  // 1: on the way, 2: done.
  const state = new Uint8Array(count)
  /** Steps to the end of the longest way from a type. */
  const depth = new Uint8Array(count)
  const way: { type: number; next: readonly number[]; at: number }[] = []
  for (let start = 1; start < count; start++) {
    if (state[start] !== 0) continue
    state[start] = 1
    way.push({ type: start, next: edges(start), at: 0 })
    for (let top = way.at(-1); top !== undefined; top = way.at(-1)) {
      const next = top.next[top.at++]
      if (next === undefined) {
        state[top.type] = 2
        way.pop()
        for (const one of top.next) depth[top.type] = Math.max(depth[top.type]!, depth[one]! + 1)
        if (depth[top.type]! > deepest) bad(`type ${top.type} is nested too deeply`)
      } else if (next > 0 && state[next] !== 2) {
        if (state[next] === 1) bad(`type ${next} is made of itself`)
        state[next] = 1
        way.push({ type: next, next: edges(next), at: 0 })
      }
    }
  }
}
