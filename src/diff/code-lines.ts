// SPDX-License-Identifier: GPL-3.0-or-later
// A function's code as lines that can be held against those of its other side: once as it is, and once without
// the registers that the compiler happened to choose. Where a line uses one of the variables that are asked about, it says which, and
// the line itself only that it uses one of that name.
import { relocationSize } from '../elf/format.ts'
import type { Anatomy, Piece, Target } from './anatomy.ts'
import { type Instruction, legacyPrefix } from './instruction.ts'
import { stem } from './names.ts'

/** Where a line uses a variable. */
export interface Use {
  readonly variable: Piece
  /** From the variable's first byte. */
  readonly offset: number
}

export interface CodeLine {
  /** From the section's first byte. */
  readonly start: number
  /** The instruction with what it refers to. */
  readonly exact: string
  /** The same without registers, conditions and distances. */
  readonly loose: string
  readonly uses: readonly Use[]
  /** `on`: the next line follows; `jump`, `branch`: another line does, or may; `out`: none that could be told. */
  readonly goes: 'on' | 'jump' | 'branch' | 'out'
  /** Where a jump leads, from the section's first byte. */
  readonly to: number
}

/** @returns undefined when an instruction is unknown */
export function codeLines(
  unit: Anatomy,
  code: Piece,
  wanted: ReadonlySet<Piece>,
): readonly CodeLine[] | undefined {
  const { section } = code
  const relocations = unit.relocations(code)
  const byTable = usesByTable(unit, code, wanted)
  const lines: CodeLine[] = []
  let next = 0
  for (let at = code.symbol?.value ?? code.start; at < code.end; ) {
    const instruction = unit.instructionAt(section, at)
    if (instruction === undefined || instruction.start !== at || instruction.end > code.end) return undefined
    at = instruction.end
    const uses: Use[] = [...(byTable.get(instruction.start) ?? [])]
    const fields: { readonly start: number; readonly end: number }[] = []
    let refers = ''
    for (; (relocations[next]?.offset ?? at) < at; next++) {
      const relocation = relocations[next]
      if (relocation === undefined || relocation.offset < instruction.start) continue
      const target = unit.target(section, relocation)
      fields.push({ start: relocation.offset, end: relocation.offset + relocationSize(relocation.type) })
      if (target.kind === 'piece' && wanted.has(target.piece))
        uses.push({ variable: target.piece, offset: target.offset })
      refers += ` ${spell(target)}`
    }
    const whole = [...fields]
    if (instruction.branch >= 0) fields.push({ start: instruction.branch, end: instruction.end })
    const shared = refers + (byTable.has(instruction.start) ? ' key' : '')
    lines.push({
      start: instruction.start,
      exact: bytesOf(section.data, instruction.start, instruction.end, whole) + shared,
      loose: withoutRegisters(section.data, instruction, fields) + shared,
      uses,
      ...flow(section.data, instruction, whole.length > 0),
    })
  }
  return lines
}

/** What the rows of tables about the code say of the variables: a jump label's key. By the instruction's offset. */
function usesByTable(unit: Anatomy, code: Piece, wanted: ReadonlySet<Piece>): Map<number, Use[]> {
  const found = new Map<number, Use[]>()
  for (const { table, relocations } of unit.tellingEntries(code)) {
    const [place, ...others] = relocations
    if (place === undefined) continue
    for (const relocation of others) {
      const target = unit.target(table, relocation)
      if (target.kind !== 'piece' || !wanted.has(target.piece)) continue
      const at = place.symbol.value + place.addend
      const use = { variable: target.piece, offset: target.offset }
      const known = found.get(at)
      if (known === undefined) found.set(at, [use])
      else known.push(use)
    }
  }
  return found
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
    case 'piece':
      return target.piece.symbol === undefined
        ? '?'
        : `${stem(target.piece.name)}+${target.piece.kind === 'data' ? target.offset : ''}`
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

/** Opcodes of one byte that hold a register in their last three bits: push and pop, exchange, and what loads a number. */
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

/** Where it goes on behind an instruction. A call ends what belongs together. @param relocated a branch leads elsewhere */
function flow(
  data: Buffer,
  { start, end, branch }: Instruction,
  relocated: boolean,
): Pick<CodeLine, 'goes' | 'to'> {
  const opcode = data[start] ?? 0
  if (branch < 0) {
    const ends = opcode === 0xc3 || opcode === 0xcc || (opcode === 0x0f && data[start + 1] === 0x0b)
    return { goes: ends ? 'out' : 'on', to: -1 }
  }
  const before = data[branch - 1] ?? 0
  if (before === 0xe8 || relocated) return { goes: 'out', to: -1 }
  const to = end + (end - branch === 1 ? data.readInt8(branch) : data.readInt32LE(branch))
  return { goes: before === 0xe9 || before === 0xeb ? 'jump' : 'branch', to }
}
