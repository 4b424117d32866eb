// SPDX-License-Identifier: GPL-3.0-or-later
// Texts whose address the kernel keeps. A string in the code of a replaced function lies in the live patch: when that
// is unloaded, a pointer to it that the kernel keeps (the name of an I/O region or of an interrupt, a member of an
// object) dangles.
import type { Atom, SplitObject, Target } from '../../../diff/object/split-object.ts'
import { loadedRegister, storesAddress } from '../../../x86/address-taking.ts'
import { argumentRegisters } from '../../../x86/calling-convention.ts'
import { type Found, warning } from '../../subject/rule.ts'
import type { StudiedUnit } from '../../subject/subject.ts'

/**
 * Functions of the kernel that keep the address of a text they are given, each with the number of that argument, from
 * 0: kernel/resource.c (`res->name = name`), kernel/irq/manage.c (`action->name = devname`), kernel/irq/chip.c and
 * generic-chip.c, drivers/base/class.c (`cls->name = name`). Others copy it.
 */
const keepers: ReadonlyMap<string, number> = new Map([
  ['__request_region', 3],
  ['__devm_request_region', 4],
  ['request_threaded_irq', 4],
  ['devm_request_threaded_irq', 5],
  ['request_any_context_irq', 3],
  ['devm_request_any_context_irq', 4],
  ['__request_percpu_irq', 3],
  ['request_nmi', 3],
  ['__irq_set_handler', 3],
  ['irq_alloc_generic_chip', 0],
])

/** A text whose address outlives a call of the function. */
export interface Kept {
  readonly text: string
  /** The function that keeps it; undefined where it is stored. */
  readonly by: string | undefined
}

function textOf({ text }: Extract<Target, { kind: 'string' }>): string {
  const plain = text.toString('latin1').replace(/\0$/, '')
  return JSON.stringify(plain.length > 40 ? `${plain.slice(0, 40)}…` : plain)
}

/** Texts that a function stores, or hands to a function that keeps them. */
export function keptIn(split: SplitObject, atom: Atom): Kept[] {
  const { section } = atom
  const found: Kept[] = []
  const loaded = new Map<number, string>()
  for (const relocation of split.relocations(atom)) {
    const instruction = split.instructionAt(section, relocation.offset)
    if (instruction === undefined) continue
    const target = split.target(section, relocation)
    if (instruction.branch === relocation.offset) {
      const argument = target.kind === 'external' ? keepers.get(target.name) : undefined
      const text = argument === undefined ? undefined : loaded.get(argumentRegisters[argument]!)
      if (text !== undefined && target.kind === 'external') found.push({ text, by: target.name })
      // What a call leaves in the registers of its arguments is nobody's.
      if (target.kind === 'external') loaded.clear()
      continue
    }
    const register = loadedRegister(instruction)
    if (register !== undefined) loaded.delete(register)
    if (target.kind !== 'string') continue
    if (register !== undefined) loaded.set(register, textOf(target))
    else if (storesAddress(instruction)) found.push({ text: textOf(target), by: undefined })
  }
  return found
}

function inUnit({ change }: StudiedUnit): Found[] {
  return [...change.changed.map(({ after }) => after), ...change.added].flatMap((after): Found[] => {
    const kept = keptIn(change.after, after)
    const told = [kept.find(({ by }) => by !== undefined), kept.find(({ by }) => by === undefined)]
    return told.flatMap((one) => {
      if (one === undefined) return []
      const { text, by } = one
      const [does, where] =
        by === undefined ? ['stores the address of', ''] : ['passes', `, to ${by}, which keeps its address`]
      return {
        symbol: after.name,
        unit: change.unit,
        severity: by === undefined ? 'note' : 'warning',
        message:
          `${after.name} ${does} the text ${text}, which is part of the live patch${where}; ` +
          'after unload it dangles',
      }
    })
  })
}

export const keptText = warning(
  'kept-text',
  'A replaced function that passes a text to a function of the kernel which keeps its address (the ' +
    'name of an I/O region or an interrupt); a note, where it stores the address of one',
  'The text lies in the live patch, in memory that is freed when the live patch is unloaded; ' +
    '/proc/ioports, /proc/interrupts and others read it later',
  'Let the text be a constant that the kernel has already, undo in a callback (INARCH_PRE_UNPATCH) ' +
    'what was registered, or allow it and never unload the live patch',
  ['kernel/resource.c: r->name ? r->name', 'kernel/irq/proc.c: action->name', 'kernel/module/main.c: free_module'],
  (subject) => subject.units.flatMap(inUnit),
)
