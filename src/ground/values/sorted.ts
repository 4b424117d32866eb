// SPDX-License-Identifier: GPL-3.0-or-later
// Places in what is sorted, found by halving.

/**
 * @param isInFront true for the first ones, false for all behind them
 * @returns how many are in front
 */
export function countInFront(length: number, isInFront: (index: number) => boolean): number {
  let [low, high] = [0, length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (isInFront(middle)) low = middle + 1
    else high = middle
  }
  return low
}

/** The index of the last of some ascending numbers that is `most` or less; -1 when none is. */
export function lastUpTo(numbers: ArrayLike<number>, most: number): number {
  return countInFront(numbers.length, (index) => numbers[index]! <= most) - 1
}
