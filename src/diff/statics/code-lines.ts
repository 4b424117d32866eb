// SPDX-License-Identifier: GPL-3.0-or-later
// A function's code as lines that can be held against those of its other side: once as it is, and once without
// the registers that the compiler happened to choose. Where a line uses one of the variables that are asked about, it
// says which, and the line itself only that it uses one of that name.
import { relocationSize } from '../../elf/format.ts'
import { type Instruction, legacyPrefix, useOf } from '../../x86/instruction.ts'
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
export function codeLines(
  unit: SplitObject,
  code: Atom,
  wanted: ReadonlySet<Atom>,
): readonly CodeLine[] | undefined {
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
    const fields: { readonly start: number; readonly end: number }[] = []
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
          isAddress: useOf(section.data, instruction, relocation.offset) === 'address',
        })
      refers += ` ${spell(target)}`
      if (relocation.offset === instruction.branch) led = target
    }
    const whole = [...fields]
    if (instruction.branch >= 0) fields.push({ start: instruction.branch, end: instruction.end })
    const limit = whole.some(({ end }) => end === instruction.end)
      ? undefined
      : limitOf(section.data, instruction, unit.instructionAt(section, at))
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
          ? withoutRegisters(section.data, instruction, fields) + shared + (limit?.text ?? '')
          : 'label',
      uses,
      effect: effectOf(section.data, instruction),
      ...(label === undefined
        ? flow(code, instruction, led)
        : { goes: 'branch', calls: false, to: placeIn(label) }),
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
      const known = found.get(at)
      if (known === undefined) found.set(at, [use])
      else known.push(use)
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
    case 'nowhere':
      return '?'
  }
}

function bytesOf(
  data: Buffer,
  start: number,
  end: number,
  fields: readonly { readonly start: number; readonly end: number }[],
): string {
  let text = ''
  for (let at = start; at < end; at++)
    text += fields.some((field) => at >= field.start && at < field.end)
      ? '__'
      : (data[at] ?? 0).toString(16).padStart(2, '0')
  return text
}

/**
 * What a comparison with a number asks, whichever way the branch behind it goes: `> 5` and `< 6` are one question.
 * @returns where the number begins; undefined for what is no such comparison
 */
function limitOf(
  data: Buffer,
  { start, end }: Instruction,
  branch: Instruction | undefined,
): { readonly start: number; readonly text: string } | undefined {
  if (branch === undefined || branch.start !== end || branch.branch < 0) return undefined
  let at = start
  while (legacyPrefix[data[at] ?? 0] === 1) at++
  const width = data.subarray(start, at).includes(0x66) ? 2 : 4
  if (((data[at] ?? 0) & 0xf0) === 0x40) at++
  const [opcode = 0, mode = 0] = data.subarray(at, at + 2)
  const isGrouped = opcode === 0x80 || opcode === 0x81 || opcode === 0x83
  if (isGrouped ? ((mode >> 3) & 7) !== 7 : opcode !== 0x3c && opcode !== 0x3d) return undefined
  const number = opcode === 0x81 || opcode === 0x3d ? width : 1
  const value = data.readIntLE(end - number, number)
  const condition = (data[branch.branch - 1] ?? 0) & 0xf
  const isAbove = condition === 6 || condition === 7 || condition >= 0xe
  return { start: end - number, text: ` ${value + (isAbove ? 1 : 0)}` }
}

/**
 * Opcodes of one byte that hold a register in their last three bits: push and pop, exchange, and what loads a number.
 */
function holdsRegister(opcode: number): boolean {
  return (opcode >= 0x50 && opcode <= 0x5f) || (opcode >= 0x90 && opcode <= 0x97) || (opcode & 0xf0) === 0xb0
}

/** Opcodes whose register field is a part of the opcode (SDM volume 2, table A-6). */
function isGroup(opcode: number, two: boolean): boolean {
  return two
    ? opcode === 0 || opcode === 1 || opcode === 0x18 || opcode === 0xae || opcode === 0xba || opcode === 0xc7
    : (opcode >= 0x80 && opcode <= 0x83) ||
        opcode === 0x8f ||
        (opcode & 0xfe) === 0xc0 ||
        (opcode & 0xfe) === 0xc6 ||
        (opcode >= 0xd0 && opcode <= 0xd3) ||
        (opcode & 0xf6) === 0xf6
}

/** Prefixes, opcode and operands without registers; a vector instruction is left as it is. */
function withoutRegisters(
  data: Buffer,
  { start, end, operands, memory, branch }: Instruction,
  fields: readonly { readonly start: number; readonly end: number }[],
): string {
  let at = start
  while (legacyPrefix[data[at] ?? 0] === 1) at++
  const prefixes = data.toString('hex', start, at)
  let wide = ''
  if (((data[at] ?? 0) & 0xf0) === 0x40) wide = ((data[at++] ?? 0) & 8) === 0 ? '' : 'w'
  let opcode = data[at++] ?? 0
  if (opcode === 0xc4 || opcode === 0xc5 || opcode === 0x62) return bytesOf(data, start, end, fields)
  const two = opcode === 0x0f
  if (two) opcode = data[at++] ?? 0
  // A condition may be turned round when blocks change places.
  if (branch >= 0 && (two || (opcode >= 0x70 && opcode <= 0x7f))) return 'jcc'
  if (branch >= 0) return opcode === 0xe8 ? 'call' : 'jmp'
  if (!two && holdsRegister(opcode))
    return `${prefixes}${wide}${opcode & 0xf8}:${bytesOf(data, at, end, fields)}`
  const name = `${prefixes}${wide}${two ? '0f' : ''}${opcode}`
  if (at >= operands && memory < 0) return `${name}:${bytesOf(data, at, end, fields)}`
  const mode = data[at] ?? 0
  const group = isGroup(opcode, two) ? `/${(mode >> 3) & 7}` : ''
  const isMemory = mode >> 6 !== 3
  // Where something lies on the stack may change with everything else.
  const onStack = isMemory && (mode & 7) === 4 && ((data[at + 1] ?? 0) & 7) === 4
  return `${name}${group}${isMemory ? 'm' : 'r'}:${onStack ? 'stack' : bytesOf(data, operands, end, fields)}`
}

/** Where it goes on behind an instruction. @param led where a branch leads that has a relocation */
function flow(
  code: Atom,
  { start, end, branch }: Instruction,
  led: Target | undefined,
): Pick<CodeLine, 'goes' | 'to' | 'calls'> {
  const { data } = code.section
  const opcode = data[start] ?? 0
  if (branch < 0) {
    const ends = opcode === 0xc3 || opcode === 0xcc || (opcode === 0x0f && data[start + 1] === 0x0b)
    return { goes: ends ? 'out' : 'on', calls: false, to: undefined }
  }
  const before = data[branch - 1] ?? 0
  if (before === 0xe8) return { goes: 'on', calls: true, to: undefined }
  const distance = end - branch === 1 ? data.readInt8(branch) : data.readInt32LE(branch)
  const to = led === undefined ? { code, at: end + distance } : placeIn(led)
  const jumps = before === 0xe9 || before === 0xeb
  // Whoever jumps to a function's beginning calls it, and does not come back.
  const isTail = led !== undefined && (to === undefined || to.at === (to.code.symbol?.value ?? to.code.start))
  if (isTail && !isColdPart(to?.code.name ?? ''))
    return { goes: jumps ? 'out' : 'branch', calls: jumps, to: undefined }
  return { goes: jumps ? 'jump' : 'branch', calls: false, to }
}
