// SPDX-License-Identifier: GPL-3.0-or-later
// The names and versions of Debian's kernels. Versions are ordered as the Debian policy manual says
// (5.6.12), where `~` sorts before the end of the string and digits count as numbers.

function weight(character: string | undefined): number {
  if (character === undefined || (character >= '0' && character <= '9')) return 0
  if (character === '~') return -1
  const code = character.charCodeAt(0)
  return /[A-Za-z]/.test(character) ? code : code + 256
}

function compareParts(a: string, b: string): number {
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    while ((i < a.length && !/\d/.test(a[i]!)) || (j < b.length && !/\d/.test(b[j]!))) {
      const order = weight(a[i]) - weight(b[j])
      if (order !== 0) return order
      i++
      j++
    }
    const left = /^\d*/.exec(a.slice(i))![0]
    const right = /^\d*/.exec(b.slice(j))![0]
    const [x, y] = [left.replace(/^0+/, ''), right.replace(/^0+/, '')]
    if (x.length !== y.length) return x.length - y.length
    if (x !== y) return x < y ? -1 : 1
    i += left.length
    j += right.length
  }
  return 0
}

function split(version: string): [epoch: string, upstream: string, revision: string] {
  const colon = version.indexOf(':')
  const rest = version.slice(colon + 1)
  const dash = rest.lastIndexOf('-')
  return [
    colon < 0 ? '0' : version.slice(0, colon),
    dash < 0 ? rest : rest.slice(0, dash),
    dash < 0 ? '0' : rest.slice(dash + 1),
  ]
}

/** Orders two Debian package versions: negative when `a` is the older one, 0 when they are equal. */
export function compareVersions(a: string, b: string): number {
  const left = split(a)
  const right = split(b)
  for (const part of [0, 1, 2] as const) {
    const order = compareParts(left[part], right[part])
    if (order !== 0) return Math.sign(order)
  }
  return 0
}

export interface ReleaseParts {
  /** Everything before the flavour: `6.1.0-56`, `6.12.117+deb12`. */
  readonly abi: string
  /** `cloud-amd64`, `amd64`, `rt-amd64`. */
  readonly flavour: string
}

/** Splits a Debian kernel release; undefined when it is not one. */
export function parseRelease(release: string): ReleaseParts | undefined {
  const match = /^(\d+\.\d+\.\d+(?:-\d[\d.a-z]*)?(?:\+[\d.a-z~]+)?)-([a-z][a-z\d-]*)$/.exec(release)
  return match === null ? undefined : { abi: match[1]!, flavour: match[2]! }
}

/** The series of a kernel or package version: `6.1.192-2` and `6.1.0-56-cloud-amd64` are `6.1`. */
export function seriesOf(version: string): string {
  return /^(\d+\.\d+)(?!\d)/.exec(version)?.[1] ?? ''
}
