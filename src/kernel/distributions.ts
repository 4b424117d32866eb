// SPDX-License-Identifier: GPL-3.0-or-later
// Debian's distributions, as far as their kernels are served. The next one is one more line in the table.
import { readFileSync } from 'node:fs'
import { lazy } from '../ground/values/remembered.ts'

export interface Distribution {
  readonly codename: string
  /** Its place among the others, which moves on with each release of Debian. */
  readonly role: 'oldstable' | 'stable' | 'testing' | 'unstable'
  /** Debian's number, which stands in a kernel's release (`6.12.118+deb13`); undefined before it has one. */
  readonly number: number | undefined
  /** The series of its own kernel, which `linux-image-amd64` brings; undefined while that moves on. */
  readonly series: string | undefined
  /** Whether it has updates, backports and security updates beside it. */
  readonly released: boolean
}

/** Newest last, as in Debian's history. */
export const distributions: readonly Distribution[] = [
  { codename: 'bookworm', role: 'oldstable', number: 12, series: '6.1', released: true },
  { codename: 'trixie', role: 'stable', number: 13, series: '6.12', released: true },
  { codename: 'forky', role: 'testing', number: 14, series: undefined, released: false },
  { codename: 'sid', role: 'unstable', number: undefined, series: undefined, released: false },
]

/** The distribution with a codename (`trixie`) or a role (`stable`). */
export function distributionCalled(name: string): Distribution | undefined {
  return distributions.find(({ codename, role }) => name === codename || name === role)
}

/**
 * The distribution for which a kernel was built, by its release: `6.12.118+deb13-amd64` says it; before there were such
 * marks, releases counted ABIs (`6.1.0-56`), last in Debian 12.
 */
export function distributionOfRelease(release: string): Distribution | undefined {
  const number = /\+(?:deb|bpo)(\d+)/.exec(release)?.[1]
  if (number !== undefined) return distributions.find((one) => one.number === Number(number))
  return /^6\.1\.0-\d/.test(release) ? distributionCalled('bookworm') : undefined
}

/** The distribution of this machine (os-release(5)); undefined where it is none of Debian's. */
export const hostDistribution = lazy(readHost)

function readHost(): Distribution | undefined {
  let text: string
  try {
    text = readFileSync('/etc/os-release', 'latin1')
  } catch {
    return undefined
  }
  const field = (name: string) => new RegExp(`^${name}="?([\\w.-]+)"?$`, 'm').exec(text)?.[1]
  if (field('ID') !== 'debian') return undefined
  return distributions.find(({ codename }) => codename === field('VERSION_CODENAME'))
}
