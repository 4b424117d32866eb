// SPDX-License-Identifier: GPL-3.0-or-later
// Which kernels a set of packages can serve.
import { describe, expect, test } from 'vitest'
import { type ArchivePackage, assembleKernels, parsePackages } from '../../src/kernel/archive.ts'

const one = (name: string, version: string, depends = ''): ArchivePackage => ({
  name,
  version,
  depends,
  size: 10,
  source: { name: 'linux', version },
})

const complete = [
  one('linux-image-6.1.0-56-cloud-amd64', '6.1.192-2'),
  one('linux-headers-6.1.0-56-cloud-amd64', '6.1.192-2', 'linux-kbuild-6.1 (>= 6.1.192-2), gcc-12'),
  one('linux-kbuild-6.1', '6.1.192-2'),
  one('linux-source-6.1', '6.1.192-2'),
]

describe('the archive', () => {
  test('serves a kernel whose image, headers, kbuild and exact source are there', () => {
    const kernels = assembleKernels(complete, 'bookworm')
    expect(kernels).toMatchObject([
      { release: '6.1.0-56-cloud-amd64', version: '6.1.192-2', series: '6.1', flavour: 'cloud-amd64' },
    ])
    expect(kernels[0]!.packages.map(({ name }) => name)).toEqual([
      'linux-image-6.1.0-56-cloud-amd64',
      'linux-headers-6.1.0-56-cloud-amd64',
      'linux-kbuild-6.1',
      'linux-source-6.1',
    ])
  })

  test.each([0, 1, 2, 3])('does not serve it without package %i', (index) => {
    expect(
      assembleKernels(
        complete.filter((_, i) => i !== index),
        'bookworm',
      ),
    ).toEqual([])
  })

  test('does not serve it with a source of another version', () => {
    expect(assembleKernels([...complete.slice(0, 3), one('linux-source-6.1', '6.1.192-1')], 'bookworm')).toEqual([])
  })

  test('takes the oldest kbuild that is new enough when the exact one is gone', () => {
    const older = [
      one('linux-image-6.1.0-55-amd64', '6.1.192-1'),
      one('linux-headers-6.1.0-55-amd64', '6.1.192-1', 'linux-kbuild-6.1 (>= 6.1.192-1)'),
      one('linux-source-6.1', '6.1.192-1'),
      one('linux-kbuild-6.1', '6.1.176-1'),
      one('linux-kbuild-6.1', '6.1.201-1'),
      one('linux-kbuild-6.1', '6.1.192-2'),
    ]
    expect(assembleKernels(older, 'bookworm')[0]!.packages[2]).toMatchObject({ version: '6.1.192-2' })
  })

  test('knows of a real-time kernel that its source lacks patches, and which source package has them', () => {
    const realTime = [
      one('linux-image-6.1.0-56-rt-amd64', '6.1.192-2'),
      one(
        'linux-headers-6.1.0-56-rt-amd64',
        '6.1.192-2',
        'linux-headers-6.1.0-56-common-rt (= 6.1.192-2), linux-kbuild-6.1 (>= 6.1.192-2)',
      ),
    ]
    const kernels = assembleKernels([...complete, ...realTime], 'bookworm')
    expect(kernels.map(({ flavour, feature }) => [flavour, feature])).toEqual([
      ['cloud-amd64', undefined],
      ['rt-amd64', 'rt'],
    ])
    expect(kernels[1]!.packages[3]!.source).toEqual({ name: 'linux', version: '6.1.192-2' })
    const newer = one(
      'linux-headers-6.12.117+deb12-rt-amd64',
      '6.12.117-1~deb12u1',
      'linux-headers-6.12.117+deb12-common-rt (= 6.12.117-1~deb12u1), linux-kbuild-6.12.117+deb12, gcc-12',
    )
    const rest = ['linux-image-6.12.117+deb12-rt-amd64', 'linux-kbuild-6.12.117+deb12', 'linux-source-6.12']
    expect(
      assembleKernels([newer, ...rest.map((name) => one(name, '6.12.117-1~deb12u1'))], 'bookworm').map(
        ({ release, feature }) => [release, feature],
      ),
    ).toEqual([['6.12.117+deb12-rt-amd64', 'rt']])
  })

  test('leaves out what is no kernel of its own: meta, debug and unsigned packages', () => {
    const others = ['linux-image-cloud-amd64', 'linux-image-6.12-amd64', 'linux-image-6.1.0-56-cloud-amd64-dbg']
    const names = [...others, 'linux-image-6.1.0-56-amd64-unsigned']
    const more = names.flatMap((name) => [
      one(name, '6.1.192-2'),
      one(name.replace('image', 'headers'), '6.1.192-2', 'linux-kbuild-6.1'),
    ])
    expect(assembleKernels([...complete, ...more], 'bookworm')).toHaveLength(1)
  })

  test('puts the newest version first, as versions are ordered and not as text', () => {
    const older = complete.map((p) => ({ ...p, name: p.name.replace('-56-', '-9-'), version: '6.1.99-1' }))
    expect(assembleKernels([...older, ...complete], 'bookworm').map(({ version }) => version)).toEqual([
      '6.1.192-2',
      '6.1.99-1',
    ])
  })

  test('tells the source package of a package, whose name and version may be its own', () => {
    const source = (field: string) =>
      parsePackages(`Package: linux\nVersion: 6.1.192-2\n${field}`).map(({ source }) => source)
    expect(source('')).toEqual([{ name: 'linux', version: '6.1.192-2' }])
    expect(source('Source: linux-6.12\n')).toEqual([{ name: 'linux-6.12', version: '6.1.192-2' }])
    expect(source('Source: linux (6.1.192-1)\n')).toEqual([{ name: 'linux', version: '6.1.192-1' }])
  })

  test('describes packages in stanzas, of which unknown ones are skipped', () => {
    const text = `Package: linux-source-6.1
Source: linux
Version: 6.1.192-2
Size: 139331676
Depends: binutils, xz-utils
Description: Linux kernel source
 Version: not a field
 .
 more

N: a note

Package: broken
`
    expect(parsePackages(text)).toEqual([
      {
        name: 'linux-source-6.1',
        version: '6.1.192-2',
        depends: 'binutils, xz-utils',
        size: 139331676,
        source: { name: 'linux', version: '6.1.192-2' },
      },
    ])
  })
})
