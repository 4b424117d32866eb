// SPDX-License-Identifier: GPL-3.0-or-later
// Where the code of the module may differ from what the compiler made: objtool makes nops of jump labels and of the hook,
// and a number that the kernel writes into its own code at boot is loaded instead (arch/x86/include/asm/runtime-const.h).
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
  const found: Rewritten[] = []
  const { section, start, end } = whose
  const nopAt = (at: number, size: number) => ours.toString('hex', at, at + size) === nops.get(size)
  for (const { table, about } of entriesAbout(view, section, start, end)) {
    if (table.name !== '__jump_table') continue
    const at = about.offset - start
    const size = made[at] === 0xeb ? 2 : made[at] === 0xe9 ? 5 : 0
    if (size > 0 && nopAt(at, size)) found.push({ at, size })
  }
  for (const { offset, symbol } of view.relocations(whose)) {
    const at = offset - 1 - start
    if (symbol.name === '__fentry__' && made[at] === 0xe8 && nopAt(at, 5)) found.push({ at, size: 5 })
  }
  for (const table of view.object.sections) {
    const [, variable] = /^runtime_ptr_(.+)$/.exec(table.name) ?? []
    if (variable === undefined) continue
    for (const relocation of view.relocations({ section: table, start: 0, end: table.size })) {
      const target = view.target(table, relocation)
      if (target.kind !== 'place' || target.place.section !== section) continue
      const at = target.place.offset - 2 - start
      if (at < 0 || at + 10 > made.length) continue
      const [prefix = 0, opcode = 0] = made.subarray(at)
      // movabs $…,%reg becomes mov …(%rip),%reg and a nop.
      const load = [0x48 | ((prefix & 1) << 2), 0x8b, ((opcode & 7) << 3) | 5]
      if (
        load.every((byte, index) => ours[at + index] === byte) &&
        ours.toString('hex', at + 7, at + 10) === '0f1f00'
      )
        found.push({ at, size: 10, variable })
    }
  }
  return found
}
