// SPDX-License-Identifier: GPL-3.0-or-later
// Machine code as a reviewer reads it: disassembled, with what each instruction
// refers to by name, so that the same code at another address reads the same.
import type { Job } from '../../ground/job.ts'
import { disassemble as listed } from '../../match/disassembly.ts'

/** A field of the code that the linker or the loader fills in. */
export interface Reference {
  /** Bytes from the function's start. */
  readonly at: number
  /** Bytes. */
  readonly size: number
  /** True when the field holds a distance from its own place. */
  readonly relative: boolean
  readonly name: string
  /** Bytes from the name to where it leads, or the relocation's addend, which for a distance counts from the field. */
  readonly plus?: number
  readonly addend?: number
  /** It leads into the function itself: bytes from its start. */
  readonly inside?: number
  /** The string that it leads to, as C writes it. */
  readonly quoted?: string
}

export interface Code {
  readonly bytes: Buffer
  readonly references: readonly Reference[]
}

export interface Instruction {
  /** Bytes from the function's start. */
  readonly at: number
  readonly text: string
  /** Where a jump inside of the function leads, in bytes from its start; it is not part of `text`. */
  readonly target?: number
}

/** @returns the instructions of each code, in the order given; undefined when the machine has no objdump */
export async function disassemble(job: Job, codes: readonly Code[]): Promise<Instruction[][] | undefined> {
  const lists = await listed(
    job,
    codes.map(({ bytes }) => ({ bytes, address: 0n })),
  )
  return lists?.map((list, index) => {
    const { bytes: code, references } = codes[index]!
    const sorted = references.toSorted((a, b) => a.at - b.at)
    let next = 0
    return list.map(({ offset, bytes, text }) => {
      const end = offset + bytes.length
      while (next < sorted.length && sorted[next]!.at < offset) next++
      const first = next
      while (next < sorted.length && sorted[next]!.at < end) next++
      return readable(code.length, sorted.slice(first, next), text, offset, end)
    })
  })
}

/** One instruction with names in the place of numbers. */
function readable(length: number, references: readonly Reference[], raw: string, at: number, end: number): Instruction {
  let text = raw
    .replace(/\s+#.*$/, '')
    .replace(/\s+/g, ' ')
    .trim()
  const branch = /^((?:bnd |notrack |data16 |cs |ds )*(?:call|jmp|j[a-z]+|loop\w*|xbegin)[a-z]*) (0x[0-9a-f]+)$/.exec(
    text,
  )
  if (branch !== null) {
    const [reference] = references
    if (reference?.inside !== undefined) return { at, text: branch[1] ?? '', target: reference.inside }
    if (reference !== undefined) return { at, text: `${branch[1]} ${destination(reference, end)}` }
    const target = Number(BigInt.asIntN(64, BigInt(branch[2] ?? '')))
    if (target >= 0 && target < length) return { at, text: branch[1] ?? '', target }
    return { at, text: `${branch[1]} ${target < 0 ? '-' : '+'}0x${Math.abs(target).toString(16)}` }
  }
  for (const reference of references) {
    const name = destination(reference, end)
    const named = [
      /-?0x[0-9a-f]+(?=\(%[er]ip\))/,
      /-?0x[0-9a-f]+(?=\([^)]*,)/,
      /(?<=\$)-?0x[0-9a-f]+/,
      /-?0x[0-9a-f]+(?=\()/,
      /(?<=[ :*,])0x[0-9a-f]+/,
    ]
    // The place of the field in the instruction tells which number it is: an immediate one stands at the end.
    const last = reference.at + reference.size === end && !reference.relative
    const order = last ? [named[2], named[1], named[3], named[4]] : [named[0], named[1], named[3], named[4], named[2]]
    const pattern = order.find((one) => one?.test(text))
    text = pattern === undefined ? `${text} # ${name}` : text.replace(pattern, () => name)
  }
  return { at, text }
}

/** What a reference leads to, by name. */
function destination({ at, relative, plus, addend = 0, name, quoted }: Reference, end: number): string {
  if (quoted !== undefined) return quoted
  const offset = plus ?? (relative ? addend + (end - at) : addend)
  if (offset === 0) return name
  return offset > 0 ? `${name}+0x${offset.toString(16)}` : `${name}-0x${(-offset).toString(16)}`
}

/** Bytes of code that are disassembled: a thousand times what a live patch replaces. */
const mostCode = 16 * 1024 * 1024

/**
 * What a page shows of each code.
 * @param codes undefined: there is none
 * @param missing gets what is left out, and why
 */
export async function shownCode(
  job: Job,
  codes: readonly (Code | undefined)[],
  missing: string[],
): Promise<(Instruction[] | undefined)[]> {
  let sum = 0
  const shown = codes.map((code) => {
    sum += code?.bytes.length ?? 0
    return sum > mostCode ? undefined : code
  })
  if (sum > mostCode) missing.push('The machine code of some functions is not shown: it is too much to read')
  const texts = await disassemble(
    job,
    shown.flatMap((code) => code ?? []),
  )
  if (texts === undefined)
    missing.push('The machine code is not shown, because objdump (binutils) is not installed here')
  const rest = texts?.values()
  return shown.map((code) => (code === undefined ? undefined : rest?.next().value))
}
