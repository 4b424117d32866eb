// SPDX-License-Identifier: GPL-3.0-or-later
// Walks a part of an expected function and the running code side by side, instruction by instruction. What the linker
// filled in must lead to the same names; the assembler may have chosen shorter jumps and other padding, because kbuild
// does not give each function a section; and a site that the kernel rewrites may hold what the kernel writes there.
import { countInFront } from '../ground/values/sorted.ts'
import { conditionOf, controlOf, placeOf } from '../x86/branch.ts'
import { fentry, hookAt, hookSize, isLandingPad, isSealedPad, landingPadSize } from '../x86/entry.ts'
import { decodeInstruction, type Instruction } from '../x86/instruction.ts'
import { bytesUnderProbe, hasBreakpoint, hasProbeJump, probeJumpSize } from '../x86/kprobe.ts'
import { gapAt, isFilled, nopAt } from '../x86/padding.ts'
import { insteadOfLock, isCallOrNothing, mayReplace } from '../x86/text-patching.ts'
import { adjusted, fieldSize, judge, type ResolvedField, readField } from './destination.ts'
import type { Destination } from './expectation.ts'
import { contradict, type Placement, Placements, placementBy } from './placements.ts'
import type { AlternativeSite, PreparedPart, PreparedSnippet } from './prepared.ts'
import type { Running } from './running.ts'
import { complained, readEntry, warned } from './told-entry.ts'
import type { CodeMismatch, Lead, Walked } from './walked.ts'

/** Bytes by which padding and longer jumps can make the running code longer. */
const slack = 64

/** What an instruction came to: fields, jumps. Kept only when all of it fits. */
interface Step {
  readonly fixed: ResolvedField[]
  readonly leads: { to: Lead['to']; lands: bigint }[]
  unconfirmed: number
}

function noStep(): Step {
  return { fixed: [], leads: [], unconfirmed: 0 }
}

type Problem = Pick<CodeMismatch, 'why' | 'expected' | 'found' | 'against'>

/**
 * @param address where the part may be
 * @param known where private symbols are, by other parts
 */
export function walk(
  running: Running,
  part: PreparedPart,
  number: number,
  address: bigint,
  known: Iterable<Placement> = [],
): Walked | CodeMismatch {
  return new Walk(running, part, number, address, known).run()
}

/** Where a walk has come to, in our code and in theirs, and what it has seen on the way. */
class Walk {
  private readonly live: boolean
  private readonly ours: Buffer
  /** Theirs as it was read; undefined when nothing is there. */
  private readonly read: Buffer | undefined
  /** The same with what a kprobe hides. */
  private theirs: Buffer
  private at = 0
  private there = 0
  /** Nops of ours that were passed over since the last instruction. */
  private readonly skipped: number[] = []
  /** Alternatives that were looked at. */
  private readonly tried = new Set<number>()
  private readonly fixed: ResolvedField[] = []
  private readonly leads: Lead[] = []
  private readonly places = new Map<number, readonly bigint[]>()
  private readonly placements: Placements
  private unconfirmed = 0
  private rewritten = 0

  constructor(
    private readonly running: Running,
    private readonly part: PreparedPart,
    private readonly number: number,
    private readonly address: bigint,
    known: Iterable<Placement>,
  ) {
    this.live = running.live === true
    this.ours = part.bytes
    this.read = readMost(running, address, this.ours.length + slack)
    this.theirs = this.read ?? Buffer.alloc(0)
    this.placements = new Placements(known)
  }

  run(): Walked | CodeMismatch {
    const { ours, fixed, leads, places, placements } = this
    if (this.read === undefined) return this.differs({ why: 'nothing-there' })
    for (;;) {
      while (this.at < ours.length && !this.isSite() && nopAt(ours, this.at) > 0) {
        this.skipped.push(this.at)
        this.at += nopAt(ours, this.at)
      }
      if (this.at >= ours.length) break
      const problem = this.advance()
      if (problem !== undefined) return this.differs(problem)
    }
    for (const one of [...this.skipped, ours.length]) places.set(one, [this.here(this.there)])
    return { fixed, leads, places, placements, unconfirmed: this.unconfirmed, rewritten: this.rewritten }
  }

  /** Goes on by one site or instruction. */
  private advance(): Problem | undefined {
    const { part, ours, live, at } = this
    const from = this.there
    const alternative = live && !this.tried.has(at) ? part.alternatives.get(at) : undefined
    if (alternative !== undefined) {
      this.passAlternative(alternative, from)
      return undefined
    }
    const label = part.labels.get(at)
    if (label !== undefined) return this.passLabel(label.to, from)
    const a = decodeInstruction(ours, at)
    if (a === undefined) return { why: 'no-instruction' }
    const field = a.branch < 0 ? undefined : part.fields.get(a.branch)
    const symbol = field !== undefined && 'symbol' in field.to ? field.to.symbol : undefined
    if (symbol === fentry && controlOf(a) === 'call') {
      this.arrive(from)
      const hooked = this.isHooked()
      if (hooked === undefined) return { why: 'instruction' }
      this.at = a.end
      this.there += hookSize
      this.rewritten += hooked ? 1 : 0
      return undefined
    }
    // A sealed landing pad may look like a nop.
    if (live && at === 0 && isLandingPad(ours) && isSealedPad(this.theirs)) {
      this.arrive(from)
      this.at = this.there = landingPadSize
      this.rewritten++
      return undefined
    }
    this.there = this.behindPadding(from)
    this.arrive(from)
    const direct = live ? part.paravirt.get(at) : undefined
    if (direct !== undefined && isCallOrNothing(this.theirs, this.there, direct.length)) {
      this.passRewritten(direct.length)
      return undefined
    }
    return this.passInstruction(a, symbol)
  }

  private passAlternative(site: AlternativeSite, from: number): void {
    this.tried.add(this.at)
    const found = this.replacedAt(site)
    if (found === undefined) return
    this.there = found.begin
    this.arrive(from)
    this.keep(found.step)
    this.passRewritten(site.length)
  }

  private passLabel(to: Lead['to'] | 'unknown', from: number): Problem | undefined {
    // In front of the label there may be padding, and the label itself is a nop, too.
    const starts = this.skipped.length > 0 ? afterGaps(this.theirs, from, nopAt) : [from]
    const fits = starts.map((start) => this.labelAt(to, start)).findLast((one) => one !== undefined)
    if (fits === undefined) return { why: 'instruction' }
    this.there = fits.start
    this.arrive(from)
    if (to === 'unknown') this.unconfirmed++
    else if (fits.lands !== undefined) this.leads.push(this.lead(to, fits.lands))
    this.at = fits.ours
    this.there = fits.end
    return undefined
  }

  /** Passes an instruction that is the same, or that the kernel has replaced. */
  private passInstruction(a: Instruction, symbol: string | undefined): Problem | undefined {
    const { running, live, there } = this
    const probed = live && running.probed?.(this.here(there)) === true && hasProbeJump(this.theirs, there)
    const hidden = this.hiddenBytes(a)
    const before = this.theirs
    let step: Step
    let b: Instruction | undefined
    let problem: Problem | undefined
    do {
      const byte = hidden.shift()
      if (byte !== undefined) {
        this.theirs = Buffer.from(before)
        this.theirs[there] = byte
      }
      step = noStep()
      b = decodeInstruction(this.theirs, there)
      problem = b === undefined ? { why: 'no-instruction' } : this.compare(a, b, this.part, step)
    } while (problem !== undefined && hidden.length > 0)
    if (problem === undefined && b !== undefined) {
      this.keep(step)
      this.rewritten += this.theirs === before ? 0 : 1
      this.at = a.end
      this.there = b.end
      return undefined
    }
    if (live && symbol !== undefined && mayReplace(running, a, symbol, this.theirs, there, this.address)) {
      this.passRewritten(a.end - a.start)
      return undefined
    }
    return probed ? this.passProbe() : (problem ?? { why: 'no-instruction' })
  }

  /** An optimised kprobe is a jump in the place of several instructions. */
  private passProbe(): Problem | undefined {
    const begin = this.at
    while (this.at < this.ours.length && this.at - begin < probeJumpSize) {
      const next = decodeInstruction(this.ours, this.at)
      if (next === undefined) return { why: 'no-instruction' }
      this.at = next.end
    }
    this.there += this.at - begin
    this.rewritten++
    return undefined
  }

  private passRewritten(length: number): void {
    this.at += length
    this.there += length
    this.rewritten++
  }

  private differs(problem: Problem, a = this.at, b = this.there): CodeMismatch {
    return {
      ...problem,
      part: this.number,
      at: a,
      address: this.here(b),
      ours: instructionText(this.ours, a),
      theirs: this.read === undefined ? '' : instructionText(this.read, b),
    }
  }

  private here(offset: number): bigint {
    return this.address + BigInt(offset)
  }

  private isSite(): boolean {
    const { at, part } = this
    return part.labels.has(at) || (this.live && part.alternatives.has(at) && !this.tried.has(at))
  }

  private paddingAt(offset: number): number {
    return this.live ? gapAt(this.theirs, offset) : nopAt(this.theirs, offset)
  }

  private behindPadding(from: number): number {
    let place = from
    for (let size = this.paddingAt(place); size > 0; size = this.paddingAt(place)) place += size
    return place
  }

  /** Notes where an instruction of ours is; the padding from `from` on in front of it may be jumped to as well. */
  private arrive(from: number): void {
    const reached = [this.here(this.there)]
    for (let nop = from; nop < this.there; nop += this.paddingAt(nop)) reached.push(this.here(nop))
    for (const one of [...this.skipped.splice(0), this.at]) this.places.set(one, reached)
  }

  private lead(to: Lead['to'], lands: bigint): Lead {
    const { at, there } = this
    return { to, lands, otherwise: () => this.differs({ why: 'jump', found: lands }, at, there) }
  }

  private keep(step: Step): void {
    this.fixed.push(...step.fixed)
    for (const one of step.fixed) {
      const placement = placementBy(one)
      if (placement !== undefined) this.placements.add(placement)
    }
    this.leads.push(...step.leads.map((one) => this.lead(one.to, one.lands)))
    this.unconfirmed += step.unconfirmed
  }

  /**
   * A breakpoint of a kprobe hides the first byte of an instruction. @returns what it may have been; a jump may be
   * shorter than ours
   */
  private hiddenBytes(a: Instruction): number[] {
    const { running, theirs, there } = this
    if (!this.live || !hasBreakpoint(theirs, there) || running.probed?.(this.here(there)) !== true) return []
    return bytesUnderProbe(a)
  }

  /** @returns whether ftrace has hooked the function; undefined when there is no hook */
  private isHooked(): boolean | undefined {
    const hook = hookAt(this.theirs, this.there)
    if (hook === undefined) return undefined
    if (hook === 'free') return false
    if (this.running.addressesOf(fentry).includes(BigInt.asUintN(64, this.here(hook)))) return false
    return this.live ? true : undefined
  }

  /** A nop or a jump at a jump label. */
  private labelAt(to: Lead['to'] | 'unknown', start: number) {
    const { theirs } = this
    const a = decodeInstruction(this.ours, this.at)
    const b = decodeInstruction(theirs, start)
    if (a === undefined || b === undefined) return undefined
    const size = nopAt(theirs, start)
    if (size === 2 || size === 5) return { start, ours: a.end, end: start + size }
    if (controlOf(b) !== 'jump') return undefined
    const lands = BigInt.asUintN(64, this.here(placeOf(b)))
    return { start, ours: a.end, end: b.end, ...(to === 'unknown' ? {} : { lands }) }
  }

  /** What an alternative's site holds when one of its choices is there. */
  private replacedAt({ length, choices, direct }: AlternativeSite) {
    const { theirs } = this
    const starts = afterGaps(theirs, this.there, gapAt)
    for (const choice of choices)
      for (const begin of starts) {
        const step = noStep()
        const end = this.snippetAt(choice, begin, step)
        if (end !== undefined && isFilled(theirs, end, begin + length)) return { begin, step }
      }
    const begin = direct ? starts.find((start) => isCallOrNothing(theirs, start, length)) : undefined
    return begin === undefined ? undefined : { begin, step: noStep() }
  }

  /** @returns where the snippet ends in theirs */
  private snippetAt(snippet: PreparedSnippet, begin: number, step: Step): number | undefined {
    const { theirs } = this
    let [s, t] = [0, begin]
    while (s < snippet.bytes.length) {
      const nop = nopAt(snippet.bytes, s)
      if (nop > 0) {
        s += nop
        continue
      }
      while (gapAt(theirs, t) > 0) t += gapAt(theirs, t)
      const a = decodeInstruction(snippet.bytes, s)
      const b = decodeInstruction(theirs, t)
      if (a === undefined || b === undefined) return undefined
      const inside = a.branch >= 0 && !snippet.fields.has(a.branch)
      const problem = inside
        ? a.end - s !== b.end - t || !snippet.bytes.subarray(s, a.end).equals(theirs.subarray(t, b.end))
        : this.compare(a, b, snippet, step) !== undefined
      if (problem) return undefined
      s = a.end
      t = b.end
    }
    return t
  }

  /** Compares two instructions; what they lead to is added to `step`. */
  private compare(a: Instruction, b: Instruction, code: PreparedSnippet, step: Step): Problem | undefined {
    const { theirs } = this
    if (a.branch >= 0) {
      if (b.branch < 0 || conditionOf(a) !== conditionOf(b)) return { why: 'instruction' }
      const lands = BigInt.asUintN(64, this.here(placeOf(b)))
      const field = code.fields.get(a.branch)
      if (field !== undefined) return this.add(adjusted(field, a), lands, step)
      // A jump whose distance the compiler knew leads to this part, too.
      step.leads.push({ to: { part: this.number, plus: placeOf(a) }, lands })
      return undefined
    }
    const size = a.end - a.start
    if (size !== b.end - b.start) return { why: 'instruction' }
    for (let index = 0; index < size; ) {
      const field = code.fields.get(a.start + index)
      if (field !== undefined) {
        const width = fieldSize(field.form)
        if (index + width > size) return { why: 'no-instruction' }
        const lands = readField(theirs, b.start + index, field.form, b, this.address)
        const problem = this.add(adjusted(field, a), lands, step)
        if (problem !== undefined) return problem
        index += width
        continue
      }
      const [offset, found] = [a.start + index, theirs[b.start + index]]
      if (code.bytes[offset] !== found && !(code === this.part && this.mayDiffer(offset, found))) {
        const isOperand = offset >= a.operands && b.operands - b.start === a.operands - a.start
        return { why: isOperand ? 'operand' : 'instruction' }
      }
      index++
    }
    return undefined
  }

  /** True for a byte that the kernel writes when it starts, or a `lock` prefix that it has taken away. */
  private mayDiffer(offset: number, found: number | undefined): boolean {
    const { constants, locks } = this.part
    return this.live && (constants.has(offset) || (locks.has(offset) && found === insteadOfLock))
  }

  private add(to: Destination, lands: bigint, step: Step): Problem | undefined {
    if ('part' in to) {
      step.leads.push({ to, lands })
      return undefined
    }
    if ('entry' in to) return this.addTold(to, readEntry(this.running, to.entry, lands, warned), lands, step)
    if ('complaint' in to)
      return this.addTold(to, readEntry(this.running, to.complaint, lands, complained), lands, step)
    const verdict = judge(this.running, to, lands)
    if (verdict === 'wrong') return { why: 'leads-elsewhere', expected: to, found: lands }
    const fixed = { to, address: lands }
    const against = this.placedOtherwise(fixed, step)
    if (against !== undefined) return { why: 'displaced', expected: to, found: lands, against }
    if (verdict === 'unknown') step.unconfirmed++
    step.fixed.push(fixed)
    return undefined
  }

  /** @param led where the fields of nameless data lead; undefined when it says something else */
  private addTold(to: Destination, led: ReturnType<typeof readEntry>, lands: bigint, step: Step): Problem | undefined {
    if (led === undefined) return { why: 'leads-elsewhere', expected: to, found: lands }
    for (const one of led) {
      const problem = this.add(one.to, one.lands, step)
      if (problem !== undefined) return problem
    }
    return undefined
  }

  /** What says that a private symbol is not where a field leads. */
  private placedOtherwise(fixed: ResolvedField, step: Step): Placement | undefined {
    const placement = placementBy(fixed)
    if (placement === undefined) return undefined
    const before = step.fixed.flatMap((one) => placementBy(one) ?? [])
    return this.placements.against(placement) ?? before.find((one) => contradict(one, placement))
  }
}

/** `from`, and every place behind it that only padding separates from it. */
function afterGaps(code: Buffer, from: number, sizeAt: typeof nopAt): number[] {
  const places = [from]
  for (let at = from, size = sizeAt(code, at); size > 0; size = sizeAt(code, at)) {
    at += size
    places.push(at)
  }
  return places
}

/** As many bytes as there are, up to `length`; undefined when there is nothing. */
function readMost(running: Running, address: bigint, length: number): Buffer | undefined {
  const all = running.read(address, length)
  if (all !== undefined || running.read(address, 1) === undefined) return all
  return running.read(
    address,
    countInFront(length, (some) => running.read(address, some + 1) !== undefined),
  )
}

/** Bytes that are shown where there is no instruction. */
const shown = 8

function instructionText(code: Buffer, at: number): string {
  const end = decodeInstruction(code, at)?.end ?? at + shown
  return code.subarray(at, end).toString('hex')
}
