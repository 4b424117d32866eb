// SPDX-License-Identifier: GPL-3.0-or-later
// Objects of the live patch itself whose address a function gives away: to what a pointer leads to (`poll_wait` is such
// a call, by which epoll links itself to a wait queue), or to a function of the kernel that keeps it.
import type { Atom, SplitObject } from '../../../diff/object/split-object.ts'
import { sectionFlag } from '../../../elf/format.ts'
import { argumentRegisters, decodeInstruction, kindOf, loadedRegister } from '../../../x86/instruction.ts'

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

/** Of kernels that call through thunks (`-mindirect-branch=thunk-extern`). */
const thunk = /^__x86_indirect_(?:call_)?thunk_/

export interface EscapingDatum {
  readonly datum: Atom
  /** The function that keeps it; undefined where a pointer leads to that. */
  readonly by: string | undefined
}

/**
 * @param isNew whether the live patch brings a datum
 */
export function escapingDataIn(
  split: SplitObject,
  atom: Atom,
  isNew: (datum: Atom) => boolean,
): EscapingDatum[] {
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
      relocation !== undefined && relocation.offset < instruction.end
        ? split.target(section, relocation)
        : undefined
    const does = kindOf(section.data, instruction)
    const isCall = instruction.branch >= 0 && section.data[instruction.branch - 1] === 0xe8
    if (isCall || does.kind === 'indirect-call') {
      const name = target?.kind === 'external' ? target.name : ''
      const argument = keepers.get(name)
      if (does.kind === 'indirect-call' || thunk.test(name)) give(argumentRegisters, undefined)
      else if (argument !== undefined) give([argumentRegisters[argument]!], name)
      loaded.clear()
    } else if (does.kind === 'leaves') loaded.clear()
    else if (does.kind === 'sets') {
      loaded.delete(does.register)
      const register = loadedRegister(section.data, instruction)
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
