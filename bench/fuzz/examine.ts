// SPDX-License-Identifier: GPL-3.0-or-later
// One case of the fuzzer: a pair of objects that may be anything goes the way of `inarch diff` and
// `inarch extract`. Whoever asks must get an answer or one clear sentence; all else is a fault of ours.
import { isDeepStrictEqual } from 'node:util'
import { pairLines } from '../../src/cli/render/pair.ts'
import { printable } from '../../src/cli/render/printable.ts'
import { compareObjects } from '../../src/diff/change.ts'
import { type ObjectFile, readObject } from '../../src/elf/read.ts'
import { redraft } from '../../src/elf/redraft.ts'
import { writeObject } from '../../src/elf/write.ts'
import { extract } from '../../src/extract/extraction.ts'
import { comparePair, quickReport } from '../../src/extract/pairs/pair.ts'
import { Fault } from '../../src/ground/fault.ts'
import type { GoodPair } from './corpus.ts'
import { type Forged, forge } from './forge.ts'
import { randomOf } from './random.ts'

export interface Case {
  readonly name: string
  readonly before: Forged
  readonly after: Forged
}

/** How a case may end: the pair was compared, or refused with a sentence. */
export type Ending = 'compared' | 'refused'

/**
 * @param seed of the whole run
 * @param number of the case; the same two numbers and objects make the same case
 */
export function caseOf(corpus: readonly GoodPair[], seed: number, number: number): Case {
  const random = randomOf(seed, number)
  const pair = random.pick(corpus)
  const good = (bytes: Buffer): Forged => ({ bytes, deeds: [] })
  // Both sides forged alike are the most dangerous: much of them is still the same.
  const stream = random.below(0x1_0000_0000)
  switch (random.below(8)) {
    case 0:
    case 1:
      return { name: pair.name, before: forge(pair.before, random), after: good(pair.after) }
    case 2:
    case 3:
      return { name: pair.name, before: good(pair.before), after: forge(pair.after, random) }
    case 4:
      // The forgery is all that differs.
      return { name: pair.name, before: good(pair.before), after: forge(pair.before, random) }
    case 5:
      return {
        name: pair.name,
        before: forge(pair.before, randomOf(seed, stream)),
        after: forge(pair.after, randomOf(seed, stream)),
      }
    case 6: {
      const other = random.pick(corpus)
      return {
        name: `${pair.name}; and ${other.name}`,
        before: forge(pair.before, random),
        after: forge(other.after, random),
      }
    }
    default:
      return { name: pair.name, before: forge(pair.before, random), after: forge(pair.after, random) }
  }
}

/** Compares the two as `inarch diff` does, and carries out what differs and what does not. */
function carry(before: ObjectFile, after: ObjectFile): void {
  const { report, draft } = comparePair(before, after, 'forged.o')
  JSON.parse(JSON.stringify(report))
  const lines = pairLines(report, true).map(printable)
  const unprintable = lines.find((line) => /[\n\r\x07]|\x1b(?!\[\d+m)/.test(line))
  if (unprintable !== undefined) throw new Error(`A terminal would obey ${JSON.stringify(unprintable)}`)
  const written = writeObject(draft)
  if (report.outcome === 'change') accept(written)
  if (report.outcome !== 'refused' && report.findings.some(({ severity }) => severity === 'error'))
    throw new Error(`An error does not refuse the pair: ${JSON.stringify(report.findings)}`)

  // Little changes between most pairs; so that much is carried, all functions are.
  const change = compareObjects(before, after, 'forged.o', { linesMoved: true })
  const changed = change.after.functions.flatMap((piece) => {
    const counterpart = change.correlation.counterpartOf(piece)
    return counterpart === undefined ? [] : [{ before: counterpart, after: piece, reasons: [] }]
  })
  const all = extract([{ change: { ...change, changed }, object: 'vmlinux' }], { has: () => true })
  const whole = writeObject(all.draft)
  // What is refused is not handed out; it only has to be possible to go on with it.
  if (!all.findings.some(({ severity }) => severity === 'error')) accept(whole)
}

/** The quick look at what differs must say what comparing all of it says. */
function agree(before: Buffer, after: Buffer, ending: Ending): void {
  const [b, a] = [
    { name: 'before.o', bytes: before },
    { name: 'after.o', bytes: after },
  ]
  const quick = quickReport(b, a)
  // What it does not look at may be wrong.
  if (quick === undefined || ending === 'refused') return
  const { report } = comparePair(readObject(before, b.name), readObject(after, a.name), a.name)
  if (report.findings.some(({ rule }) => rule === 'unknown-relocation')) return
  if (!isDeepStrictEqual(quick, report))
    throw new Error(`The quick look says ${JSON.stringify(quick)}, but it is ${JSON.stringify(report)}`)
}

/** What was written must be an object to the last relocation, whatever it was made of. */
function accept(written: Buffer): void {
  try {
    const object = readObject(written, 'written.o')
    for (const section of object.sections) object.relocations(section)
  } catch (error) {
    throw new Error(`What was written can't be read: ${(error as Error).message}`)
  }
}

/** @throws whatever is no Fault, or a Fault that says nothing */
function attempt(work: () => void): Ending {
  try {
    work()
    return 'compared'
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    if (error.kind === 'unexpected' || error.message.length < 10 || /undefined|NaN|\[object/.test(error.message))
      throw new Error(`The message is no help: ${error.message}`)
    return 'refused'
  }
}

/** @throws Error when something other than an answer or a clear sentence came out */
export function examine({ before, after }: Case): Ending {
  const ending = attempt(() => carry(readObject(before.bytes, 'before.o'), readObject(after.bytes, 'after.o')))
  attempt(() => agree(before.bytes, after.bytes, ending))
  for (const { bytes } of [before, after])
    attempt(() => accept(writeObject(redraft(readObject(bytes, 'again.o'), () => true))))
  return ending
}
