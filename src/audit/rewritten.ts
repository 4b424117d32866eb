// SPDX-License-Identifier: GPL-3.0-or-later
// Where the code of the module may differ from what the compiler made: objtool makes nops of jump labels and of the
// hook, and a number that the kernel writes into its own code at boot is loaded instead
// (arch/x86/include/asm/runtime-const.h).
import { constantSize, loadsVariable, opcodeLength } from '../x86/boot-constant.ts'
import { controlOf } from '../x86/branch.ts'
import { fentry, hookAt, hookOf, hookSize } from '../x86/entry.ts'
import { decodeInstruction } from '../x86/instruction.ts'
import { isNopOf } from '../x86/padding.ts'
import { entriesAbout } from './code-tables.ts'
import type { Extent, ObjectView } from './object-view.ts'

export interface Rewritten {
  /** Bytes from the begin of the function. */
  readonly at: number
  readonly size: number
  /** The variable that is loaded there. */
  readonly variable?: string
}

/**
 * @param ours the module's bytes of the function
 * @param made the compiler's
 */
export function rewrittenAt(view: ObjectView, whose: Extent, ours: Buffer, made: Buffer): Rewritten[] {
  const { start } = whose
  const sizeOfJump = (at: number) => {
    const instruction = decodeInstruction(made, at)
    return instruction !== undefined && controlOf(instruction) === 'jump' ? instruction.end - at : 0
  }
  const jumps = entriesAbout(view, whose)
    .filter((entry) => entry.section.name === '__jump_table')
    .map(({ about }) => about.offset - start)
    .map((at) => ({ at, size: sizeOfJump(at) }))
  const hooks = view
    .references(whose)
    .filter(({ symbol }) => symbol.name === fentry)
    .map(({ offset }) => ({ at: hookOf(offset) - start, size: hookSize }))
    .filter(({ at }) => typeof hookAt(made, at) === 'number')
  const isNop = ({ at, size }: Rewritten) => isNopOf(size, ours, at)
  const loads = bootConstantsIn(view, whose)
    .filter(({ at }) => loadsVariable(made, ours, at))
    .map(({ at, variable }): Rewritten => ({ at, size: constantSize, variable }))
  return [...jumps.filter(isNop), ...hooks.filter(isNop), ...loads]
}

/** Where the kernel writes a variable's value into an instruction of a function at boot, from the function's begin. */
export function bootConstantsIn(
  view: ObjectView,
  { section, start, end }: Extent,
): { readonly at: number; readonly variable: string }[] {
  return view.object.sections.flatMap((table) => {
    const [, variable] = /^runtime_ptr_(.+)$/.exec(table.name) ?? []
    if (variable === undefined) return []
    return view.references(table).flatMap(({ target }) => {
      if (target.kind !== 'place' || target.place.section !== section) return []
      const at = target.place.offset - opcodeLength - start
      return at >= 0 && start + at < end ? [{ at, variable }] : []
    })
  })
}
