// SPDX-License-Identifier: GPL-3.0-or-later
// Debian's distributions: by their names, by the releases of their kernels, and in what order their archives are asked.
import { describe, expect, test } from 'vitest'
import { allArchives, archiveOf, usualArchives } from '../../src/kernel/apt.ts'
import { distributionCalled, distributionOfRelease, hostDistribution } from '../../src/kernel/distributions.ts'

describe('a distribution', () => {
  test('has a codename and a role', () => {
    expect(distributionCalled('trixie')?.number).toBe(13)
    expect(distributionCalled('stable')).toBe(distributionCalled('trixie'))
    expect(distributionCalled('potato')).toBeUndefined()
  })

  test.each([
    ['6.1.0-57-cloud-amd64', 'bookworm'],
    ['6.12.117+deb12-rt-amd64', 'bookworm'],
    ['6.12.118+deb13-cloud-amd64', 'trixie'],
    ['6.12.115+deb13.1-amd64', 'trixie'],
    ['7.2.12+deb14-amd64', 'forky'],
    ['6.1.0-own', 'none'],
    ['6.18.3', 'none'],
    ['9.9.9+deb99-amd64', 'none'],
  ])('is told by the release %s: %s', (release, codename) => {
    expect(distributionOfRelease(release)?.codename ?? 'none').toBe(codename)
  })
})

test('the archives are asked in order: the host’s own, stable, the others; each once', () => {
  const all = allArchives()
  expect(all[0]).toEqual(archiveOf(hostDistribution()))
  expect(all[0]!.isHost).toBe(true)
  expect(all.slice(1).every(({ isHost }) => !isHost)).toBe(true)
  expect(new Set(all.map(({ dir }) => dir)).size).toBe(all.length)
  expect(all.slice(0, 2).map(({ distribution }) => distribution?.role)).toContain('stable')
})

test.each([
  ['bookworm', ['bookworm', 'trixie']],
  ['trixie', ['trixie']],
  ['forky', ['forky', 'trixie']],
])('on %s, the archives that are usually asked are %j', (name, usual) => {
  expect(usualArchives(distributionCalled(name)).map(({ distribution }) => distribution?.codename)).toEqual(usual)
})
