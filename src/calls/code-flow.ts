// SPDX-License-Identifier: GPL-3.0-or-later
// What one function of the kernel does as far as its instructions say without running them: whom it calls with which
// constants, which of these calls stand in a loop, and which constants it stores. Registers are followed along the
// code as it lies, not along each way through it: where ways meet, the last one seen counts.
// Calling convention: System V AMD64 psABI, 3.2.3.
import { decodeInstruction, legacyPrefix } from '../x86/instruction.ts'

/** What a register holds: a number, or what the function itself got as its n-th parameter. */
export type Value = { readonly constant: number } | { readonly parameter: number }

export interface CallSite {
  /** The called function's address, counted like that of the code. */
  readonly target: number
  /** The first four arguments; undefined where they are not known. */
  readonly args: readonly (Value | undefined)[]
  readonly inLoop: boolean
}

/** A constant that is written to memory, at a distance from some register. */
export interface Store {
  readonly displacement: number
  readonly value: number
}

export interface Flow {
  readonly calls: readonly CallSite[]
  readonly stores: readonly Store[]
  /** False for a function that nobody comes back from: an endless loop, or a way to the end of the task. */
  readonly returns: boolean
}

/** What is known of functions by their addresses. */
export interface Known {
  /** False for a function from which nobody comes back. */
  returns(target: number): boolean
  /** True for a function that leaves all registers as they are. */
  keeps(target: number): boolean
}

/** rax, rcx, rdx, rsi, rdi and r8 to r11 do not survive a call. */
const clobbered = [0, 1, 2, 6, 7, 8, 9, 10, 11]
/** rdi, rsi, rdx, rcx. */
const parameters = [7, 6, 2, 1]

/**
 * @param code the bytes of a region
 * @param base the address of its first byte
 * @param start where the function begins and ends in `code`
 * @param known what is known of the functions that it calls
 */
export function flowOf(code: Buffer, base: number, start: number, end: number, known: Known): Flow {
  const registers = new Registers()
  const calls: (CallSite & { readonly at: number })[] = []
  const stores: Store[] = []
  const leaders = new Set<number>([start])
  /** Places that control does not reach from the instruction before. */
  const unreached = new Set<number>()
  const jumps: [number, number][] = []
  let comesBack = false
  for (let at = start; at < end; ) {
    const instruction = decodeInstruction(code, at)
    if (instruction === undefined) break
    const { branch } = instruction
    const next = instruction.end
    if (branch >= 0) {
      const target = next + (next - branch === 4 ? code.readInt32LE(branch) : code.readInt8(branch))
      const opcode = code[branch - 1]!
      const isCall = opcode === 0xe8
      const outside = target < start || target >= end
      if (isCall || outside)
        calls.push({ at, target: base + target, args: parameters.map((r) => registers.of(r)), inLoop: false })
      if (isCall) {
        if (!known.keeps(base + target)) registers.forget(clobbered)
        if (!known.returns(base + target)) unreached.add(next)
      } else {
        leaders.add(next)
        // To another function, or to the thunk that stands for a return.
        if (outside && known.returns(base + target)) comesBack = true
        if (!outside) {
          leaders.add(target)
          jumps.push([at, target])
        }
        // Every other branch is conditional.
        if (opcode === 0xe9 || opcode === 0xeb) unreached.add(next)
      }
    } else {
      if (registers.step(code, at, next, base, stores)) {
        unreached.add(next)
        if (code[at] === 0xc3) comesBack = true
      }
    }
    at = next
  }
  for (const at of unreached) leaders.add(at)
  const looping = loops(leaders, unreached, jumps)
  return {
    calls: calls.map(({ at, target, args }) => ({ target, args, inLoop: looping(at) })),
    stores,
    returns: comesBack,
  }
}

/** Tells whether control can come back to an instruction. */
function loops(
  leaders: ReadonlySet<number>,
  unreached: ReadonlySet<number>,
  jumps: readonly (readonly [number, number])[],
): (at: number) => boolean {
  const starts = [...leaders].sort((a, b) => a - b)
  const blockOf = (at: number) => {
    let low = 0
    let high = starts.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (starts[middle]! <= at) low = middle + 1
      else high = middle
    }
    return low - 1
  }
  const blocks = starts.map((_, block): number[] => {
    const behind = starts[block + 1]
    return behind === undefined || unreached.has(behind) ? [] : [block + 1]
  })
  const cyclic = new Set<number>()
  for (const [from, to] of jumps) {
    const source = blockOf(from)
    const target = blockOf(to)
    blocks[source]?.push(target)
    if (target === source) cyclic.add(source)
  }
  for (const part of components(blocks)) if (part.length > 1) for (const block of part) cyclic.add(block)
  return (at: number) => cyclic.has(blockOf(at))
}

/** Tarjan's strongly connected components, without recursion. */
function components(blocks: readonly (readonly number[])[]): number[][] {
  const order = new Int32Array(blocks.length).fill(-1)
  const low = new Int32Array(blocks.length)
  const onStack = new Uint8Array(blocks.length)
  const stack: number[] = []
  const found: number[][] = []
  let count = 0
  for (let root = 0; root < blocks.length; root++) {
    if (order[root] !== -1) continue
    const path: { readonly block: number; child: number }[] = [{ block: root, child: 0 }]
    while (path.length > 0) {
      const frame = path.at(-1)!
      const { block } = frame
      if (frame.child === 0) {
        order[block] = low[block] = count++
        stack.push(block)
        onStack[block] = 1
      }
      const child = blocks[block]![frame.child++]
      if (child !== undefined) {
        if (order[child] === -1) path.push({ block: child, child: 0 })
        else if (onStack[child] === 1) low[block] = Math.min(low[block]!, order[child]!)
        continue
      }
      path.pop()
      const above = path.at(-1)
      if (above !== undefined) low[above.block] = Math.min(low[above.block]!, low[block]!)
      if (low[block] !== order[block]) continue
      const part: number[] = []
      for (let member = -1; member !== block; ) {
        member = stack.pop()!
        onStack[member] = 0
        part.push(member)
      }
      found.push(part)
    }
  }
  return found
}

/** The registers as far as they are known. */
class Registers {
  private readonly values: (Value | undefined)[] = Array(16).fill(undefined)

  constructor() {
    for (const [parameter, register] of parameters.entries()) this.values[register] = { parameter }
  }

  of(register: number): Value | undefined {
    return this.values[register]
  }

  forget(registers: readonly number[]): void {
    for (const register of registers) this.values[register] = undefined
  }

  /**
   * Takes one instruction that is no direct branch.
   * @returns true when control does not go on behind it
   */
  step(code: Buffer, start: number, end: number, base: number, stores: Store[]): boolean {
    let at = start
    while (legacyPrefix[code[at]!] === 1) at++
    const rex = (code[at]! & 0xf0) === 0x40 ? code[at++]! : 0
    const opcode = code[at++]!
    // ret, int3, and an indirect jump end the way.
    if (opcode === 0xc3 || opcode === 0xcc) return true
    const low = (opcode & 7) | ((rex & 1) << 3)
    if (opcode >= 0xb8 && opcode <= 0xbf) {
      this.values[low] = end - at === 4 ? { constant: code.readInt32LE(at) } : undefined
      return false
    }
    if ((opcode & 0xf8) === 0x58) {
      this.values[low] = undefined
      return false
    }
    if ((opcode & 0xf8) === 0x50 || opcode === 0x68 || opcode === 0x6a) return false
    if (opcode === 0x0f) {
      const second = code[at]!
      // Compares, tests and nops leave the registers alone.
      if (second !== 0x1f && second !== 0xa3) this.overwrite(code, at + 1, rex)
      return false
    }
    const fields = code[at] ?? 0
    const direct = fields >> 6 === 3
    const reg = ((fields >> 3) & 7) | ((rex & 4) << 1)
    const rm = (fields & 7) | ((rex & 1) << 3)
    switch (opcode) {
      case 0xc7:
        if (direct) this.values[rm] = { constant: code.readInt32LE(end - 4) }
        else if (end - at >= 5) store(code, at, end - 4, code.readInt32LE(end - 4), stores)
        return false
      case 0x89:
        if (direct) this.values[rm] = this.values[reg]
        else this.stored(code, at, end, reg, stores)
        return false
      case 0x87: {
        if (!direct) this.stored(code, at, end, reg, stores)
        this.values[reg] = undefined
        if (direct) this.values[rm] = undefined
        return false
      }
      case 0x8b:
        this.values[reg] = direct ? this.values[rm] : undefined
        return false
      case 0x8d:
        // lea of a place that is counted from here
        this.values[reg] =
          (fields & 0xc7) === 0x05
            ? { constant: base + end + code.readInt32LE(end - 4) - 0x8000_0000 }
            : undefined
        return false
      case 0x31:
      case 0x33:
        this.values[opcode === 0x31 ? rm : reg] = direct && reg === rm ? { constant: 0 } : undefined
        return false
      // cmp and test
      case 0x38:
      case 0x39:
      case 0x3a:
      case 0x3b:
      case 0x84:
      case 0x85:
        return false
      case 0x80:
      case 0x81:
      case 0x83:
        if (((fields >> 3) & 7) !== 7 && direct) this.values[rm] = undefined
        return false
      case 0xff:
        if (((fields >> 3) & 7) === 2) this.forget(clobbered)
        return ((fields >> 3) & 7) === 4
      default:
        this.overwrite(code, at, rex)
        return false
    }
  }

  /** An instruction of which it is only known which registers it names. */
  private overwrite(code: Buffer, at: number, rex: number): void {
    const fields = code[at] ?? 0
    this.values[((fields >> 3) & 7) | ((rex & 4) << 1)] = undefined
    if (fields >> 6 === 3) this.values[(fields & 7) | ((rex & 1) << 3)] = undefined
    this.values[0] = undefined
  }

  private stored(code: Buffer, at: number, end: number, register: number, stores: Store[]): void {
    const value = this.values[register]
    if (value !== undefined && 'constant' in value) store(code, at, end, value.constant, stores)
  }
}

/** @param end where the operand's displacement ends */
function store(code: Buffer, modrm: number, end: number, value: number, stores: Store[]): void {
  const mode = code[modrm]! >> 6
  const displacement = mode === 1 ? code.readInt8(end - 1) : mode === 2 ? code.readInt32LE(end - 4) : 0
  stores.push({ displacement, value })
}
