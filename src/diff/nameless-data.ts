// SPDX-License-Identifier: GPL-3.0-or-later
// What nobody names must not change unseen. Constants count through the code that refers to them, but in a section that
// several things share a reference may seem to mean a neighbour; and some sections the kernel reads without a
// reference.
import { sectionFlag } from '../elf/format.ts'
import { addTo, grouped } from '../ground/values/grouped.ts'
import { type Comparison, sectionClass } from './compare.ts'
import type { Correlation } from './correlation/correlate.ts'
import { isByContent } from './object/by-content.ts'
import { isColdPart } from './object/compiler-names.ts'
import { isIncidental } from './object/diagnostic-data.ts'
import { type Atom, isCode, isIgnored, isOutOfLine, type SplitObject } from './object/split-object.ts'

/** Sections of which every byte is there for somebody who refers to it. */
function isForReferrers({ section }: Atom): boolean {
  const kind = sectionClass(section)
  if (isCode(section)) return section.size === 0
  return (
    kind === '.rodata' ||
    kind === '.data' ||
    kind === '.bss' ||
    /^(\.init\.rodata|__ksymtab_strings$)/.test(section.name)
  )
}

/** Nameless content that does not only matter to what refers to it, by its section's name and in order. */
function ownContent({ atoms }: SplitObject): Map<string, Atom[]> {
  const found = new Map<string, Atom[]>()
  for (const atom of atoms) {
    const { section } = atom
    if (atom.kind !== 'constant' || section.name === '.altinstr_replacement') continue
    if (isOutOfLine(section) || isForReferrers(atom)) continue
    addTo(found, section.name, atom)
  }
  return found
}

/** The sections whose nameless content is another one, and that the kernel may read or run by itself. */
export function changedNameless(
  before: SplitObject,
  after: SplitObject,
  compare: Comparison,
): { readonly name: string; readonly difference: string }[] {
  const found: { name: string; difference: string }[] = []
  const old = ownContent(before)
  const fresh = ownContent(after)
  for (const name of new Set([...old.keys(), ...fresh.keys()])) {
    const [b, a] = [old.get(name) ?? [], fresh.get(name) ?? []]
    for (let nth = 0; nth < Math.max(b.length, a.length); nth++) {
      const [was, is] = [b[nth], a[nth]]
      const told =
        was !== undefined && is !== undefined
          ? compare.extentDifference(was, is)
          : (was ?? is)?.section.size === 0
            ? undefined
            : was === undefined
              ? 'it is new'
              : 'it is gone'
      if (told !== undefined) found.push({ name, difference: told })
    }
  }
  return found
}

/**
 * Constants of shared sections after the patch that no constant before it equals, and that nothing which changes is
 * seen to use.
 * @param changes what is known to differ, or to be new, after the patch
 */
export function unclaimed(
  before: SplitObject,
  after: SplitObject,
  correlation: Correlation,
  compare: Comparison,
  changes: readonly Atom[],
): Atom[] {
  const isWanted = (atom: Atom) => isByContent(atom) && isForReferrers(atom) && !isIncidental(atom)
  const fresh = after.atoms.filter(
    (atom) =>
      isWanted(atom) &&
      // What has a section to itself is meant by every reference into it; what the linker merges is referred to one by
      // one.
      after.atomsOf(atom.section).length > 1 &&
      (atom.section.flags & sectionFlag.merge) === 0,
  )
  if (fresh.length === 0) return []
  const alike = grouped(before.atoms.filter(isWanted), beginOf)
  const isOld = (atom: Atom) =>
    [correlation.counterpartOf(atom), ...(alike.get(beginOf(atom)) ?? [])].some(
      (other) => other !== undefined && compare.extentDifference(other, atom) === undefined,
    )
  const open = new Set(fresh.filter((atom) => !isOld(atom)))
  if (open.size === 0) return []
  const seen = new Set([...changes, ...after.data.filter(isIncidental)])
  for (const section of after.object.sections)
    if ((section.flags & sectionFlag.alloc) !== 0 && isIgnored(section))
      for (const relocation of after.object.relocations(section)) {
        const target = after.target(section, relocation)
        if (target.kind === 'atom' && isByContent(target.atom)) seen.add(target.atom)
      }
  for (const atom of seen) {
    const entries = atom.kind === 'function' ? after.tableEntries(atom) : []
    const references = [
      ...after.relocations(atom).map((relocation) => ({ from: atom.section, relocation })),
      ...entries.flatMap(({ table, relocations }) => relocations.map((relocation) => ({ from: table, relocation }))),
    ]
    for (const { from, relocation } of references) {
      const target = after.target(from, relocation)
      if (target.kind !== 'atom') continue
      if (isByContent(target.atom) || isColdPart(target.atom.name)) seen.add(target.atom)
    }
  }
  return [...open].filter((atom) => !seen.has(atom))
}

/** Size and first bytes: what else is equal has these, too. */
function beginOf({ section, start, end }: Atom): string {
  return `${end - start} ${section.data.toString('latin1', start, Math.min(end, start + 256))}`
}
