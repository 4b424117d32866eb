// SPDX-License-Identifier: GPL-3.0-or-later
// Random numbers that are the same every time: each case of the fuzzer has a stream of its own, so that one
// can be repeated without those before it. The generator is xoshiro128** (Blackman and Vigna, 2018).

export interface Random {
  /** A whole number from 0 up to, but not, `limit`; 0 when `limit` is. */
  below(limit: number): number
  /** True once in `times`. */
  oneIn(times: number): boolean
  pick<T>(list: readonly T[]): T
}

/** splitmix32: spreads a few small numbers over the generator's state. */
function* spread(seed: number): Generator<number, never> {
  for (let state = seed | 0; ; ) {
    state = (state + 0x9e3779b9) | 0
    let z = state ^ (state >>> 16)
    z = Math.imul(z, 0x21f0aaad)
    z ^= z >>> 15
    z = Math.imul(z, 0x735a2d97)
    yield (z ^ (z >>> 15)) >>> 0
  }
}

/** @param numbers what the stream is of, such as the seed and the case's number */
export function randomOf(...numbers: readonly number[]): Random {
  let seed = 0
  for (const number of numbers) seed = spread(seed ^ number).next().value ^ spread(number / 2 ** 32).next().value
  const source = spread(seed)
  const state = Uint32Array.from({ length: 4 }, () => source.next().value)
  const next = (): number => {
    const [a, b, c, d] = state as unknown as [number, number, number, number]
    const product = Math.imul(b, 5)
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0
    const third = c ^ a
    const fourth = d ^ b
    state[1] = b ^ third
    state[0] = a ^ fourth
    state[2] = third ^ (b << 9)
    state[3] = (fourth << 11) | (fourth >>> 21)
    return result
  }
  const below = (limit: number) => (limit > 0 ? next() % limit : 0)
  return {
    below,
    oneIn: (times) => below(times) === 0,
    pick: (list) => list[below(list.length)]!,
  }
}
