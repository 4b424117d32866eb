// SPDX-License-Identifier: GPL-3.0-or-later
// What LIVEPATCH_SYMBOL leaves in the name of a symbol.
import { expect, test } from 'vitest'
import { parseLivepatchSymbol } from '../../../src/module/engines/livepatch-symbol.ts'

test('the label of a symbol says object, position and name, which may have dots', () => {
  expect(parseLivepatchSymbol('__livepatch_symbol.nf_tables.2.count.3')).toEqual({
    object: 'nf_tables',
    position: 2,
    name: 'count.3',
  })
  expect(parseLivepatchSymbol('__livepatch_symbol.vmlinux.x.f')).toBeUndefined()
  expect(parseLivepatchSymbol('printk')).toBeUndefined()
})
