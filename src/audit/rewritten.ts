// SPDX-License-Identifier: GPL-3.0-or-later
// Where the code of the module may differ from what the compiler made: objtool makes nops of jump labels and of the
// hook, and a number that the kernel writes into its own code at boot is loaded instead
// (arch/x86/include/asm/runtime-const.h).
import { entriesAbout } from './code-tables.ts'
import type { Extent, ObjectView } from './object-view.ts'

export interface Rewritten {
  /** Bytes from the begin of the function. */
  readonly at: number
  readonly size: number
  /** The variable that is loaded there. */
  readonly variable?: string
}

/** The nops of objtool, by their size (arch/x86/include/asm/nops.h). */
const nops: ReadonlyMap<number, string> = new Map([
  [2, '6690'],
  [5, '0f1f440000'],
])

/**
 * @param ours the module's bytes of the function
 * @param made the compiler's
 */
export function rewrittenAt(view: ObjectView, whose: Extent, ours: Buffer, made: Buffer): Rewritten[] {
  const { section, start } = whose
  const sizes = new Map([
    [0xeb, 2],
    [0xe9, 5],
  ])
  const jumps = entriesAbout(view, whose)
    .filter((entry) => entry.section.name === '__jump_table')
    .map(({ about }) => about.offset - start)
    .map((at) => ({ at, size: sizes.get(made[at] ?? 0) ?? 0 }))
  const hooks = view
    .references(whose)
    .filter(({ offset, symbol }) => symbol.name === '__fentry__' && made[offset - 1 - start] === 0xe8)
    .map(({ offset }) => ({ at: offset - 1 - start, size: 5 }))
  const isNop = ({ at, size }: Rewritten) => ours.toString('hex', at, at + size) === nops.get(size)
  const loads = view.object.sections.flatMap((table) => {
    const [, variable] = /^runtime_ptr_(.+)$/.exec(table.name) ?? []
    if (variable === undefined) return []
    return view.references(table).flatMap(({ target }): Rewritten[] => {
      if (target.kind !== 'place' || target.place.section !== section) return []
      const at = target.place.offset - 2 - start
      if (at < 0 || at + 10 > made.length) return []
      const [prefix = 0, opcode = 0] = made.subarray(at)
      // movabs $…,%reg becomes mov …(%rip),%reg and a nop.
      const load = Buffer.from([0x48 | ((prefix & 1) << 2), 0x8b, ((opcode & 7) << 3) | 5])
      const isLoad =
        ours.subarray(at, at + 3).equals(load) && ours.toString('hex', at + 7, at + 10) === '0f1f00'
      return isLoad ? [{ at, size: 10, variable }] : []
    })
  })
  return [...jumps.filter(isNop), ...hooks.filter(isNop), ...loads]
}
