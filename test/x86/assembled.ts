// SPDX-License-Identifier: GPL-3.0-or-later
// Instructions as a real assembler writes them.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { readObject, type Section } from '../../src/elf/read.ts'
import { decodeInstruction, type Instruction } from '../../src/x86/instruction.ts'
import { compiler, work } from '../objects.ts'

let number = 0

/** Assembles lines of GNU syntax; `var` is a symbol of another section. @returns the code, and the object's file */
export function assemble(lines: string): { readonly text: Section; readonly file: string } {
  const base = path.join(work, `assembled-${++number}`)
  writeFileSync(`${base}.s`, `.text\n${lines}\n.bss\nvar: .skip 64\n`)
  execFileSync(compiler, ['-c', '-o', `${base}.o`, `${base}.s`], { stdio: ['ignore', 'ignore', 'pipe'] })
  const { sections } = readObject(readFileSync(`${base}.o`), 'assembled.o')
  return { text: sections.find(({ name }) => name === '.text')!, file: `${base}.o` }
}

/** An instruction, with the code that it stands in. */
export interface Assembled {
  readonly code: Buffer
  readonly instruction: Instruction
}

/** The instructions of lines, one after the other. */
export function instructionsOf(lines: string): Assembled[] {
  const { data: code } = assemble(lines).text
  const found: Assembled[] = []
  for (let at = 0; at < code.length; at = found.at(-1)!.instruction.end)
    found.push({ code, instruction: decodeInstruction(code, at)! })
  return found
}

/** What is said of each of some lines with one instruction each. */
export function saidOf<T>(lines: readonly string[], say: (instruction: Instruction) => T): Record<string, T> {
  const all = instructionsOf(lines.join('\n'))
  return Object.fromEntries(lines.map((line, index) => [line, say(all[index]!.instruction)]))
}
