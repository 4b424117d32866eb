// SPDX-License-Identifier: GPL-3.0-or-later
// What the compiler did with the functions of a unit, read from its own words. A function that was put into another
// one lives on there; a replacement of the function alone would leave that copy as it is.
//
// gcc writes one line for each step (dump_callgraph_transformation in its cgraphclones.cc):
//   Callgraph clone;FROM;ORDER;FILE;LINE;COLUMN;TO;ORDER;FILE;LINE;COLUMN;HOW
//   Callgraph removal;NAME;ORDER;FILE;LINE;COLUMN
// HOW is `inlining to`, or the suffix of a new form (`isra`, `constprop`, `part`). Functions of which it makes one are
// only in its remarks (ipa-icf.cc): `Semantic equality hit:KEPT/ORDER->GONE/ORDER`. clang says what it inlines in
// remarks.
import type { IpaDump } from '../../build/compiler/ipa-dump.ts'
import { sourceName } from '../../diff/object/compiler-names.ts'
import { addToSet } from '../../ground/values/grouped.ts'

export interface Inlining {
  /** The functions into which this one was put, straight or with another one that it was put into. */
  containers(name: string): ReadonlySet<string>
  /** Functions that have the same code, so that the compiler kept this one's or theirs only. */
  merged(name: string): ReadonlySet<string>
}

const none: ReadonlySet<string> = new Set()

/**
 * Names are the source's, whatever forms the compiler made: what was put into `f.part.0` was put into `f`.
 * @param dump lines that are not understood are left out
 */
export function readInlining({ clones, remarks }: IpaDump): Inlining {
  const containers = new Map<string, Set<string>>()
  const merged = new Map<string, Set<string>>()
  for (const line of clones.split('\n')) {
    const fields = line.split(';')
    if (fields[0] !== 'Callgraph clone' || fields.length !== 12) continue
    const [from, to, how] = [fields[1]!, fields[6]!, fields[11]!]
    if (how === 'inlining to' && sourceName(from) !== sourceName(to))
      addToSet(containers, sourceName(from), sourceName(to))
  }
  for (const [, kept, gone] of remarks.matchAll(/Semantic equality hit:(\S+?)\/\d+->(\S+?)\/\d+/g)) {
    const [one, other] = [sourceName(kept!), sourceName(gone!)]
    if (one === other) continue
    addToSet(merged, one, other)
    addToSet(merged, other, one)
  }
  for (const [, from, to] of remarks.matchAll(/remark: '([^']+)' inlined into '([^']+)'/g))
    if (sourceName(from!) !== sourceName(to!)) addToSet(containers, sourceName(from!), sourceName(to!))
  return {
    containers: (name) => containers.get(name) ?? none,
    merged: (name) => merged.get(name) ?? none,
  }
}
