// SPDX-License-Identifier: GPL-3.0-or-later
// A difference in words: what the compiler makes, and what the kernel runs.
import type { Job } from '../ground/job.ts'
import type { CodeMismatch } from './compare.ts'
import { disassemble } from './disassembly.ts'
import type { Destination, ToldEntry } from './expectation.ts'

/** Both instructions of each difference as text; as bytes where there is no objdump, empty where there is nothing. */
export async function instructionsOf(
  job: Job,
  differences: readonly CodeMismatch[],
): Promise<{ ours: string; theirs: string }[]> {
  const sides = differences.flatMap(({ ours, theirs, at, address }) => [
    { bytes: Buffer.from(ours, 'hex'), address: BigInt(at) },
    { bytes: Buffer.from(theirs, 'hex'), address },
  ])
  const listing = await disassemble(job, sides)
  const textOf = (index: number): string => {
    const { bytes } = sides[index]!
    const hex = bytes.toString('hex').replace(/..(?=.)/g, '$& ')
    return listing?.[index]?.[0]?.text ?? hex
  }
  return differences.map((_, index) => ({ ours: textOf(2 * index), theirs: textOf(2 * index + 1) }))
}

function textsOf({ fields }: ToldEntry): string {
  return fields.flatMap(({ to }) => ('part' in to ? [] : destinationName(to))).join(', ')
}

/** What a field leads to, for a person. */
export function destinationName(to: Destination): string {
  if ('symbol' in to) return to.plus ? `${to.symbol}+0x${to.plus.toString(16)}` : to.symbol
  if ('holds' in to) {
    const bytes = Buffer.from(to.holds, 'base64')
    const text = bytes.toString('latin1').replace(/\0$/, '')
    return /^[\t\n\x20-\x7e]*$/.test(text)
      ? JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
      : `a constant (${bytes.toString('hex').slice(0, 32)})`
  }
  if ('file' in to) return JSON.stringify(to.file)
  if ('value' in to) return `0x${to.value.toString(16)}`
  if ('entry' in to) return `its own entry of a table, which says ${textsOf(to.entry)}`
  if ('complaint' in to) return `what UBSAN tells, which says ${textsOf(to.complaint)}`
  if ('part' in to) return `its part ${to.part}`
  return 'something'
}

/**
 * Says in a clause what differs.
 * @param nameOf what lies at an address, such as `kfree+0x10`
 */
export function describe(
  { why, at, part, expected, found, against, theirs }: CodeMismatch,
  text: { readonly ours: string; readonly theirs: string },
  nameOf: (address: bigint) => string | undefined = () => undefined,
): string {
  const place = `at +0x${at.toString(16)}${part === 0 ? '' : ' of its cold or out-of-line part'}`
  if (why === 'nothing-there') return 'there is no code at its address'
  if (theirs === '') return `${place} the code ends`
  const both = `\`${text.ours}\` is expected, and \`${text.theirs}\` runs`
  if (why === 'leads-elsewhere' && expected !== undefined && found !== undefined) {
    const there = nameOf(found) ?? `0x${found.toString(16)}`
    return `${place} it refers to ${there} instead of ${destinationName(expected)} (${both})`
  }
  if (why === 'displaced' && expected !== undefined && against !== undefined && 'symbol' in expected)
    return against.name === expected.symbol
      ? `${place} it refers to the static ${expected.symbol} at another address than the code before (${both})`
      : `${place} it refers to the static ${expected.symbol} where ${against.name} is (${both})`
  if (why === 'jump') return `${place} a jump has another target (${both})`
  return `${place} ${both}`
}
