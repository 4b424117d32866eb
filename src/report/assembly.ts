// SPDX-License-Identifier: GPL-3.0-or-later
// Machine code as a reviewer reads it: disassembled by objdump, all functions in one run, with what each instruction
// refers to by name, so that the same code at another address reads the same.
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { command } from '../ground/command.ts'
import type { Job } from '../ground/job.ts'
import { withScratch } from '../ground/scratch.ts'

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

/** Bytes of padding between functions in what is disassembled, so that none runs into the next. */
const gap = 32
const nop = 0x90

/**
 * @returns the instructions of each code, in the order given
 * @throws Fault `environment/program-missing` when there is no objdump
 */
export async function disassemble(job: Job, codes: readonly Code[]): Promise<Instruction[][]> {
  if (codes.length === 0) return []
  const starts: number[] = []
  const parts: Buffer[] = []
  let size = 0
  for (const { bytes } of codes) {
    starts.push(size)
    parts.push(bytes, Buffer.alloc(gap, nop))
    size += bytes.length + gap
  }
  const { stdout } = await withScratch(async (dir) => {
    const file = path.join(dir, 'code.bin')
    await writeFile(file, Buffer.concat(parts))
    return await command(
      'objdump',
      ['-D', '-w', '-z', '-b', 'binary', '-m', 'i386:x86-64', '--no-show-raw-insn', file],
      { signal: job.signal },
    )
  })
  const lines: { at: number; text: string }[] = []
  for (const line of stdout.split('\n')) {
    const match = /^\s*([0-9a-f]+):\t(.*)$/.exec(line)
    if (match !== null) lines.push({ at: Number.parseInt(match[1] ?? '', 16), text: match[2] ?? '' })
  }
  let next = 0
  return codes.map((code, index) => {
    const start = starts[index] ?? 0
    const end = start + code.bytes.length
    const list: Instruction[] = []
    while (next < lines.length && (lines[next]?.at ?? 0) < start) next++
    for (; next < lines.length; next++) {
      const line = lines[next]
      if (line === undefined || line.at >= end) break
      const after = lines[next + 1]?.at ?? end
      list.push(readable(code, line.text, line.at - start, after - start, start))
    }
    return list
  })
}

/** One instruction with names in the place of numbers. */
function readable(code: Code, raw: string, at: number, end: number, start: number): Instruction {
  let text = raw
    .replace(/\s+#.*$/, '')
    .replace(/\s+/g, ' ')
    .trim()
  const references = code.references.filter((one) => one.at >= at && one.at < end)
  const branch =
    /^((?:bnd |notrack |data16 |cs |ds )*(?:call|jmp|j[a-z]+|loop\w*|xbegin)[a-z]*) (-?0x[0-9a-f]+)$/.exec(
      text,
    )
  if (branch !== null) {
    const [reference] = references
    if (reference?.inside !== undefined) return { at, text: branch[1] ?? '', target: reference.inside }
    if (reference !== undefined) return { at, text: `${branch[1]} ${destination(reference, end)}` }
    const target = Number.parseInt(branch[2] ?? '', 16) - start
    if (target >= 0 && target < code.bytes.length) return { at, text: branch[1] ?? '', target }
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
    const order = last
      ? [named[2], named[1], named[3], named[4]]
      : [named[0], named[1], named[3], named[4], named[2]]
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
