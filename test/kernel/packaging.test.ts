// SPDX-License-Identifier: GPL-3.0-or-later
// What a source package says about the patches of a flavour.
import { describe, expect, test } from 'vitest'
import { findPackaging, parseSeries } from '../../src/kernel/packaging.ts'

const hash = (digit: string) => digit.repeat(64)

const stanza = (name: string, version: string, digit: string) => `Package: ${name}
Binary: linux-support-6.1.0-53, linux-doc-6.1,
 linux-source-6.1
Version: ${version}
Testsuite-Triggers: build-essential
Files:
 ${'0'.repeat(32)} 1904540 ${name}_${version}.debian.tar.xz
Checksums-Sha256:
 ${hash('a')} 398000 ${name}_${version}.dsc
 ${hash('b')} 138000000 ${name}_6.1.187.orig.tar.xz
 ${hash(digit)} 1904540 ${name}_${version}.debian.tar.xz
Directory: pool/updates/main/l/${name}
`
const sources = Buffer.from(
  [stanza('linux-6.12', '6.1.187-1', '1'), stanza('linux', '6.1.176-1', '2'), stanza('linux', '6.1.187-1', '3')].join(
    '\n',
  ),
)

describe('a list of sources', () => {
  test.each([
    ['6.1.176-1', '2'],
    ['6.1.187-1', '3'],
  ])('has the packaging of version %s', (version, digit) => {
    expect(findPackaging(sources, { name: 'linux', version })).toEqual({
      path: `pool/updates/main/l/linux/linux_${version}.debian.tar.xz`,
      sha256: hash(digit),
    })
  })

  test('has the packaging of its first package', () => {
    expect(findPackaging(sources, { name: 'linux-6.12', version: '6.1.187-1' })?.sha256).toBe(hash('1'))
  })

  test('has nothing for a version or a name that it lacks', () => {
    expect(findPackaging(sources, { name: 'linux', version: '6.1.187-2' })).toBeUndefined()
    expect(findPackaging(sources, { name: 'linux-6', version: '6.1.187-1' })).toBeUndefined()
    expect(findPackaging(Buffer.alloc(0), { name: 'linux', version: '6.1.187-1' })).toBeUndefined()
  })

  test('leads to no file of another kind, nor out of the archive', () => {
    const forged = sources.toString().replaceAll(/ \S+\.debian\.tar\.xz/g, ' ../../x.debian.tar.xz')
    expect(findPackaging(Buffer.from(forged), { name: 'linux', version: '6.1.187-1' })).toBeUndefined()
    expect(findPackaging(sources.subarray(0, -100), { name: 'linux', version: '6.1.187-1' })).toBeUndefined()
  })
})

test('a series names patches in their order; options and remarks are left out', () => {
  expect(parseSeries('# first\n0001-a.patch\n\nsub/0002-b.patch -p1 # why\n   \n0003-c.patch')).toEqual([
    '0001-a.patch',
    'sub/0002-b.patch',
    '0003-c.patch',
  ])
})
