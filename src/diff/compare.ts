// SPDX-License-Identifier: GPL-3.0-or-later
// Decides whether two atoms of two objects do the same. Bytes are compared as they are; a relocation is
// compared by what it leads to: a named thing by its counterpart, a nameless one by its content. Each
// atom is looked at once, so the whole is linear in bytes and relocations.
import { relocationType, sectionFlag } from '../elf/format.ts'
import type { Relocation, Section } from '../elf/read.ts'
import type { Correlation } from './correlation/correlate.ts'
import { type EquivalentSymbols, equivalentSymbols } from './correlation/equivalent-symbols.ts'
import { movedNumbers } from './lines/line-numbers.ts'
import { type LineShifts, lineShifts } from './lines/line-shifts.ts'
import { endMeant, isByContent } from './object/by-content.ts'
import { isColdPart, stem } from './object/compiler-names.ts'
import { hasLineNumber, isIncidental } from './object/diagnostic-data.ts'
import { isComplaint, sourcePlace } from './object/sanitizers.ts'
import { type Atom, type Extent, isCode, placeOf, type SplitObject, type Target } from './object/split-object.ts'
import { isSameEntry, replacementLength, type TableEntry } from './object/tables.ts'
import { describeTarget, toldApart } from './target-text.ts'
import { isSameUnknownPlace } from './unknown-places.ts'

export interface Comparison {
  /** Why the two functions differ; empty when they do the same. */
  functionDifferences(before: Atom, after: Atom): string[]
  /** Why two data differ in their initial value; undefined when they don't. */
  dataDifference(before: Atom, after: Atom): string | undefined
  /** Why two ranges without a name differ. */
  extentDifference(before: Extent, after: Extent): string | undefined
  /** Functions, after the patch, in which only line numbers differ. */
  readonly renumbered: ReadonlySet<Atom>
  /** A number was taken for a change that more of the objects might have shown to be a line. */
  readonly doubtsLines: boolean
}

export interface ComparisonOptions {
  /** Lines may have moved between the two objects, so a line number that differs is no change. */
  readonly linesMoved: boolean
  /**
   * The second object was made of an extract of the first one's source: what it only names may be defined in the first,
   * and the source has another name. `nameOf` is what a function of the second object is called in the first.
   */
  readonly extract?: { readonly nameOf: (name: string) => string }
}

/** Content that leads to content that leads to content: no compiler goes so deep. */
const deepest = 200

export function comparison(
  before: SplitObject,
  after: SplitObject,
  correlation: Correlation,
  { linesMoved, extract }: ComparisonOptions,
): Comparison {
  const known = new Map<string, boolean>()
  /** The keys of `known` in the order of their conclusions. */
  const trail: string[] = []
  const renumbered = new Set<Atom>()
  let shifts: LineShifts | undefined
  const lines = () => {
    shifts ??= lineShifts(before, after, correlation)
    return shifts
  }
  let depth = 0

  const targetDifference = (b: Target, a: Target): string | undefined => {
    const changed = () => toldApart(b, a)
    if (b.kind === 'external' && a.kind === 'external')
      return b.name === a.name && b.offset === a.offset ? undefined : changed()
    if (b.kind === 'string' && a.kind === 'string') {
      if (b.offset - b.start !== a.offset - a.start) return changed()
      if (b.text.equals(a.text)) return undefined
      const [textB, textA] = [b.text.toString('latin1'), a.text.toString('latin1')]
      if (extract !== undefined && isSamePlace(textB, textA, extract.nameOf)) return undefined
      return linesMoved && lines().differOnlyInLineText(textB, textA) ? undefined : changed()
    }
    if (extract !== undefined && b.kind !== a.kind && isNamedAlike(b, a)) return undefined
    if (b.kind === 'absolute' && a.kind === 'absolute') return b.value === a.value ? undefined : changed()
    if (b.kind !== 'atom' || a.kind !== 'atom') return changed()
    if (isIncidental(b.atom) && isIncidental(a.atom)) {
      const isOne = stem(b.atom.name) === stem(a.atom.name) && b.offset === a.offset
      return isOne && (hasLineNumber(a.atom) || sameContent(b.atom, a.atom)) ? undefined : changed()
    }
    if (isColdPart(b.atom.name) && isColdPart(a.atom.name)) {
      if (b.offset !== a.offset || !same('code', b.atom, a.atom, () => codeDifference(b.atom, a.atom)))
        return `its cold part ${a.atom.name} differs`
      return undefined
    }
    if (isByContent(b.atom) && isByContent(a.atom)) {
      if (extract !== undefined && b.offset === 0 && a.offset === 0)
        if (isFunctionsName(b.atom) && isFunctionsName(a.atom))
          if (isSamePlace(textOf(b.atom), textOf(a.atom), extract.nameOf)) return undefined
      const inBefore = before.extent(b.atom, b.offset)
      const inAfter = after.extent(a.atom, a.offset)
      const sameOffset = b.atom.start + b.offset - inBefore.start === a.atom.start + a.offset - inAfter.start
      return sameOffset && sameContent(inBefore, inAfter) ? undefined : `a constant differs (${describeTarget(a)})`
    }
    return correlation.same(b.atom, a.atom) && b.offset === a.offset ? undefined : changed()
  }

  let equivalents: EquivalentSymbols | undefined
  /** True when two relocations at the same place of the same instruction are seen at once to mean the same. */
  const isPlainlySame = (b: Relocation, a: Relocation): boolean => {
    equivalents ??= equivalentSymbols(before, after, correlation)
    return b.addend === a.addend && equivalents.ofSymbol[b.symbol.index] === a.symbol.index
  }

  const relocationDifference = (
    b: readonly Relocation[],
    a: readonly Relocation[],
    fromB: Extent,
    fromA: Extent,
    sameBytes: boolean,
  ): string | undefined => {
    if (b.length !== a.length) return 'it has other relocations'
    for (let index = 0; index < b.length; index++) {
      const [rb, ra] = [b[index], a[index]]
      if (rb === undefined || ra === undefined) continue
      if (rb.offset - fromB.start !== ra.offset - fromA.start || fieldType(rb) !== fieldType(ra))
        return 'it has other relocations'
      if (sameBytes && isPlainlySame(rb, ra)) continue
      const [tb, ta] = [before.target(fromB.section, rb), after.target(fromA.section, ra)]
      const difference = targetDifference(tb, ta)
      if (difference !== undefined && !(sameBytes && isSameUnknown(rb, ra, tb, ta))) return difference
      const [endB, endA] = [endMeant(before, fromB.section, rb, tb), endMeant(after, fromA.section, ra, ta)]
      if (endB !== endA && (endB === undefined || endA === undefined || !sameContent(endB, endA)))
        return `it may refer to the end of ${(endA ?? endB)?.name}, which differs`
    }
    return undefined
  }

  /** @param code the functions, in which a line number may differ */
  const extentDifference = (
    b: Extent,
    a: Extent,
    code?: { readonly before: Atom; readonly after: Atom },
  ): string | undefined => {
    if (b.end - b.start !== a.end - a.start)
      return `its size changes from ${b.end - b.start} to ${a.end - a.start} bytes`
    const bytes = firstDifference(b, a)
    if (bytes !== undefined) {
      const onlyLines =
        linesMoved &&
        (code === undefined
          ? isSameComplaint(b, a)
          : // The lines of an extract are other ones throughout.
            extract !== undefined
            ? movedNumbers(before, code.before, after, code.after) !== undefined
            : lines().differOnlyInLines(code.before, code.after))
      if (!onlyLines) return `its bytes differ from offset ${bytes} on`
      if (code !== undefined) renumbered.add(code.after)
    } else if (isWhole(b) && isWhole(a)) {
      equivalents ??= equivalentSymbols(before, after, correlation)
      if (equivalents.sameRelocations(b.section, a.section)) return undefined
    }
    return relocationDifference(before.relocations(b), after.relocations(a), b, a, bytes === undefined)
  }

  /** Remembers whether two ranges are the same, as what they are compared by. */
  const same = (by: 'code' | 'content', b: Extent, a: Extent, difference: () => string | undefined): boolean => {
    const key = `${by}:${b.section.index}:${b.start}:${b.end}:${a.section.index}:${a.start}:${a.end}`
    const answer = known.get(key)
    if (answer !== undefined) return answer
    if (depth >= deepest) return false
    // Content that refers back to itself is the same unless something else differs; then all that was
    // concluded from it has to be asked again.
    const earlier = trail.length
    known.set(key, true)
    trail.push(key)
    depth++
    const equal = difference() === undefined
    depth--
    if (!equal) {
      for (const later of trail.splice(earlier)) known.delete(later)
      known.set(key, false)
    }
    return equal
  }
  const sameContent = (b: Extent, a: Extent): boolean =>
    same(
      'content',
      b,
      a,
      () =>
        extentDifference(b, a) ??
        (isCode(b.section) && isCode(a.section)
          ? tableDifference(before.entriesAbout(b), after.entriesAbout(a), { before: b, after: a })
          : undefined),
    )

  const isSameUnknown = (rb: Relocation, ra: Relocation, tb: Target, ta: Target): boolean =>
    isSameUnknownPlace({ relocation: rb, target: tb }, { relocation: ra, target: ta }, sameContent)

  /** Entries name places in the code, so they say something only while the code is the same. */
  const codeDifference = (b: Atom, a: Atom): string | undefined =>
    extentDifference(b, a, { before: b, after: a }) ??
    tableDifference(before.tellingEntries(b), after.tellingEntries(a))

  /** @param about the nameless code that the entries are about */
  const tableDifference = (
    b: readonly TableEntry[],
    a: readonly TableEntry[],
    about?: { readonly before: Extent; readonly after: Extent },
  ): string | undefined => {
    if (b.length === 0 && a.length === 0) return undefined
    const inBefore = byTable(b)
    const inAfter = byTable(a)
    if (inBefore.length !== inAfter.length)
      return `it has ${inAfter.length} table entries instead of ${inBefore.length}`
    for (let index = 0; index < inBefore.length; index++) {
      const [eb, ea] = [inBefore[index], inAfter[index]]
      if (eb === undefined || ea === undefined) continue
      const name = ea.table.name
      if (eb.table.name !== name) return `its entry in ${name} was one in ${eb.table.name}`
      const sameShape = eb.end - eb.start === ea.end - ea.start && eb.relocations.length === ea.relocations.length
      if (!sameShape || !isSameEntry(eb, ea)) return `its entry in ${name} differs`
      for (let nth = 0; nth < eb.relocations.length; nth++) {
        const [rb, ra] = [eb.relocations[nth], ea.relocations[nth]]
        if (rb === undefined || ra === undefined) continue
        if (about !== undefined && nth === 0) {
          if (placeOf(eb) - about.before.start !== placeOf(ea) - about.after.start)
            return `its entry in ${name} differs`
          continue
        }
        const isReplacement = name === '.altinstructions' && nth === 1
        if (!isReplacement && isPlainlySame(rb, ra)) continue
        const [tb, ta] = [before.target(eb.table, rb), after.target(ea.table, ra)]
        // objtool puts thunks there (until 5.14).
        if (isReplacement && !(tb.kind === 'external' && ta.kind === 'external')) {
          const length = replacementLength(ea)
          const [xb, xa] = [slice(tb, length), slice(ta, length)]
          if (xb === undefined || xa === undefined || !sameContent(xb, xa)) return `its entry in ${name} differs`
        } else if (targetDifference(tb, ta) !== undefined && !isSameUnknown(rb, ra, tb, ta))
          return `its entry in ${name} differs`
      }
    }
    return undefined
  }

  return {
    renumbered,
    get doubtsLines() {
      return shifts?.leftInDoubt ?? false
    },
    functionDifferences(b, a) {
      const found: string[] = []
      const difference = codeDifference(b, a)
      if (difference !== undefined) found.push(difference)
      if (b.section.name !== a.section.name && codeClass(b.section) !== codeClass(a.section))
        found.push(`it moves from section ${b.section.name} to ${a.section.name}`)
      return found
    },
    dataDifference(b, a) {
      if (b.section.name !== a.section.name && sectionClass(b.section) !== sectionClass(a.section))
        return `it moves from section ${b.section.name} to ${a.section.name}`
      if (((b.section.flags ^ a.section.flags) & (sectionFlag.write | sectionFlag.alloc)) !== 0)
        return `the flags of its section ${a.section.name} change`
      const alone = before.atomsOf(b.section).length === 1 && after.atomsOf(a.section).length === 1 && a.start === 0
      if (alone && a.section.align > b.section.align)
        return `its alignment grows from ${b.section.align} to ${a.section.align} bytes`
      return extentDifference(b, a)
    },
    extentDifference,
  }
}

/** A call of a global is PLT32 and one of a static function PC32; without a PLT both say the same. */
function fieldType({ type }: Relocation): number {
  return type === relocationType.plt32 ? relocationType.pc32 : type
}

/**
 * Sections that differ only by the function or datum that they hold are of one class. What clang names itself
 * begins with a dot: `.rodata..Lswitch.table.f`, `.data..compoundliteral`.
 */
export function sectionClass(section: Section): string {
  return (
    /^\.(text\.unlikely|text\.hot|text\.startup|text|data\.rel\.ro|data\.rel|data|rodata|bss)(?=\.[^.]|\.\.(L|compoundliteral)|$)/.exec(
      section.name,
    )?.[0] ?? section.name
  )
}

/** Where the compiler puts ordinary code by how often it believes it to run makes no difference. */
function codeClass(section: Section): string {
  return sectionClass(section).replace(/^\.text\.(unlikely|hot|startup)$/, '.text')
}

function isWhole({ section, start, end }: Extent): boolean {
  return start === 0 && end === section.size
}

/**
 * Tables stand in an object in the order in which the unit first needed them; an entry's place in its own table means
 * something.
 */
function byTable(entries: readonly TableEntry[]): readonly TableEntry[] {
  if (entries.every(({ table }) => table === entries[0]?.table)) return entries
  const order = (name: string, other: string) => (name === other ? 0 : name < other ? -1 : 1)
  return [...entries].sort((one, other) => order(one.table.name, other.table.name))
}

/** True when two complaints of UBSAN differ in their place in the source only. */
function isSameComplaint(b: Extent, a: Extent): boolean {
  if (!isComplaint(b.section) || !isComplaint(a.section)) return false
  const behind = ({ section, start, end }: Extent) => ({ section, start: start + sourcePlace.size, end })
  const inFront = ({ section, start }: Extent) => ({ section, start, end: start + sourcePlace.line })
  return firstDifference(behind(b), behind(a)) === undefined && firstDifference(inFront(b), inFront(a)) === undefined
}

function firstDifference(b: Extent, a: Extent): number | undefined {
  const [db, da] = [b.section.data, a.section.data]
  // Bytes that the file does not hold are zero on both sides.
  if (db.length === 0 && da.length === 0) return undefined
  const [endB, endA] = [Math.min(b.end, db.length), Math.min(a.end, da.length)]
  const [startB, startA] = [Math.min(b.start, endB), Math.min(a.start, endA)]
  if (db.compare(da, startA, endA, startB, endB) === 0) return undefined
  for (let index = 0; startA + index < endA; index++) if (da[startA + index] !== db[startB + index]) return index
  return endA - startA
}

/** True when one object defines what the other only names. */
function isNamedAlike(b: Target, a: Target): boolean {
  const [outside, inside] = b.kind === 'external' ? [b, a] : [a, b]
  if (outside.kind !== 'external' || inside.kind !== 'atom') return false
  const { atom, offset } = inside
  return [atom.symbol, ...atom.aliases].some(
    (symbol) => symbol?.name === outside.name && atom.start + offset - symbol.value === outside.offset,
  )
}

/** `__func__`, which gcc makes a constant of. */
function isFunctionsName({ name }: Atom): boolean {
  return /^__(func|FUNCTION|PRETTY_FUNCTION)__\./.test(name)
}

function textOf({ section, start, end }: Atom): string {
  return section.data.toString('latin1', start, end)
}

/**
 * True for `__FILE__` or `__func__` of the same code, in a unit and in an extract of it, or a text with such a place in
 * it.
 */
function isSamePlace(b: string, a: string, nameOf: (name: string) => string): boolean {
  const place = /(?<![\w./+-])[\w./+-]+\.[ch](:\d+)?(?![\w./+-])/g
  const [restB, restA] = [b.replace(place, ''), a.replace(place, '')]
  if (restB !== b && restA !== a && restB === restA) return true
  return b.replace(/\0$/, '') === nameOf(a.replace(/\0$/, ''))
}

function slice(target: Target, length: number): Extent | undefined {
  if (target.kind !== 'atom') return undefined
  const start = target.atom.start + target.offset
  if (start < 0 || start + length > target.atom.section.size) return undefined
  return { section: target.atom.section, start, end: start + length }
}
