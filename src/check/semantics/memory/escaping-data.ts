// SPDX-License-Identifier: GPL-3.0-or-later
// Objects of the live patch itself whose address a function gives away: to what a pointer leads to (`poll_wait` is such
// a call, by which epoll links itself to a wait queue), or to a function of the kernel that keeps it.
import type { Atom, SplitObject } from '../../../diff/object/split-object.ts'
import { sectionFlag } from '../../../elf/format.ts'
import { loadedRegister } from '../../../x86/address-taking.ts'
import { controlOf, leaves } from '../../../x86/branch.ts'
import { argumentRegisters } from '../../../x86/calling-convention.ts'
import { decodeInstruction } from '../../../x86/instruction.ts'
import { assignedRegister } from '../../../x86/registers.ts'
import { isIndirectThunk } from '../../../x86/thunks.ts'

/** Functions of the kernel that link or queue what they are given, each with the number of that argument, from 0. */
const keepers: ReadonlyMap<string, number> = new Map([
  ['add_wait_queue', 0],
  ['prepare_to_wait', 0],
  ['mod_timer', 0],
  ['add_timer', 0],
  ['add_timer_on', 0],
  ['hrtimer_start_range_ns', 0],
  ['queue_work_on', 2],
  ['queue_delayed_work_on', 2],
  ['mod_delayed_work_on', 2],
  ['__tasklet_schedule', 0],
  ['call_rcu', 0],
  ['rb_insert_color', 0],
  ['atomic_notifier_chain_register', 1],
  ['blocking_notifier_chain_register', 1],
  ['raw_notifier_chain_register', 1],
  ['srcu_notifier_chain_register', 1],
])

export interface EscapingDatum {
  readonly datum: Atom
  /** The function that keeps it; undefined where a pointer leads to that. */
  readonly by: string | undefined
}

/**
 * @param isNew whether the live patch brings a datum
 */
export function escapingDataIn(split: SplitObject, atom: Atom, isNew: (datum: Atom) => boolean): EscapingDatum[] {
  const { section } = atom
  const found: EscapingDatum[] = []
  const loaded = new Map<number, Atom>()
  const give = (registers: readonly number[], by: string | undefined) => {
    for (const register of registers) {
      const datum = loaded.get(register)
      if (datum !== undefined) found.push({ datum, by })
    }
  }
  const relocations = split.relocations(atom)
  let next = 0
  for (let start = atom.start; start < atom.end; ) {
    const instruction = decodeInstruction(section.data, start)
    if (instruction === undefined) return found
    while ((relocations[next]?.offset ?? Number.POSITIVE_INFINITY) < start) next++
    const relocation = relocations[next]
    const target =
      relocation !== undefined && relocation.offset < instruction.end ? split.target(section, relocation) : undefined
    const control = controlOf(instruction)
    const assigned = assignedRegister(instruction)
    if (control === 'call' || control === 'indirect-call') {
      const name = target?.kind === 'external' ? target.name : ''
      const argument = keepers.get(name)
      if (control === 'indirect-call' || isIndirectThunk(name)) give(argumentRegisters, undefined)
      else if (argument !== undefined) give([argumentRegisters[argument]!], name)
      loaded.clear()
    } else if (leaves(control)) loaded.clear()
    else if (assigned !== undefined) {
      loaded.delete(assigned)
      const register = loadedRegister(instruction)
      const isOne =
        target?.kind === 'atom' &&
        target.atom.kind === 'data' &&
        (target.atom.section.flags & sectionFlag.write) !== 0 &&
        isNew(target.atom)
      if (register !== undefined && isOne) loaded.set(register, target.atom)
    }
    start = instruction.end
  }
  return found
}
