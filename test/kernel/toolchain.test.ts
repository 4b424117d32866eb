// SPDX-License-Identifier: GPL-3.0-or-later
import { expect, test } from 'vitest'
import { compilerOf } from '../../src/kernel/compiler.ts'
import { toolchainName } from '../../src/kernel/toolchain.ts'

const nameFor = (text: string) => toolchainName('trixie', compilerOf(`CONFIG_CC_VERSION_TEXT="${text}"\n`))

test('each build of a compiler has a toolchain of its own name', () => {
  expect(nameFor('x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0')).toBe('trixie-gcc-14-14.2.0-19')
  expect(nameFor('x86_64-linux-gnu-gcc-14 (Debian 14.2.0-20) 14.2.0')).toBe('trixie-gcc-14-14.2.0-20')
  expect(nameFor('gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0')).toBe('trixie-gcc-12-12.2.0-14+deb12u1')
})

test('a compiler that names no package has the name of its program', () => {
  expect(nameFor('gcc-14 (GCC) 14.2.0')).toBe('trixie-gcc-14')
})
