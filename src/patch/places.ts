// SPDX-License-Identifier: GPL-3.0-or-later
// Where the lines of a hunk stand in a file. Both may be made to take long: a million equal lines, a hunk of as many.
// So the search is linear (Knuth, Morris, Pratt: "Fast pattern matching in strings"), and all of it for a patch has a
// budget.
import { Fault } from '../ground/fault.ts'
import { getOrInsertComputed } from '../ground/values/remembered.ts'

/** Lines that may be looked at for one set of patches: a large real one takes a hundredth of it. */
const budget = 100_000_000

/** What is left of the budget. */
export class Effort {
  private left: number

  constructor(lines = budget) {
    this.left = lines
  }

  /** @throws Fault `patch/too-much-to-search` */
  spend(lines: number, where: string): void {
    this.left -= lines
    if (this.left < 0)
      throw new Fault(
        'patch',
        'too-much-to-search',
        `${where}: too many hunks stand at other lines than they say, in too large files`,
        { remedy: "Make the patch against this kernel's source" },
      )
  }
}

/** Lines as numbers: equal ones have the same. */
export class Numbered {
  private readonly numbers = new Map<string, number>()
  private readonly lines: Int32Array

  constructor(lines: readonly { readonly text: string }[]) {
    this.lines = Int32Array.from(lines, ({ text }) => getOrInsertComputed(this.numbers, text, () => this.numbers.size))
  }

  /** -1 stands for what is in no line. */
  private numbersOf(side: readonly { readonly text: string }[]): Int32Array {
    return Int32Array.from(side, ({ text }) => this.numbers.get(text) ?? -1)
  }

  /** Every 0-based place from `from` on where `side`, which is not empty, stands. */
  places(side: readonly { readonly text: string }[], from: number): number[] {
    const wanted = this.numbersOf(side)
    if (wanted.includes(-1)) return []
    // How much of the beginning still matches when the next line does not.
    const shorter = new Int32Array(wanted.length + 1)
    for (let at = 1, matched = 0; at < wanted.length; at++) {
      while (matched > 0 && wanted[at] !== wanted[matched]) matched = shorter[matched]!
      if (wanted[at] === wanted[matched]) matched++
      shorter[at + 1] = matched
    }
    const found: number[] = []
    for (let at = from, matched = 0; at < this.lines.length; at++) {
      while (matched > 0 && this.lines[at] !== wanted[matched]) matched = shorter[matched]!
      if (this.lines[at] === wanted[matched]) matched++
      if (matched < wanted.length) continue
      found.push(at + 1 - matched)
      matched = shorter[matched]!
    }
    return found
  }

  /**
   * The place where most of those lines of `side` stand that are not everywhere in the file; of two, the one nearer to
   * `expected`, and that one itself when there is none.
   */
  closest(side: readonly { readonly text: string }[], expected: number): number {
    const common = 64
    const wanted = new Set(this.numbersOf(side))
    const where = new Map<number, number[]>()
    this.lines.forEach((number, at) => {
      if (!wanted.has(number)) return
      const all = where.get(number) ?? []
      if (all.length <= common) all.push(at)
      where.set(number, all)
    })
    const votes = new Map<number, number>()
    this.numbersOf(side).forEach((number, index) => {
      const all = where.get(number) ?? []
      if (all.length <= common)
        for (const at of all) if (at >= index) votes.set(at - index, (votes.get(at - index) ?? 0) + 1)
    })
    let best = Math.max(0, Math.min(expected, this.lines.length))
    let most = votes.get(best) ?? 0
    for (const [at, count] of votes)
      if (count > most || (count === most && Math.abs(at - expected) < Math.abs(best - expected))) {
        best = at
        most = count
      }
    return best
  }
}
