// SPDX-License-Identifier: GPL-3.0-or-later
// Finds the numbers in which the code of two functions differs, where they may be lines of the source. WARN,
// might_sleep, lockdep, ASSERT_RTNL and what file systems print all hand `__LINE__` to a function, beside `__FILE__` or
// `__func__`; when a patch moves lines, the code differs in these numbers. Whether a number is a line is not told here:
// a limit may stand beside a name, too (line-shifts.ts).

import type { Instruction } from '../../x86/instruction.ts'
import type { Atom, SplitObject, Target } from '../object/split-object.ts'
import { lineTaken } from './line-takers.ts'

/** A number that differs. */
export interface MovedNumber {
  readonly before: number
  readonly after: number
  /**
   * What speaks for a line. `told`: the function that is called takes one there, behind a file, in every kernel.
   * `known`: it is handed to a function that takes a line there in some kernels. `near`: it only follows the name of a
   * file or a function, as other numbers do.
   */
  readonly by: 'told' | 'known' | 'near'
}

/** The kernel's longest file has some 100,000 lines, generated register headers more. */
const lastLine = 1_000_000

/** Instructions from the number to the call, and from the call before. */
const reach = 24

/**
 * The numbers in which the code of two functions of the same size differs, if it differs in nothing else. Their
 * relocations are left to the caller.
 * @returns undefined when something else differs, or a number that can't be a line
 */
export function movedNumbers(
  before: SplitObject,
  b: Atom,
  after: SplitObject,
  a: Atom,
): MovedNumber[] | undefined {
  const codeB = instructionsOf(before, b)
  const codeA = instructionsOf(after, a)
  if (codeB === undefined || codeA === undefined || codeB.length !== codeA.length) return undefined
  const [dataB, dataA] = [b.section.data, a.section.data]
  const [entryB, entryA] = [b.symbol?.value ?? b.start, a.symbol?.value ?? a.start]
  if (dataB.compare(dataA, a.start, entryA, b.start, entryB) !== 0) return undefined
  const relocated = new Set(after.relocations(a).map(({ offset }) => offset - a.start))
  const numbers: MovedNumber[] = []
  for (let index = 0; index < codeA.length; index++) {
    const [ib, ia] = [codeB[index], codeA[index]]
    if (ib === undefined || ia === undefined) return undefined
    if (ib.start - b.start !== ia.start - a.start || ib.end - b.start !== ia.end - a.start) return undefined
    if (dataB.compare(dataA, ia.start, ia.end, ib.start, ib.end) === 0) continue
    const field = immediateArgument(dataA, ia)
    if (field < 0 || relocated.has(field - a.start)) return undefined
    // Nothing but the number may differ.
    if (dataB.compare(dataA, ia.start, field, ib.start, field - a.start + b.start) !== 0) return undefined
    const line = { before: dataB.readInt32LE(field - a.start + b.start), after: dataA.readInt32LE(field) }
    if (line.before <= 0 || line.after <= 0 || line.before > lastLine || line.after > lastLine)
      return undefined
    const by = whatSpeaksForLine(after, a, codeA, index)
    if (by === undefined) return undefined
    numbers.push({ ...line, by })
  }
  // Lines move, but they keep their order.
  const sorted = [...numbers].sort((one, other) => one.before - other.before)
  const ordered = sorted.every((line, index) => {
    const previous = sorted[index - 1]
    if (previous === undefined) return true
    return previous.before === line.before ? previous.after === line.after : previous.after < line.after
  })
  return ordered ? numbers : undefined
}

function instructionsOf(unit: SplitObject, atom: Atom): Instruction[] | undefined {
  const list: Instruction[] = []
  for (let at = atom.symbol?.value ?? atom.start; at < atom.end; ) {
    const instruction = unit.instructionAt(atom.section, at)
    if (instruction === undefined || instruction.start !== at) return undefined
    list.push(instruction)
    at = instruction.end
  }
  return list
}

/**
 * The offset of the number in `mov $n, %reg` for an argument's register, or in `movl $n, m` or `push $n` for one
 * on the stack (System V ABI for AMD64, 3.2.3); -1 for another instruction.
 */
function immediateArgument(code: Buffer, { start, end }: Instruction): number {
  const size = end - start
  const first = code[start] ?? 0
  // mov $n, %edx %ecx %esi %edi; with REX.B %r8d %r9d
  if (size === 5 && (first === 0xb9 || first === 0xba || first === 0xbe || first === 0xbf)) return start + 1
  if (size === 6 && first === 0x41 && ((code[start + 1] ?? 0) & 0xfe) === 0xb8) return start + 2
  // push $n
  if (size === 5 && first === 0x68) return start + 1
  // mov $n, disp(%rsp), also of 8 bytes; and mov $n, %reg with a sign
  const wide = (first & 0xf8) === 0x48 ? 1 : 0
  if (code[start + wide] === 0xc7 && end - 4 > start + wide + 1) return end - 4
  return -1
}

/** Registers in the order of the arguments (System V ABI for AMD64, 3.2.3), by their numbers in instructions. */
const argumentRegisters = [7, 6, 2, 1, 8, 9]

/** A place that a value can be in: the number of a register, or 16 and up for the arguments on the stack. */
type Home = number

/** Which argument of a call the value in `home` is; -1 when it is none. */
function argumentIn(home: Home): number {
  return home >= 16 ? home - 16 + argumentRegisters.length : argumentRegisters.indexOf(home)
}

interface Opcode {
  readonly code: number
  /** The byte behind the opcode, and where it is. */
  readonly mode: number
  readonly at: number
  /** The prefix REX, or 0. */
  readonly rex: number
}

function opcodeOf(data: Buffer, start: number): Opcode {
  const rex = ((data[start] ?? 0) & 0xf0) === 0x40 ? (data[start] ?? 0) : 0
  const at = rex === 0 ? start : start + 1
  return { code: data[at] ?? 0, mode: data[at + 1] ?? 0, at: at + 1, rex }
}

/** Where an instruction puts an address or a number of its own; undefined when it has none. */
function loadedInto(data: Buffer, { start, end }: Instruction): Home | undefined {
  const { code, mode, at, rex } = opcodeOf(data, start)
  if (code === 0x68) return 16
  if ((code & 0xf8) === 0xb8) return (code & 7) | ((rex & 1) << 3)
  if (code === 0x8d) return ((mode >> 3) & 7) | ((rex & 4) << 1)
  if (code !== 0xc7) return undefined
  if (mode >> 6 === 3) return (mode & 7) | ((rex & 1) << 3)
  // To (%rsp) or disp(%rsp).
  if ((mode & 7) !== 4 || data[at + 1] !== 0x24) return undefined
  if (mode >> 6 === 0) return 16
  return end - at > 6 && mode >> 6 === 1 ? 16 + (data[at + 2] ?? 0) / 8 : undefined
}

/** The registers of `mov %from, %to`; undefined for another instruction. */
function copied(data: Buffer, { start }: Instruction): { from: Home; to: Home } | undefined {
  const { code, mode, rex } = opcodeOf(data, start)
  if ((code !== 0x89 && code !== 0x8b) || mode >> 6 !== 3) return undefined
  const reg = ((mode >> 3) & 7) | ((rex & 4) << 1)
  const other = (mode & 7) | ((rex & 1) << 3)
  return code === 0x89 ? { from: reg, to: other } : { from: other, to: reg }
}

/**
 * What the call that follows says of the number: what it is called, and whether a file's or function's name comes just
 * before.
 */
function whatSpeaksForLine(
  unit: SplitObject,
  atom: Atom,
  code: readonly Instruction[],
  index: number,
): MovedNumber['by'] | undefined {
  const { data } = atom.section
  const number = code[index]
  const home = number === undefined ? undefined : loadedInto(data, number)
  const argument = home === undefined ? -1 : argumentIn(home)
  const path = argument < 0 ? undefined : pathToCall(unit, atom, code, index)
  if (path === undefined) return undefined
  /** What each place holds of the names that a line may follow. */
  const names = new Map<Home, 'file' | 'name'>()
  const texts = new Map<Home, string>()
  const numbers = new Set<Home>()
  let callee = ''
  for (const instruction of path) {
    callee = ''
    const copy = copied(data, instruction)
    const moved = copy && names.get(copy.from)
    if (copy !== undefined && moved !== undefined) names.set(copy.to, moved)
    const relocations = unit.relocations({ section: atom.section, ...instruction })
    const into = loadedInto(data, instruction)
    if (relocations.length === 0 && into !== undefined) numbers.add(into)
    for (const relocation of relocations) {
      const target = unit.target(atom.section, relocation)
      callee = target.kind === 'external' ? target.name : target.kind === 'atom' ? target.atom.name : ''
      const name = placeName(unit, target, atom)
      if (into !== undefined && name !== undefined) names.set(into, name)
      if (into !== undefined && target.kind === 'string') texts.set(into, target.text.toString('latin1'))
    }
  }
  const inArgument = <T>(homes: Iterable<readonly [Home, T]>, wanted: number): T | undefined =>
    [...homes].find(([one]) => argumentIn(one) === wanted && wanted >= 0)?.[1]
  const behind = inArgument(names, argument - 1)
  const taken = lineTaken({
    callee,
    argument,
    behind,
    textAt: (one) => inArgument(texts, one),
    isNumber: (one) => [...numbers].some((number) => argumentIn(number) === one),
  })
  return taken ?? (behind === undefined ? undefined : 'near')
}

/**
 * The instructions from behind the call before to the call that an instruction prepares; undefined when none is near.
 */
function pathToCall(
  unit: SplitObject,
  atom: Atom,
  code: readonly Instruction[],
  index: number,
): Instruction[] | undefined {
  const { data } = atom.section
  // A call at the end of a function is a jump.
  const isCall = (instruction: Instruction) => {
    const { branch } = instruction
    if (branch > 0 && data[branch - 1] === 0xe8) return true
    return isPlainJump(data, instruction) && hasRelocationAt(unit, atom, branch)
  }
  let first = index
  while (first > 0 && index - first < reach) {
    const previous = code[first - 1]
    if (previous === undefined || isCall(previous)) break
    first--
  }
  const path = code.slice(first, index + 1)
  let jumped = false
  for (let at = index + 1, steps = 0; steps < reach; steps++) {
    const instruction = code[at]
    if (instruction === undefined) return undefined
    path.push(instruction)
    if (isCall(instruction)) return path
    // Several warnings may share one call.
    if (instruction.branch > 0 && isPlainJump(data, instruction)) {
      if (jumped) return undefined
      jumped = true
      const goal = instruction.end + readDistance(data, instruction)
      at = code.findIndex(({ start }) => start === goal)
      if (at < 0) return undefined
    } else at++
  }
  return undefined
}

function hasRelocationAt(unit: SplitObject, { section }: Atom, offset: number): boolean {
  return unit.relocations({ section, start: offset, end: offset + 1 }).length > 0
}

function isPlainJump(data: Buffer, { branch }: Instruction): boolean {
  return data[branch - 1] === 0xe9 || data[branch - 1] === 0xeb
}

function readDistance(data: Buffer, { end, branch }: Instruction): number {
  return end - branch === 1 ? data.readInt8(branch) : data.readInt32LE(branch)
}

/**
 * `__FILE__` is a path in the source; `__func__`, what ACPI has for the file (AE_INFO in include/acpi/acoutput.h), and
 * other names.
 */
function placeName(unit: SplitObject, target: Target, atom: Atom): 'file' | 'name' | undefined {
  if (target.kind === 'string') {
    const text = target.text.toString('latin1').replace(/\0$/, '')
    if (/^[\w./+-]+\.[ch]$/.test(text)) return isSourceFile(unit, text) ? 'file' : 'name'
    // clang makes a plain string of `__func__`.
    return text === atom.name.replace(/\..*/, '') ? 'name' : undefined
  }
  const name = target.kind === 'atom' ? target.atom.name : target.kind === 'external' ? target.name : ''
  return /(^|\.)(__(func|FUNCTION|PRETTY_FUNCTION)__|_acpi_module_name)(\.|$)/.test(name) ? 'name' : undefined
}

/** True for the unit's own file, or one with a directory, as kbuild gives them to the compiler. */
function isSourceFile({ object }: SplitObject, file: string): boolean {
  return file.includes('/') || object.symbols.some(({ type, name }) => type === 'file' && name === file)
}
