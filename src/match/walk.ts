// SPDX-License-Identifier: GPL-3.0-or-later
// Walks a part of an expected function and the running code side by side, instruction by instruction. What the linker
// filled in must lead to the same names; the assembler may have chosen shorter jumps and other padding, because kbuild
// does not give each function a section; and a site that the kernel rewrites may hold what the kernel writes there.
import { conditionOf, controlOf, placeOf } from '../x86/branch.ts'
import { fentry, hookAt, hookSize, isLandingPad, isSealedPad, landingPadSize } from '../x86/entry.ts'
import { decodeInstruction, type Instruction } from '../x86/instruction.ts'
import { bytesUnderProbe, hasBreakpoint, hasProbeJump, probeJumpSize } from '../x86/kprobe.ts'
import { gapAt, isFilled, nopAt } from '../x86/padding.ts'
import { insteadOfLock, isCallOrNothing, mayReplace } from '../x86/text-patching.ts'
import { adjusted, fieldSize, judge, type ResolvedField, readField } from './destination.ts'
import type { Destination, Part, Snippet } from './expectation.ts'
import { contradict, type Placement, Placements, placementBy } from './placements.ts'
import { type PreparedSnippet, prepare, prepareSnippet } from './prepared.ts'
import type { Running } from './running.ts'

/** Why two pieces of code differ. */
export type Why =
  /** There is no code at the address. */
  | 'nothing-there'
  /** Our bytes or theirs are no instruction. */
  | 'no-instruction'
  | 'instruction'
  /** The same instruction with another number or displacement. */
  | 'operand'
  /** The same instruction leads elsewhere. */
  | 'leads-elsewhere'
  /** It leads to where a private symbol can't be: other code has that elsewhere, or another one there. */
  | 'displaced'
  /** A jump inside of the function goes to another instruction. */
  | 'jump'

/** The first instruction that differs. */
export interface CodeMismatch {
  readonly why: Why
  /** Which part of the expectation, and the offset in it. */
  readonly part: number
  readonly at: number
  /** Address of the instruction in the running kernel. */
  readonly address: bigint
  /** The two instructions, in hexadecimal. */
  readonly ours: string
  readonly theirs: string
  /** Where it should lead, and where it does, for a field. */
  readonly expected?: Destination
  readonly found?: bigint
  /** What is already known of the unit's private symbols, if it leads to where one of them can't be. */
  readonly against?: Placement
}

/** A jump inside of the function. */
export interface Lead {
  readonly to: { readonly part: number; readonly plus?: number }
  /** Where it leads in the running kernel. */
  readonly lands: bigint
  otherwise(): CodeMismatch
}

export interface Walked {
  readonly fixed: readonly ResolvedField[]
  readonly leads: readonly Lead[]
  /** Where each instruction of ours is in theirs; nops in front of it may be jumped to as well. */
  readonly places: ReadonlyMap<number, readonly bigint[]>
  /** Where the unit's private symbols are, by this part and those before it. */
  readonly placements: Iterable<Placement>
  readonly unconfirmed: number
  readonly rewritten: number
}

export function isMismatch(result: Walked | CodeMismatch): result is CodeMismatch {
  return 'why' in result
}

export function leadsTo({ places }: Walked, { to, lands }: Lead): boolean {
  return places.get(to.plus ?? 0)?.includes(lands) === true
}

/** Bytes by which padding and longer jumps can make the running code longer. */
const slack = 64

/** What an instruction came to: fields, jumps. Kept only when all of it fits. */
interface Step {
  readonly fixed: ResolvedField[]
  readonly leads: { to: Lead['to']; lands: bigint }[]
  unconfirmed: number
}

type Problem = Pick<CodeMismatch, 'why' | 'expected' | 'found' | 'against'>

/**
 * @param address where the part may be
 * @param known where private symbols are, by other parts
 */
export function walk(
  running: Running,
  part: Part,
  number: number,
  address: bigint,
  known: Iterable<Placement> = [],
): Walked | CodeMismatch {
  const { bytes: ours, fields, labels, alternatives, paravirt, locks, constants } = prepare(part)
  const { length } = ours
  const live = running.live === true
  const read = readMost(running, address, length + slack)
  let [at, there] = [0, 0]
  const fixed: ResolvedField[] = []
  const leads: Lead[] = []
  const places = new Map<number, readonly bigint[]>()
  const placements = new Placements(known)
  const skipped: number[] = []
  let unconfirmed = 0
  let rewritten = 0
  const differs = (problem: Problem, a = at, b = there, theirs = read): CodeMismatch => ({
    ...problem,
    part: number,
    at: a,
    address: address + BigInt(b),
    ours: instructionText(ours, a),
    theirs: theirs === undefined ? '' : instructionText(theirs, b),
  })
  if (read === undefined) return differs({ why: 'nothing-there' })
  let theirs = read
  const paddingAt = live ? gapAt : nopAt
  const tried = new Set<number>()
  const isSite = (offset: number) =>
    labels.has(offset) || (live && alternatives.has(offset) && !tried.has(offset))
  const here = (offset: number) => address + BigInt(offset)
  const arrive = (from: number) => {
    const reached = [here(there)]
    for (let nop = from; nop < there; nop += paddingAt(theirs, nop)) reached.push(here(nop))
    for (const one of [...skipped.splice(0), at]) places.set(one, reached)
  }
  const lead = (to: Lead['to'], lands: bigint): Lead => {
    const [a, b] = [at, there]
    return { to, lands, otherwise: () => differs({ why: 'jump', found: lands }, a, b) }
  }
  const keep = (step: Step) => {
    fixed.push(...step.fixed)
    for (const one of step.fixed) {
      const placement = placementBy(one)
      if (placement !== undefined) placements.add(placement)
    }
    leads.push(...step.leads.map((one) => lead(one.to, one.lands)))
    unconfirmed += step.unconfirmed
  }

  for (;;) {
    while (at < length && !isSite(at) && nopAt(ours, at) > 0) {
      skipped.push(at)
      at += nopAt(ours, at)
    }
    if (at >= length) break
    const from = there
    const alternative = live ? alternatives.get(at) : undefined
    if (alternative !== undefined && !tried.has(at)) {
      tried.add(at)
      const found = replacedAt(alternative)
      if (found !== undefined) {
        there = found.begin
        arrive(from)
        keep(found.step)
        at += alternative.length
        there = found.begin + alternative.length
        rewritten++
      }
      continue
    }
    if (labels.has(at)) {
      const label = labels.get(at)!
      // In front of the label there may be padding, and the label itself is a nop, too.
      const starts = skipped.length > 0 ? afterGaps(theirs, there, nopAt) : [there]
      const fits = starts.map((start) => labelAt(label.to, start)).findLast((one) => one !== undefined)
      if (fits === undefined) return differs({ why: 'instruction' })
      there = fits.start
      arrive(from)
      if (fits.lands !== undefined && label.to !== 'unknown') leads.push(lead(label.to, fits.lands))
      at = fits.ours
      there = fits.end
      continue
    }
    const a = decodeInstruction(ours, at)
    if (a === undefined) return differs({ why: 'no-instruction' })
    const field = a.branch < 0 ? undefined : fields.get(a.branch)
    const symbol = field !== undefined && 'symbol' in field.to ? field.to.symbol : undefined
    if (symbol === fentry && controlOf(a) === 'call') {
      arrive(from)
      const hooked = isHooked()
      if (hooked === undefined) return differs({ why: 'instruction' })
      at = a.end
      there += hookSize
      rewritten += hooked ? 1 : 0
      continue
    }
    // A sealed landing pad may look like a nop.
    if (live && at === 0 && isLandingPad(ours) && isSealedPad(theirs)) {
      arrive(from)
      at = there = landingPadSize
      rewritten++
      continue
    }
    while (paddingAt(theirs, there) > 0) there += paddingAt(theirs, there)
    arrive(from)
    const direct = live ? paravirt.get(at) : undefined
    if (direct !== undefined && isCallOrNothing(theirs, there, direct.length)) {
      at += direct.length
      there += direct.length
      rewritten++
      continue
    }
    const probed = live && running.probed?.(here(there)) === true && hasProbeJump(theirs, there)
    const hidden = hiddenBytes(a)
    const before = theirs
    let step: Step
    let b: Instruction | undefined
    let problem: Problem | undefined
    do {
      const byte = hidden.shift()
      if (byte !== undefined) {
        theirs = Buffer.from(before)
        theirs[there] = byte
      }
      step = { fixed: [], leads: [], unconfirmed: 0 }
      b = decodeInstruction(theirs, there)
      problem = b === undefined ? { why: 'no-instruction' } : compareOne(a, b, { bytes: ours, fields }, step)
    } while (problem !== undefined && hidden.length > 0)
    if (problem === undefined && b !== undefined) {
      keep(step)
      rewritten += theirs === before ? 0 : 1
      at = a.end
      there = b.end
      continue
    }
    if (live && symbol !== undefined) {
      if (mayReplace(running, a, symbol, theirs, there, address)) {
        at = a.end
        there += a.end - a.start
        rewritten++
        continue
      }
    }
    if (probed) {
      // An optimised kprobe is a jump in the place of several instructions.
      const begin = at
      while (at < length && at - begin < probeJumpSize) {
        const next = decodeInstruction(ours, at)
        if (next === undefined) return differs({ why: 'no-instruction' })
        at = next.end
      }
      there += at - begin
      rewritten++
      continue
    }
    return differs(problem ?? { why: 'no-instruction' })
  }
  for (const one of [...skipped, length]) places.set(one, [here(there)])
  return { fixed, leads: ownJumps(), places, placements, unconfirmed, rewritten }

  /** Jumps whose distance the compiler knew are leads to this part, too. */
  function ownJumps(): Lead[] {
    return leads.map((one) => (one.to.part === own ? { ...one, to: { ...one.to, part: number } } : one))
  }

  /**
   * A breakpoint of a kprobe hides the first byte of an instruction. @returns what it may have been; a jump may be
   * shorter than ours
   */
  function hiddenBytes(a: Instruction): number[] {
    if (!live || !hasBreakpoint(theirs, there) || running.probed?.(here(there)) !== true) return []
    return bytesUnderProbe(ours, a)
  }

  /** @returns whether ftrace has hooked the function; undefined when there is no hook */
  function isHooked(): boolean | undefined {
    const hook = hookAt(theirs, there)
    if (hook === undefined) return undefined
    if (hook === 'free') return false
    if (running.addressesOf(fentry).includes(BigInt.asUintN(64, here(hook)))) return false
    return live ? true : undefined
  }

  /** A nop or a jump at a jump label. */
  function labelAt(to: Lead['to'] | 'unknown', start: number) {
    const a = decodeInstruction(ours, at)
    const b = decodeInstruction(theirs, start)
    if (a === undefined || b === undefined) return undefined
    const size = nopAt(theirs, start)
    if (size === 2 || size === 5) return { start, ours: a.end, end: start + size }
    if (controlOf(b) !== 'jump') return undefined
    const lands = BigInt.asUintN(64, here(placeOf(theirs, b)))
    return { start, ours: a.end, end: b.end, ...(to === 'unknown' ? {} : { lands }) }
  }

  /** What an alternative's site holds when one of its choices is there. */
  function replacedAt(site: { length: number; choices: readonly Snippet[]; direct?: true }) {
    const starts = afterGaps(theirs, there, gapAt)
    for (const choice of site.choices)
      for (const begin of starts) {
        const step: Step = { fixed: [], leads: [], unconfirmed: 0 }
        const end = snippetAt(prepareSnippet(choice), begin, step)
        if (end !== undefined && isFilled(theirs, end, begin + site.length)) return { begin, step }
      }
    if (site.direct)
      for (const begin of starts) {
        const none: Step = { fixed: [], leads: [], unconfirmed: 0 }
        if (isCallOrNothing(theirs, begin, site.length)) return { begin, step: none }
      }
    return undefined
  }

  /** @returns where the snippet ends in theirs */
  function snippetAt(snippet: PreparedSnippet, begin: number, step: Step): number | undefined {
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
        : compareOne(a, b, snippet, step) !== undefined
      if (problem) return undefined
      s = a.end
      t = b.end
    }
    return t
  }

  /** Compares two instructions; what they lead to is added to `step`. */
  function compareOne(
    a: Instruction,
    b: Instruction,
    code: PreparedSnippet,
    step: Step,
  ): Problem | undefined {
    if (a.branch >= 0) {
      if (b.branch < 0 || conditionOf(a) !== conditionOf(b)) return { why: 'instruction' }
      const lands = BigInt.asUintN(64, here(placeOf(theirs, b)))
      const field = code.fields.get(a.branch)
      if (field === undefined) {
        step.leads.push({ to: { part: own, plus: placeOf(code.bytes, a) }, lands })
        return undefined
      }
      return add(adjusted(field, a), lands, step)
    }
    const size = a.end - a.start
    if (size !== b.end - b.start) return { why: 'instruction' }
    for (let index = 0; index < size; ) {
      const field = code.fields.get(a.start + index)
      if (field !== undefined) {
        const width = fieldSize(field.form)
        if (index + width > size) return { why: 'no-instruction' }
        const problem = add(
          adjusted(field, a),
          readField(theirs, b.start + index, field.form, b, address),
          step,
        )
        if (problem !== undefined) return problem
        index += width
        continue
      }
      const offset = a.start + index
      const same = code.bytes[offset] === theirs[b.start + index]
      const mayDiffer =
        live &&
        code.bytes === ours &&
        (constants.has(offset) || (locks.has(offset) && theirs[b.start + index] === insteadOfLock))
      if (!same && !mayDiffer)
        return {
          why:
            offset >= a.operands && b.operands - b.start === a.operands - a.start ? 'operand' : 'instruction',
        }
      index++
    }
    return undefined
  }

  function add(to: Destination, lands: bigint, step: Step): Problem | undefined {
    if ('part' in to) {
      step.leads.push({ to, lands })
      return undefined
    }
    const verdict = judge(running, to, lands)
    if (verdict === 'wrong') return { why: 'leads-elsewhere', expected: to, found: lands }
    const fixed = { to, address: lands }
    const against = placedOtherwise(fixed, step)
    if (against !== undefined) return { why: 'displaced', expected: to, found: lands, against }
    if (verdict === 'unknown') step.unconfirmed++
    step.fixed.push(fixed)
    return undefined
  }

  /** What says that a private symbol is not where a field leads. */
  function placedOtherwise(fixed: ResolvedField, step: Step): Placement | undefined {
    const placement = placementBy(fixed)
    if (placement === undefined) return undefined
    const before = step.fixed.flatMap((one) => placementBy(one) ?? [])
    return placements.against(placement) ?? before.find((one) => contradict(one, placement))
  }
}

/** Stands for the number of the part that is walked. */
const own = -1

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
  let [some, tooMany] = [1, length]
  while (tooMany - some > 1) {
    const middle = (some + tooMany) >> 1
    if (running.read(address, middle) === undefined) tooMany = middle
    else some = middle
  }
  return running.read(address, some)
}

/** Bytes that are shown where there is no instruction. */
const shown = 8

function instructionText(code: Buffer, at: number): string {
  const end = decodeInstruction(code, at)?.end ?? at + shown
  return code.subarray(at, end).toString('hex')
}
