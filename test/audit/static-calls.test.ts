// SPDX-License-Identifier: GPL-3.0-or-later
// What the kernel writes into the static calls of a module: where the key of each says.
import { expect, test } from 'vitest'
import { viewOf } from '../../src/audit/object-view.ts'
import { checkStaticCalls } from '../../src/audit/static-calls.ts'
import { namesOf } from '../module/small-kernel.ts'
import { compileBytes } from '../objects.ts'

const all = ['__SCK__a', '__SCT__a', '__SCK__b', '__SCT__b', '__SCK__a_next']
const kernel = {
  symbols: Object.fromEntries(
    all.map((name, at) => [`vmlinux ${name}`, [{ type: 'D', address: 0x1000n + BigInt(16 * at) }]]),
  ),
  exports: Object.fromEntries(all.map((name) => [name, 'vmlinux'])),
}

/** @param key as the entry has it; @param call the instruction, at `1:` */
function complaints(key: string, call = 'call __SCT__a'): string[] {
  const module = viewOf(
    compileBytes(
      `asm(".globl f\\nf: nop\\n1: ${call}\\nret\\n.type f,@function\\n.size f, . - f\\n.section ` +
        `.static_call_sites,\\"a\\"\\n.long 1b - ., ${key} - .");`,
    ),
    'module.ko',
  )
  const told: string[] = []
  checkStaticCalls({
    module,
    names: namesOf(kernel),
    complain: (_rule, _symbol, message) => told.push(message),
  })
  return told
}

test.each([
  ['the key of what is called', '__SCK__a', 'call __SCT__a'],
  ['the trampoline, where the key is not to be changed', '__SCT__a', 'call __SCT__a'],
  ['a tail call', '__SCK__a + 1', 'jmp __SCT__a'],
  ['a tail call on a condition', '__SCK__a + 1', 'je __SCT__a'],
])('it may be %s', (_, key, call) => {
  expect(complaints(key, call)).toEqual([])
})

test.each([
  ['another key', '__SCK__b', 'call __SCT__a', 'has the key __SCK__b, and __SCT__a is called there'],
  ['a key behind it', '__SCK__a_next', 'call __SCT__a', 'has the key __SCK__a_next, and __SCT__a is called there'],
  ['something in the middle of a key', '__SCK__a + 8', 'call __SCT__a', 'has the key of nothing'],
  ['a tail call that is none', '__SCK__a + 1', 'call __SCT__a', 'says that the call of __SCT__a is a jump'],
  ['no tail call where one is', '__SCK__a', 'jmp __SCT__a', 'says that the call of __SCT__a is no jump'],
  ['a call of the start', '__SCK__a + 2', 'call __SCT__a', 'or of the start'],
  ['a call of something else', '__SCK__a', 'call __SCK__b', 'has the key __SCK__a, and __SCK__b is called there'],
])('it is not %s', (_, key, call, said) => {
  const [only, ...others] = complaints(key, call)
  expect(others).toEqual([])
  expect(only).toContain(said)
})
