// SPDX-License-Identifier: GPL-3.0-or-later
// What was found out about two ranges of bytes is remembered for those two, from their first byte to their last.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { compareObjects } from '../../src/diff/change.ts'
import { type ObjectFile, readObject } from '../../src/elf/read.ts'
import { compiler, work } from '../objects.ts'

/** Two functions that load a constant: one the first of its section, the other something behind all of them. */
function assemble(name: string, constants: string): ObjectFile {
  const base = path.join(work, name)
  const load = (of: string, from: string) => `
	.section .text.${of},"ax",@progbits
	.globl ${of}
	.type ${of}, @function
${of}:
	movaps ${from}(%rip), %xmm0
	ret
	.size ${of}, .-${of}`
  writeFileSync(
    `${base}.s`,
    '	.section ' +
      `.rodata.cst16,"aM",@progbits,16\n.LC0:\n${constants}${load('first', '.LC0')}${load('second', '.LC0+100')}\n`,
  )
  execFileSync(compiler, ['-c', '-o', `${base}.o`, `${base}.s`])
  return readObject(readFileSync(`${base}.o`), 'unit.o')
}

it('of a section that has grown its first constant is the same, and what leads outside of it is not', () => {
  const [before, after] = [assemble('one', '	.octa 1\n'), assemble('two', '	.octa 1, 2\n')]
  const change = compareObjects(before, after, 'unit.c')
  expect(change.changed.map(({ after: { name }, reasons }) => [name, reasons])).toEqual([
    ['second', [expect.stringContaining('it leads outside .rodata.cst16')]],
  ])
})
