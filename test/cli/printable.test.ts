// SPDX-License-Identifier: GPL-3.0-or-later
// Names of an object go to the terminal, and an object may come from anywhere.
import { expect, test } from 'vitest'
import { printable } from '../../src/cli/render/printable.ts'

test('a name can neither move the cursor, nor set the title, nor hide a line', () => {
  expect(printable('changed \x1b[2J\x1b]0;root\x07f\r\ng\x9b1m')).toBe(
    'changed \\x1b[2J\\x1b]0;root\\x07f\\x0d\\x0ag\\x9b1m',
  )
})

test('colours, tabs and other languages stay', () => {
  for (const line of ['\x1b[31merror\x1b[39m', 'a\tb', 'größe → 中']) expect(printable(line)).toBe(line)
})
