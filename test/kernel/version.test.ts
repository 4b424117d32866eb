// SPDX-License-Identifier: GPL-3.0-or-later
// The order of Debian's versions, held against dpkg itself.
import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareVersions, parseRelease, seriesOf } from '../../src/kernel/version.ts'

function dpkg(a: string, b: string): number {
  const is = (relation: string) => spawnSync('dpkg', ['--compare-versions', a, relation, b]).status === 0
  return is('lt') ? -1 : is('gt') ? 1 : 0
}

describe('the order of versions', () => {
  test('puts kernel versions as Debian released them', () => {
    const released = [
      '6.1~rc3-1~exp1',
      '6.1.9-1',
      '6.1.170-3',
      '6.1.192-1',
      '6.1.192-2',
      '6.12~rc6-1~exp1',
      '6.12.9-1~bpo12+1',
      '6.12.117-1~deb12u1',
      '6.12.117-1',
      '1:4.0-1',
    ]
    expect([...released].reverse().sort(compareVersions)).toEqual(released)
  })

  test('agrees with dpkg on whatever a version can be', () => {
    const part = fc.string({
      unit: fc.constantFrom('0', '1', '9', 'a', 'Z', '.', '+', '~'),
      minLength: 1,
      maxLength: 6,
    })
    const version = fc.tuple(part, fc.option(part)).map(([a, b]) => `1${a}${b === null ? '' : `-${b}`}`)
    fc.assert(
      fc.property(version, version, (a, b) => {
        expect([a, b, compareVersions(a, b)]).toEqual([a, b, dpkg(a, b)])
        expect(compareVersions(b, a) + compareVersions(a, b)).toBe(0)
      }),
      { numRuns: 150 },
    )
  })
})

describe('a release', () => {
  test.each([
    ['6.1.0-56-cloud-amd64', '6.1.0-56', 'cloud-amd64'],
    ['6.1.0-56-amd64', '6.1.0-56', 'amd64'],
    ['6.12.117+deb12-rt-amd64', '6.12.117+deb12', 'rt-amd64'],
    ['6.1.0-0.deb11.5-amd64', '6.1.0-0.deb11.5', 'amd64'],
  ])('%s has an ABI and a flavour', (release, abi, flavour) => {
    expect(parseRelease(release)).toEqual({ abi, flavour })
  })

  test.each(['6.1', 'latest', '../6.1.0-1-amd64', '6.1.0-56-cloud-amd64/x', '6.1.0', '', '6.1.0-56-Amd64'])(
    '%j is not one',
    (text) => {
      expect(parseRelease(text)).toBeUndefined()
    },
  )

  test('belongs to a series', () => {
    expect(seriesOf('6.12.117-1~deb12u1')).toBe('6.12')
    expect(seriesOf('6.1.0-56-cloud-amd64')).toBe('6.1')
    expect(seriesOf('nothing')).toBe('')
  })
})
