// SPDX-License-Identifier: GPL-3.0-or-later
// Tells a line number in the code from any other number. WARN, might_sleep, lockdep, ASSERT_RTNL and what
// file systems print all hand `__LINE__` to a function, beside `__FILE__` or `__func__`; when a patch moves lines,
// the code differs in these numbers only. A number counts as a line when it is loaded as an
// argument of a call that gets the name of a source file or of a function, too, or of a function known to take one.
import type { Anatomy, Piece, Target } from './anatomy.ts'
import type { Instruction } from './instruction.ts'

/** Functions that take a line number alone (fs/ext4/ext4_jbd2.h, fs/jbd2, lib/refcount.c of some kernels). */
const takesLine =
  /^(___?might_(sleep|resched)|__ext4_journal_(start(_sb)?|ensure_credits|get_\w+_access|forget)|__ext4_handle_dirty_\w+|jbd2__?journal_(start|restart)|warn_slowpath_(null|fmt(_taint)?)|lockdep_rcu_suspicious)$/

/** The kernel's longest file has some 100,000 lines, generated register headers more. */
const lastLine = 1_000_000

/** Instructions from the number to the call, and from the call before. */
const reach = 24

/**
 * True when the code of two functions of the same size differs in line numbers only. Their relocations are
 * left to the caller.
 */
export function differOnlyInLines(before: Anatomy, b: Piece, after: Anatomy, a: Piece): boolean {
  const codeB = instructionsOf(before, b)
  const codeA = instructionsOf(after, a)
  if (codeB === undefined || codeA === undefined || codeB.length !== codeA.length) return false
  const [dataB, dataA] = [b.section.data, a.section.data]
  const relocated = new Set(after.relocations(a).map(({ offset }) => offset - a.start))
  const lines: { readonly before: number; readonly after: number }[] = []
  for (let index = 0; index < codeA.length; index++) {
    const [ib, ia] = [codeB[index], codeA[index]]
    if (ib === undefined || ia === undefined) return false
    if (ib.start - b.start !== ia.start - a.start || ib.end - b.start !== ia.end - a.start) return false
    if (dataB.compare(dataA, ia.start, ia.end, ib.start, ib.end) === 0) continue
    const field = immediateArgument(dataA, ia)
    if (field < 0 || relocated.has(field - a.start)) return false
    // Nothing but the number may differ.
    if (dataB.compare(dataA, ia.start, field, ib.start, field - a.start + b.start) !== 0) return false
    const line = { before: dataB.readInt32LE(field - a.start + b.start), after: dataA.readInt32LE(field) }
    if (line.before <= 0 || line.after <= 0 || line.before > lastLine || line.after > lastLine) return false
    if (!isHandedOnAsLine(after, a, codeA, index)) return false
    lines.push(line)
  }
  // Lines move, but they keep their order.
  lines.sort((one, other) => one.before - other.before)
  return lines.every((line, index) => {
    const previous = lines[index - 1]
    if (previous === undefined) return true
    return previous.before === line.before ? previous.after === line.after : previous.after < line.after
  })
}

function instructionsOf(unit: Anatomy, piece: Piece): Instruction[] | undefined {
  const list: Instruction[] = []
  for (let at = piece.symbol?.value ?? piece.start; at < piece.end; ) {
    const instruction = unit.instructionAt(piece.section, at)
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

/** True when the call that follows gets a file's or function's name, too, or is known to take a line. */
function isHandedOnAsLine(unit: Anatomy, piece: Piece, code: readonly Instruction[], index: number): boolean {
  const { data } = piece.section
  const isCall = ({ branch }: Instruction) => branch > 0 && data[branch - 1] === 0xe8
  const targets: Target[] = []
  const look = ({ start, end }: Instruction) => {
    for (const relocation of unit.relocations({ section: piece.section, start, end }))
      targets.push(unit.target(piece.section, relocation))
  }
  for (let at = index - 1; at >= 0 && at >= index - reach; at--) {
    const instruction = code[at]
    if (instruction === undefined || isCall(instruction)) break
    look(instruction)
  }
  let at = index + 1
  let jumped = false
  for (let steps = 0; steps < reach; steps++) {
    const instruction = code[at]
    if (instruction === undefined) return false
    look(instruction)
    if (isCall(instruction)) {
      const callee = targets.at(-1)
      const name =
        callee?.kind === 'external' ? callee.name : callee?.kind === 'piece' ? callee.piece.name : ''
      return takesLine.test(name) || targets.some((target) => isPlaceName(target))
    }
    // Several warnings may share one call.
    if (instruction.branch > 0 && isPlainJump(data, instruction)) {
      if (jumped || (targets.length > 0 && hasRelocationAt(unit, piece, instruction.branch))) return false
      jumped = true
      const goal = instruction.end + readDistance(data, instruction)
      at = code.findIndex(({ start }) => start === goal)
      if (at < 0) return false
    } else at++
  }
  return false
}

function hasRelocationAt(unit: Anatomy, { section }: Piece, offset: number): boolean {
  return unit.relocations({ section, start: offset, end: offset + 1 }).length > 0
}

function isPlainJump(data: Buffer, { branch }: Instruction): boolean {
  return data[branch - 1] === 0xe9 || data[branch - 1] === 0xeb
}

function readDistance(data: Buffer, { end, branch }: Instruction): number {
  return end - branch === 1 ? data.readInt8(branch) : data.readInt32LE(branch)
}

/** `__FILE__` or `__func__`. */
function isPlaceName(target: Target): boolean {
  if (target.kind === 'string') return /^[\w./-]+\.[ch]\0$/.test(target.text.toString('latin1'))
  return target.kind === 'piece' && /^__(func__|FUNCTION__|PRETTY_FUNCTION__)/.test(target.piece.name)
}
