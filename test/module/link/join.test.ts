// SPDX-License-Identifier: GPL-3.0-or-later
// Objects put into one, as `ld -r` would.
import { expect, test } from 'vitest'
import { readObject } from '../../../src/elf/read.ts'
import { redraft } from '../../../src/elf/redraft.ts'
import { writeObject } from '../../../src/elf/write.ts'
import { join } from '../../../src/module/link/join.ts'
import { compile } from '../../objects.ts'

test('a section put together has one symbol of its own, at its beginning, and all leads where it led', () => {
  // Both refer to their static functions by the section's symbol, as a table of pointers does.
  const unit = (name: string) =>
    `static int ${name}(int a) { return a + ${name.length}; } int (*table_${name}[])(int) = { 0, ${name} };`
  const section = '-DX'
  const drafts = ['first', 'second', 'longest_of_all'].map((name) =>
    redraft(
      compile(unit(name).replace('static int', 'static __attribute__((section(".text.same"))) int'), section),
      () => true,
    ),
  )
  const joined = readObject(writeObject(join(drafts)), 'joined.o')
  const code = joined.sections.filter(({ name }) => name === '.text.same')
  expect(code).toHaveLength(1)
  const own = joined.symbols.filter(({ type, section: where }) => type === 'section' && where === code[0])
  expect(own.map(({ value }) => value)).toEqual([0])
  for (const name of ['first', 'second', 'longest_of_all']) {
    const table = joined.sections.find((one) => one.name === `.data.table_${name}`)!
    const [pointer] = joined.relocations(table)
    const start = joined.symbols.find((one) => one.name === name)!.value
    expect(pointer!.symbol.section).toBe(code[0])
    expect(pointer!.symbol.value + pointer!.addend).toBe(start)
  }
})
