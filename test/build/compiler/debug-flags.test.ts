// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, test } from 'vitest'
import { asksForDebug, withFewestDebugFlags } from '../../../src/build/compiler/debug-flags.ts'

const gcc = { versionText: 'gcc-14 (Debian 14.2.0-19) 14.2.0' }
const clang = { versionText: 'Debian clang version 19.1.7' }

test.each([
  [['-O2', '-g'], true],
  [['-g', '-gdwarf-5'], true],
  [['-gdwarf-4', '-fno-var-tracking'], true],
  [['-g', '-g0'], false],
  [['-g0', '-g'], true],
  [['-O2', '-gno-column-info'], false],
  [['-O2'], false],
])('%j asks for debug information: %j', (flags, asks) => {
  expect(asksForDebug(flags)).toBe(asks)
})

describe('the flags of a unit', () => {
  test('keep the notes of variables that change code, and not the search for their places', () => {
    const flags = withFewestDebugFlags(gcc, ['-O2', '-g', '-gz=zlib', '-gsplit-dwarf', '-Wall'])
    expect(flags.filter((flag) => flag.startsWith('-g'))).toEqual(['-g'])
    const more = ['-fno-var-tracking', '-fvar-tracking-assignments', '-femit-struct-debug-baseonly']
    expect(flags).toEqual(['-O2', '-g', '-Wall', ...more])
  })

  test('leave out the notes where the kernel does (CONFIG_DEBUG_INFO_REDUCED)', () => {
    const reduced = ['-O2', '-g', '-fno-var-tracking', '-femit-struct-debug-baseonly']
    expect(withFewestDebugFlags(gcc, reduced).filter((flag) => /var-tracking/.test(flag))).toEqual([
      '-fno-var-tracking',
    ])
  })

  test('ask for nothing where the kernel has no debug information, and with clang', () => {
    expect(withFewestDebugFlags(gcc, ['-O2', '-gno-column-info'])).toEqual(['-O2'])
    expect(withFewestDebugFlags(gcc, ['-O2', '-g', '-g0'])).toEqual(['-O2'])
    expect(withFewestDebugFlags(clang, ['-O2', '-g', '-gdwarf-5'])).toEqual(['-O2'])
  })
})
