// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, test } from 'vitest'
import { checkCompiler, compilerOf } from '../../src/kernel/compiler.ts'
import { parseConfig } from '../../src/kernel/config.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'

const text = `#
CONFIG_CC_VERSION_TEXT="gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0"
CONFIG_LIVEPATCH=y
CONFIG_EXT4_FS=m
# CONFIG_KCSAN is not set
CONFIG_HZ=250
CONFIG_QUOTED="a \\"word\\""
`

describe('a configuration', () => {
  test('says what is on, what is a module, and what has a value', () => {
    const config = parseConfig(text)
    expect(config.has('LIVEPATCH')).toBe(true)
    expect(config.has('EXT4_FS')).toBe(false)
    expect(config.value('EXT4_FS')).toBe('m')
    expect(config.value('HZ')).toBe('250')
    expect(config.value('KCSAN')).toBeUndefined()
    expect(config.value('QUOTED')).toBe('a "word"')
  })

  test.each([
    ['gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0', 'gcc-12'],
    ['x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0', 'x86_64-linux-gnu-gcc-14'],
    ['Debian clang version 14.0.6', 'clang'],
  ])('that was made with %s names the program', (versionText, program) => {
    expect(compilerOf(`CONFIG_CC_VERSION_TEXT="${versionText}"\n`)).toEqual({ program, versionText })
  })

  test('without a compiler is refused', () => {
    expect(() => compilerOf('CONFIG_X86=y\n')).toThrow('does not name its compiler')
  })
})

describe('the compiler of a kernel', () => {
  const kernel = (versionText: string) =>
    ({ release: '6.1.0-1-amd64', compiler: compilerOf(`CONFIG_CC_VERSION_TEXT="${versionText}"`) }) as Kernel

  test('is refused when it is not installed, with the command that installs it', async () => {
    await expect(checkCompiler(kernel('gcc-99 (Debian 99.1) 99.1'))).rejects.toMatchObject({
      code: 'compiler-missing',
      exitCode: 5,
      remedy: 'Install it with `apt-get install gcc-99`',
    })
  })

  test('is refused when it is another version, with both', async () => {
    const wrong = 'gcc-12 (Debian 12.0.0-1) 12.0.0'
    await expect(checkCompiler(kernel(wrong))).rejects.toMatchObject({
      code: 'compiler-mismatch',
      exitCode: 5,
      detail: expect.stringMatching(/the kernel: gcc-12 \(Debian 12\.0\.0-1\) 12\.0\.0\nthis machine: gcc-12 \(/),
    })
  })
})
