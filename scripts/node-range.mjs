// SPDX-License-Identifier: GPL-3.0-or-later
// Which Node a package runs with, as its package.json says (`engines`). The set-up asks before npm is there to.

/**
 * Whether a Node is in a range, such as `^20.19.0 || >=22.12.0`. What has another form is left to npm: true.
 * @param node its version, such as `20.19.2`
 */
export function isNodeIn(range, node = process.versions.node) {
  const version = node.split('.').map(Number)
  return range.split('||').some((part) => {
    const [, sign, from] = /^\s*(\^|>=)\s*(\d+(?:\.\d+)*)\s*$/.exec(part) ?? []
    if (from === undefined) return true
    const wanted = from.split('.').map(Number)
    const differs = wanted.findIndex((number, nth) => number !== version[nth])
    return (differs < 0 || version[differs] > wanted[differs]) && (sign === '>=' || version[0] === wanted[0])
  })
}
