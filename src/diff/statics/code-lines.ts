// SPDX-License-Identifier: GPL-3.0-or-later
// A function's code as lines that can be held against those of its other side: once as it is, and once without
// the registers that the compiler happened to choose. Where a line uses one of the variables that are asked about, it
// says which, and the line itself only that it uses one of that name.

import { relocationSize } from '../../elf/format.ts'
import { addTo } from '../../ground/values/grouped.ts'
import { useOf } from '../../x86/address-taking.ts'
import { controlOf, leaves, placeOf } from '../../x86/branch.ts'
import type { Instruction } from '../../x86/instruction.ts'
import { bytesOf, type Hidden, looseText, type OperationKind, operationKind } from '../../x86/operation.ts'
import { limitOf } from '../../x86/question.ts'
import { type Effect, effectOf } from '../../x86/registers.ts'
import { isColdPart, stem } from '../object/compiler-names.ts'
import type { Atom, SplitObject, Target } from '../object/split-object.ts'

/** Where a line uses a variable. */
export interface Use {
  readonly variable: Atom
  /** From the variable's first byte. */
  readonly offset: number
  /** Its address is taken; else what is in it is read or written. */
  readonly isAddress: boolean
}

export interface CodeLine {
  /** From the section's first byte: first, and behind the last. */
  readonly start: number
  readonly end: number
  readonly code: Atom
  /** The instruction with what it refers to. */
  readonly exact: string
  /** The same without registers, conditions and distances. */
  readonly loose: string
  readonly kind: OperationKind
  readonly uses: readonly Use[]
  readonly effect: Effect
  /** `on`: the next line follows; `jump`, `branch`: another line does, or may; `out`: none that could be told. */
  readonly goes: 'on' | 'jump' | 'branch' | 'out'
  /** It calls somebody, who comes back when it `goes` on. */
  readonly calls: boolean
  /** Where a jump leads, if that is known: the code, and how far from its section's first byte. */
  readonly to: { readonly code: Atom; readonly at: number } | undefined
}

/** @returns undefined when an instruction is unknown */
export function codeLines(unit: SplitObject, code: Atom, wanted: ReadonlySet<Atom>): readonly CodeLine[] | undefined {
  const { section } = code
  const relocations = unit.relocations(code)
  const byTable = usesByTable(unit, code, wanted)
  const labels = jumpLabels(unit, code)
  const lines: CodeLine[] = []
  let next = 0
  for (let at = code.symbol?.value ?? code.start; at < code.end; ) {
    const instruction = unit.instructionAt(section, at)
    if (instruction === undefined || instruction.start !== at || instruction.end > code.end) return undefined
    at = instruction.end
    const uses: Use[] = [...(byTable.get(instruction.start) ?? [])]
    const fields: Hidden[] = []
    let refers = ''
    let led: Target | undefined
    for (; (relocations[next]?.offset ?? at) < at; next++) {
      const relocation = relocations[next]
      if (relocation === undefined || relocation.offset < instruction.start) continue
      const target = unit.target(section, relocation)
      fields.push({ start: relocation.offset, end: relocation.offset + relocationSize(relocation.type) })
      if (target.kind === 'atom' && wanted.has(target.atom))
        uses.push({
          variable: target.atom,
          offset: target.offset,
          isAddress: useOf(instruction, relocation.offset) === 'address',
        })
      refers += ` ${spell(target)}`
      if (relocation.offset === instruction.branch) led = target
    }
    const whole = [...fields]
    if (instruction.branch >= 0) fields.push({ start: instruction.branch, end: instruction.end })
    const limit = whole.some(({ end }) => end === instruction.end)
      ? undefined
      : limitOf(instruction, unit.instructionAt(section, at))
    if (limit !== undefined) fields.push({ start: limit.start, end: instruction.end })
    const shared = refers + (byTable.has(instruction.start) ? ' key' : '')
    // A nop or a jump, as the key is at first: it goes both ways.
    const label = labels.get(instruction.start)
    lines.push({
      start: instruction.start,
      end: instruction.end,
      code,
      exact: bytesOf(section.data, instruction.start, instruction.end, whole) + shared,
      loose:
        label === undefined
          ? looseText(instruction, fields) + shared + (limit === undefined ? '' : ` ${limit.value}`)
          : 'label',
      kind: operationKind(instruction),
      uses,
      effect: effectOf(instruction),
      ...(label === undefined ? flow(code, instruction, led) : { goes: 'branch', calls: false, to: placeIn(label) }),
    })
  }
  return lines
}

/** What the rows of tables about the code say of the variables: a jump label's key. By the instruction's offset. */
function usesByTable(unit: SplitObject, code: Atom, wanted: ReadonlySet<Atom>): Map<number, Use[]> {
  const found = new Map<number, Use[]>()
  for (const { table, relocations } of unit.tellingEntries(code)) {
    const [place, ...others] = relocations
    if (place === undefined) continue
    for (const relocation of others) {
      const target = unit.target(table, relocation)
      if (target.kind !== 'atom' || !wanted.has(target.atom)) continue
      const at = place.symbol.value + place.addend
      const use = { variable: target.atom, offset: target.offset, isAddress: false }
      addTo(found, at, use)
    }
  }
  return found
}

/** Where each jump label of a function leads, by the instruction's offset. */
function jumpLabels(unit: SplitObject, code: Atom): Map<number, Target> {
  return new Map(
    unit.tellingEntries(code).flatMap(({ table, relocations: [place, to] }) => {
      if (table.name !== '__jump_table' || place === undefined || to === undefined) return []
      return [[place.symbol.value + place.addend, unit.target(table, to)] as const]
    }),
  )
}

/** A place in code; undefined for what is elsewhere. */
function placeIn(target: Target): CodeLine['to'] {
  if (target.kind !== 'atom' || target.atom.kind !== 'function') return undefined
  return { code: target.atom, at: target.atom.start + target.offset }
}

/** Things with names by these, strings by their text; of other constants only that there is one. */
function spell(target: Target): string {
  switch (target.kind) {
    case 'external':
      return `${target.name}+${target.offset}`
    case 'string':
      return JSON.stringify(target.text.toString('latin1', Math.max(0, target.offset - target.start)))
    case 'absolute':
      return String(target.value)
    case 'atom':
      return target.atom.symbol === undefined
        ? '?'
        : `${stem(target.atom.name)}+${target.atom.kind === 'data' ? target.offset : ''}`
    case 'entry':
    case 'nowhere':
      return '?'
  }
}

/** Where it goes on behind an instruction. @param led where a branch leads that has a relocation */
function flow(code: Atom, instruction: Instruction, led: Target | undefined): Pick<CodeLine, 'goes' | 'to' | 'calls'> {
  const control = controlOf(instruction)
  if (instruction.branch < 0) {
    const ends = control === 'trap' || leaves(control)
    return { goes: ends ? 'out' : 'on', calls: control === 'indirect-call', to: undefined }
  }
  if (control === 'call') return { goes: 'on', calls: true, to: undefined }
  const to = led === undefined ? { code, at: placeOf(instruction) } : placeIn(led)
  const jumps = control === 'jump'
  // Whoever jumps to a function's beginning calls it, and does not come back.
  const isTail = led !== undefined && (to === undefined || to.at === (to.code.symbol?.value ?? to.code.start))
  if (isTail && !isColdPart(to?.code.name ?? '')) return { goes: jumps ? 'out' : 'branch', calls: jumps, to: undefined }
  return { goes: jumps ? 'jump' : 'branch', calls: false, to }
}
