// SPDX-License-Identifier: GPL-3.0-or-later
// Who sees to it that a patched module can come again under its live patch.
import { describe, expect, test } from 'vitest'
import type { Binding } from '../../../src/module/bind/bind.ts'
import { reloadFindings, reloadOf, writingBindings } from '../../../src/module/link/reload.ts'
import type { Layout } from '../../../src/module/structures/template.ts'
import { namesOf } from '../small-kernel.ts'

const layout = (callbacks: boolean) => ({ object: { callbacks: callbacks ? {} : undefined } }) as Layout
const inModule: Binding = { kind: 'livepatch', object: 'dummy', when: 'dummy', name: 'state', sympos: 0 }
const exportedByModule: Binding = { ...inModule, object: 'crc' }
const inVmlinux: Binding = { ...inModule, object: 'vmlinux', when: 'vmlinux' }
const writing = Object.fromEntries(
  ['text_poke', 'text_poke_sync', 'text_mutex'].map((name) => [`vmlinux ${name}`, [{ type: 'T' }]]),
)
const older = namesOf({ symbols: writing })
const newer = namesOf({ symbols: { ...writing, 'vmlinux clear_relocate_add': [{ type: 'T' }] } })

describe('a module that was unloaded', () => {
  test('comes again by itself in a kernel that clears what it wrote, and where nothing waits for it', () => {
    expect(reloadOf(newer, [inModule], layout(true))).toBe('kernel')
    expect(reloadOf(older, [inVmlinux], layout(true))).toBe('kernel')
    expect(reloadOf(older, [], layout(true))).toBe('kernel')
  })

  test('comes again by the live patch in an older kernel', () => {
    expect(reloadOf(older, [inVmlinux, inModule], layout(true))).toBe('own')
    expect(reloadOf(older, [exportedByModule], layout(true))).toBe('own')
  })

  test('can not come again where the live patch can not know or write it, which is a warning for each', () => {
    expect(reloadOf(older, [inModule], layout(false))).toBe('never')
    const { 'vmlinux text_poke_sync': _, ...without } = writing
    expect(reloadOf(namesOf({ symbols: without }), [inModule], layout(true))).toBe('never')
    expect(
      reloadFindings('never', ['vmlinux', 'dummy', 'loop']).map(({ rule, message }) => [
        rule,
        message.includes('vmlinux'),
      ]),
    ).toEqual([
      ['module-reload', false],
      ['module-reload', false],
    ])
    expect(reloadFindings('own', ['dummy'])).toEqual([])
  })

  test('needs what the kernel exports no binding for', () => {
    expect([...writingBindings(older).keys()]).toEqual(['text_poke', 'text_poke_sync', 'text_mutex'])
    const exporting = namesOf({ symbols: writing, exports: { text_mutex: 'vmlinux' } })
    expect([...writingBindings(exporting).keys()]).not.toContain('text_mutex')
  })
})
