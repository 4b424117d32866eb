// SPDX-License-Identifier: GPL-3.0-or-later
// Decides whether two atoms of two objects do the same. Bytes are compared as they are; a relocation is
// compared by what it leads to: a named thing by its counterpart, a nameless one by its content. Each
// atom is looked at once, so the whole is linear in bytes and relocations.
import { relocationType, sectionFlag } from '../elf/format.ts'
import type { Relocation, Section } from '../elf/read.ts'
import { lazy } from '../ground/values/remembered.ts'
import type { Correlation } from './correlation/correlate.ts'
import { equivalentSymbols } from './correlation/equivalent-symbols.ts'
import { movedNumbers } from './lines/line-numbers.ts'
import { lineShifts } from './lines/line-shifts.ts'
import { endMeant, isByContent } from './object/by-content.ts'
import { isColdPart, stem } from './object/compiler-names.ts'
import { hasLineNumber, isIncidental } from './object/diagnostic-data.ts'
import { isComplaint, sourcePlace } from './object/sanitizers.ts'
import { type Atom, type Extent, isCode, placeOf, type SplitObject, type Target } from './object/split-object.ts'
import { isSameEntry, replacementLength, type TableEntry } from './object/tables.ts'
import { describeTarget, toldApart } from './target-text.ts'

export interface ComparisonOptions {
  /** Lines may have moved between the two objects, so a line number that differs is no change. */
  readonly linesMoved: boolean
  /**
   * The second object was made of an extract of the first one's source: what it only names may be defined in the first,
   * and the source has another name. `nameOf` is what a function of the second object is called in the first.
   */
  readonly extract?: { readonly nameOf: (name: string) => string }
}

type AtomTarget = Target & { readonly kind: 'atom' }

/** Content that leads to content that leads to content: no compiler goes so deep. */
const deepest = 200

/** What was concluded about pairs of ranges that lead to one another. */
class Conclusions {
  private readonly known = new Map<string, boolean>()
  /** The keys of `known` in the order of their conclusions. */
  private readonly trail: string[] = []
  private depth = 0

  /** Remembers whether two ranges are the same, as what they are compared by. */
  areSame(by: 'code' | 'content', b: Extent, a: Extent, difference: () => string | undefined): boolean {
    const { known, trail } = this
    const key = `${by}:${b.section.index}:${b.start}:${b.end}:${a.section.index}:${a.start}:${a.end}`
    const answer = known.get(key)
    if (answer !== undefined) return answer
    if (this.depth >= deepest) return false
    // Content that refers back to itself is the same unless something else differs; then all that was
    // concluded from it has to be asked again.
    const earlier = trail.length
    known.set(key, true)
    trail.push(key)
    this.depth++
    const equal = difference() === undefined
    this.depth--
    if (!equal) {
      for (const later of trail.splice(earlier)) known.delete(later)
      known.set(key, false)
    }
    return equal
  }
}

/** How the atoms of an object before the patch differ from those after it. */
export class Comparison {
  /** Functions, after the patch, in which only line numbers differ. */
  readonly renumbered = new Set<Atom>()
  private readonly conclusions = new Conclusions()
  private readonly lines = lazy(() => lineShifts(this.before, this.after, this.correlation))
  private readonly equivalentSymbols = lazy(() => equivalentSymbols(this.before, this.after, this.correlation))

  constructor(
    private readonly before: SplitObject,
    private readonly after: SplitObject,
    private readonly correlation: Correlation,
    private readonly options: ComparisonOptions,
  ) {}

  /** A number was taken for a change that more of the objects might have shown to be a line. */
  get doubtsLines(): boolean {
    return this.lines().leftInDoubt
  }

  /** Why the two functions differ; empty when they do the same. */
  functionDifferences(b: Atom, a: Atom): string[] {
    const found: string[] = []
    const difference = this.codeDifference(b, a)
    if (difference !== undefined) found.push(difference)
    if (b.section.name !== a.section.name && codeClass(b.section) !== codeClass(a.section))
      found.push(`it moves from section ${b.section.name} to ${a.section.name}`)
    return found
  }

  /** Why two data differ in their initial value; undefined when they don't. */
  dataDifference(b: Atom, a: Atom): string | undefined {
    if (b.section.name !== a.section.name && sectionClass(b.section) !== sectionClass(a.section))
      return `it moves from section ${b.section.name} to ${a.section.name}`
    if (((b.section.flags ^ a.section.flags) & (sectionFlag.write | sectionFlag.alloc)) !== 0)
      return `the flags of its section ${a.section.name} change`
    const isAlone = this.before.atomsOf(b.section).length === 1 && this.after.atomsOf(a.section).length === 1
    if (isAlone && a.start === 0 && a.section.align > b.section.align)
      return `its alignment grows from ${b.section.align} to ${a.section.align} bytes`
    return this.extentDifference(b, a)
  }

  /**
   * Why two ranges differ.
   * @param code the functions, in which a line number may differ; undefined for ranges without a name
   */
  extentDifference(b: Extent, a: Extent, code?: { readonly b: Atom; readonly a: Atom }): string | undefined {
    const { before, after } = this
    if (b.end - b.start !== a.end - a.start)
      return `its size changes from ${b.end - b.start} to ${a.end - a.start} bytes`
    const bytes = firstDifference(b, a)
    if (bytes !== undefined) {
      if (!this.differOnlyInLines(b, a, code)) return `its bytes differ from offset ${bytes} on`
      if (code !== undefined) this.renumbered.add(code.a)
    } else if (isWhole(b) && isWhole(a) && this.equivalentSymbols().sameRelocations(b.section, a.section))
      return undefined
    return this.relocationDifference(before.relocations(b), after.relocations(a), b, a, bytes === undefined)
  }

  private differOnlyInLines(b: Extent, a: Extent, code: { readonly b: Atom; readonly a: Atom } | undefined): boolean {
    const { linesMoved, extract } = this.options
    if (!linesMoved) return false
    if (code === undefined) return isSameComplaint(b, a)
    // The lines of an extract are other ones throughout.
    return extract === undefined
      ? this.lines().differOnlyInLines(code.b, code.a)
      : movedNumbers(this.before, code.b, this.after, code.a) !== undefined
  }

  /** Entries name places in the code, so they say something only while the code is the same. */
  private codeDifference(b: Atom, a: Atom): string | undefined {
    const { before, after } = this
    return (
      this.extentDifference(b, a, { b, a }) ?? this.tableDifference(before.tellingEntries(b), after.tellingEntries(a))
    )
  }

  private contentDifference(b: Extent, a: Extent): string | undefined {
    const difference = this.extentDifference(b, a)
    if (difference !== undefined || !isCode(b.section) || !isCode(a.section)) return difference
    return this.tableDifference(this.before.entriesAbout(b), this.after.entriesAbout(a), { b, a })
  }

  private isSameContent(b: Extent, a: Extent): boolean {
    return this.conclusions.areSame('content', b, a, () => this.contentDifference(b, a))
  }

  private relocationDifference(
    b: readonly Relocation[],
    a: readonly Relocation[],
    fromB: Extent,
    fromA: Extent,
    sameBytes: boolean,
  ): string | undefined {
    if (b.length !== a.length) return 'it has other relocations'
    const { before, after } = this
    for (let index = 0; index < b.length; index++) {
      const [rb, ra] = [b[index]!, a[index]!]
      if (rb.offset - fromB.start !== ra.offset - fromA.start || fieldType(rb) !== fieldType(ra))
        return 'it has other relocations'
      if (sameBytes && this.isPlainlySame(rb, ra)) continue
      const [tb, ta] = [before.target(fromB.section, rb), after.target(fromA.section, ra)]
      const difference = this.targetDifference(tb, ta)
      if (difference !== undefined && !(sameBytes && this.isSameUnknown(rb, ra, tb, ta))) return difference
      const [endB, endA] = [endMeant(before, fromB.section, rb, tb), endMeant(after, fromA.section, ra, ta)]
      if (endB !== endA && (endB === undefined || endA === undefined || !this.isSameContent(endB, endA)))
        return `it may refer to the end of ${(endA ?? endB)?.name}, which differs`
    }
    return undefined
  }

  /** True when two relocations at the same place of the same instruction are seen at once to mean the same. */
  private isPlainlySame(b: Relocation, a: Relocation): boolean {
    return b.addend === a.addend && this.equivalentSymbols().ofSymbol[b.symbol.index] === a.symbol.index
  }

  /**
   * References of which nobody can tell where they lead: behind the last string, into the middle of an instruction that
   * is unknown, out of their section. Two of them are the same when they go the same way into the same bytes, wherever
   * that is.
   */
  private isSameUnknown(rb: Relocation, ra: Relocation, tb: Target, ta: Target): boolean {
    if (tb.kind !== 'nowhere' || ta.kind !== 'nowhere') return false
    const [b, a] = [rb.symbol, ra.symbol]
    if (rb.addend !== ra.addend || b.place !== a.place) return false
    // A common symbol: the linker makes room for it under its name.
    if (b.section === undefined || a.section === undefined) return b.name === a.name
    return (
      b.value === a.value &&
      b.section.name === a.section.name &&
      b.section.flags === a.section.flags &&
      b.section.entrySize === a.section.entrySize &&
      this.isSameContent(wholeOf(b.section), wholeOf(a.section))
    )
  }

  private targetDifference(b: Target, a: Target): string | undefined {
    if (b.kind === 'atom' && a.kind === 'atom') return this.placeDifference(b, a)
    return this.areSameOutside(b, a) ? undefined : toldApart(b, a)
  }

  /** The same for targets that are not both places in atoms. */
  private areSameOutside(b: Target, a: Target): boolean {
    const { linesMoved, extract } = this.options
    if (b.kind === 'external' && a.kind === 'external') return b.name === a.name && b.offset === a.offset
    // Each is about its own place, and compared with the code.
    if (b.kind === 'entry' && a.kind === 'entry') return b.entry.table.name === a.entry.table.name
    if (b.kind === 'absolute' && a.kind === 'absolute') return b.value === a.value
    if (b.kind === 'string' && a.kind === 'string') {
      if (b.offset - b.start !== a.offset - a.start) return false
      if (b.text.equals(a.text)) return true
      const [textB, textA] = [b.text.toString('latin1'), a.text.toString('latin1')]
      if (extract !== undefined && isSamePlace(textB, textA, extract.nameOf)) return true
      return linesMoved && this.lines().differOnlyInLineText(textB, textA)
    }
    return extract !== undefined && b.kind !== a.kind && isNamedAlike(b, a)
  }

  private placeDifference(b: AtomTarget, a: AtomTarget): string | undefined {
    const { before, after, options } = this
    if (isIncidental(b.atom) && isIncidental(a.atom)) {
      const isOne = stem(b.atom.name) === stem(a.atom.name) && b.offset === a.offset
      return isOne && (hasLineNumber(a.atom) || this.isSameContent(b.atom, a.atom)) ? undefined : toldApart(b, a)
    }
    if (isColdPart(b.atom.name) && isColdPart(a.atom.name)) {
      const isSame =
        b.offset === a.offset &&
        this.conclusions.areSame('code', b.atom, a.atom, () => this.codeDifference(b.atom, a.atom))
      return isSame ? undefined : `its cold part ${a.atom.name} differs`
    }
    if (isByContent(b.atom) && isByContent(a.atom)) {
      if (options.extract !== undefined && b.offset === 0 && a.offset === 0)
        if (isFunctionsName(b.atom) && isFunctionsName(a.atom))
          if (isSamePlace(textOf(b.atom), textOf(a.atom), options.extract.nameOf)) return undefined
      const inBefore = before.extent(b.atom, b.offset)
      const inAfter = after.extent(a.atom, a.offset)
      const sameOffset = b.atom.start + b.offset - inBefore.start === a.atom.start + a.offset - inAfter.start
      return sameOffset && this.isSameContent(inBefore, inAfter)
        ? undefined
        : `a constant differs (${describeTarget(a)})`
    }
    return this.correlation.same(b.atom, a.atom) && b.offset === a.offset ? undefined : toldApart(b, a)
  }

  /** @param about the nameless code that the entries are about */
  private tableDifference(
    b: readonly TableEntry[],
    a: readonly TableEntry[],
    about?: { readonly b: Extent; readonly a: Extent },
  ): string | undefined {
    if (b.length === 0 && a.length === 0) return undefined
    const inBefore = byTable(b)
    const inAfter = byTable(a)
    if (inBefore.length !== inAfter.length)
      return `it has ${inAfter.length} table entries instead of ${inBefore.length}`
    for (let index = 0; index < inBefore.length; index++) {
      const [eb, ea] = [inBefore[index]!, inAfter[index]!]
      const { name } = ea.table
      if (eb.table.name !== name) return `its entry in ${name} was one in ${eb.table.name}`
      // The place that an entry about nameless code is about has no name to be known by.
      const isThere = about === undefined || placeOf(eb) - about.b.start === placeOf(ea) - about.a.start
      if (!isThere || !this.areSameEntries(eb, ea, about === undefined ? 0 : 1)) return `its entry in ${name} differs`
    }
    return undefined
  }

  /** @param first the relocation from which on they are compared */
  private areSameEntries(b: TableEntry, a: TableEntry, first: number): boolean {
    if (b.end - b.start !== a.end - a.start || b.relocations.length !== a.relocations.length) return false
    if (!isSameEntry(b, a)) return false
    for (let nth = first; nth < b.relocations.length; nth++) {
      const [rb, ra] = [b.relocations[nth]!, a.relocations[nth]!]
      const isReplacement = a.table.name === '.altinstructions' && nth === 1
      if (!isReplacement && this.isPlainlySame(rb, ra)) continue
      const [tb, ta] = [this.before.target(b.table, rb), this.after.target(a.table, ra)]
      // objtool puts thunks there (until 5.14).
      if (isReplacement && !(tb.kind === 'external' && ta.kind === 'external')) {
        const length = replacementLength(a)
        const [xb, xa] = [slice(tb, length), slice(ta, length)]
        if (xb === undefined || xa === undefined || !this.isSameContent(xb, xa)) return false
      } else if (this.targetDifference(tb, ta) !== undefined && !this.isSameUnknown(rb, ra, tb, ta)) return false
    }
    return true
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

function wholeOf(section: Section): Extent {
  return { section, start: 0, end: section.size }
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
