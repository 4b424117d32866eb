// SPDX-License-Identifier: GPL-3.0-or-later
// A unified diff turned around. To undo a fix is a live patch as good as the fix itself, and it fits the newest
// kernel of a series, which the archive always has.

/** What `patch -R` would apply; the text before the first diff is left out. */
export function reversed(patch: string): string {
  const lines = patch.split('\n')
  const first = lines.findIndex((line, at) => line.startsWith('--- ') && lines[at + 1]?.startsWith('+++ '))
  const out: string[] = []
  let added: string[] = []
  const flush = () => {
    out.push(...added)
    added = []
  }
  for (let at = first; at < lines.length; at++) {
    const line = lines[at]!
    const next = lines[at + 1]
    if (line.startsWith('--- ') && next?.startsWith('+++ ')) {
      flush()
      out.push(`--- ${next.slice(4)}`, `+++ ${line.slice(4)}`)
      at++
    } else if (line.startsWith('@@')) {
      flush()
      out.push(line.replace(/^@@ -(\S+) \+(\S+) @@/, '@@ -$2 +$1 @@'))
    } else if (line.startsWith('-')) added.push(`+${line.slice(1)}`)
    else if (line.startsWith('+')) out.push(`-${line.slice(1)}`)
    else {
      flush()
      out.push(line)
    }
  }
  flush()
  return out.join('\n')
}
