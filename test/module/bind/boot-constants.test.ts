// SPDX-License-Identifier: GPL-3.0-or-later
// Code of the kernel proper with constants that the kernel writes while it starts, in a live patch's own object.
import { expect, test } from 'vitest'
import { relocationType } from '../../../src/elf/format.ts'
import { redraft } from '../../../src/elf/redraft.ts'
import { undefinedSymbol } from '../../../src/elf/write.ts'
import { loadBootConstants } from '../../../src/module/bind/boot-constants.ts'
import { compile } from '../../objects.ts'

const variable = undefinedSymbol('table')

/** arch/x86/include/asm/runtime-const.h, as it is compiled. */
const pointer =
  'unsigned long f(void) { unsigned long v; asm("movabs $0x0123456789abcdef, %0; 1: ' +
  `.pushsection runtime_ptr_table, \\"a\\"; .long 1b - 8 - .; .popsection" : "=r" (v)); return v; }`
const shift =
  `unsigned f(unsigned v) { asm("shrl $12, %k0; 1: .pushsection runtime_shift_table, \\"a\\"; ` +
  '.long 1b - 1 - .; .popsection" : "+r" (v)); return v; }'

test('a pointer is loaded from the variable, and its table is gone', () => {
  const refused: string[] = []
  const draft = redraft(compile(pointer), ({ flags }) => (flags & 2) !== 0)
  const mended = loadBootConstants(
    draft,
    () => variable,
    (name) => refused.push(name),
  )
  expect(refused).toEqual([])
  expect(mended.sections.some(({ name }) => name.startsWith('runtime_'))).toBe(false)
  const code = mended.sections.find(({ name }) => name === '.text.f')
  if (code === undefined || typeof code.data === 'number') throw new Error('no code')
  const load = code.relocations.find(({ symbol }) => symbol === variable)
  expect(load).toMatchObject({ type: relocationType.pc32, addend: -4 })
  const at = (load?.offset ?? 0) - 3
  // mov table(%rip),%rax; nopl (%rax)
  expect(code.data.subarray(at, at + 10).toString('hex')).toBe('488b05000000000f1f00')
})

test('the number of a shift is refused', () => {
  const refused: string[] = []
  const draft = redraft(compile(shift), ({ flags }) => (flags & 2) !== 0)
  loadBootConstants(
    draft,
    () => variable,
    (name) => refused.push(name),
  )
  expect(refused).toEqual(['table'])
})
