// SPDX-License-Identifier: GPL-3.0-or-later
// What one function of the kernel does as far as its instructions say without running them: whom it calls with which
// constants, which of these calls stand in a loop, and which constants it stores. Registers are followed along the
// code as it lies, not along each way through it: where ways meet, the last one seen counts.
import { lastUpTo } from '../ground/values/sorted.ts'
import { controlOf, leaves, placeOf } from '../x86/branch.ts'
import { decodeInstruction } from '../x86/instruction.ts'
import { RegisterValues, type Store, type Value } from '../x86/register-values.ts'

export interface CallSite {
  /** The called function's address, counted like that of the code. */
  readonly target: number
  /** The first four arguments; undefined where they are not known. */
  readonly args: readonly (Value | undefined)[]
  readonly inLoop: boolean
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

/**
 * @param code the bytes of a region
 * @param base the address of its first byte
 * @param start where the function begins and ends in `code`
 * @param known what is known of the functions that it calls
 */
export function flowOf(code: Buffer, base: number, start: number, end: number, known: Known): Flow {
  const registers = new RegisterValues()
  const calls: (CallSite & { readonly at: number })[] = []
  const leaders = new Set<number>([start])
  /** Places that control does not reach from the instruction before. */
  const unreached = new Set<number>()
  const jumps: [number, number][] = []
  let comesBack = false
  for (let at = start; at < end; ) {
    const instruction = decodeInstruction(code, at)
    if (instruction === undefined) break
    const next = instruction.end
    const control = controlOf(instruction)
    if (instruction.branch >= 0) {
      const target = placeOf(instruction)
      const isCall = control === 'call'
      const outside = target < start || target >= end
      if (isCall || outside) calls.push({ at, target: base + target, args: registers.passed(), inLoop: false })
      if (isCall) {
        if (!known.keeps(base + target)) registers.call()
        if (!known.returns(base + target)) unreached.add(next)
      } else {
        leaders.add(next)
        // To another function, or to the thunk that stands for a return.
        if (outside && known.returns(base + target)) comesBack = true
        if (!outside) {
          leaders.add(target)
          jumps.push([at, target])
        }
        if (control === 'jump') unreached.add(next)
      }
    } else {
      registers.step(instruction, base)
      if (leaves(control)) unreached.add(next)
      if (control === 'return') comesBack = true
    }
    at = next
  }
  for (const at of unreached) leaders.add(at)
  const looping = loops(leaders, unreached, jumps)
  return {
    calls: calls.map(({ at, target, args }) => ({ target, args, inLoop: looping(at) })),
    stores: registers.stores,
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
  const blockOf = (at: number) => lastUpTo(starts, at)
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
