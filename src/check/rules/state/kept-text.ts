// SPDX-License-Identifier: GPL-3.0-or-later
// Texts whose address the kernel keeps. A string in the code of a replaced function lies in the live patch: when that
// is unloaded, a pointer to it that the kernel keeps (the name of an I/O region or of an interrupt, a member of an
// object) dangles.
import type { Atom, SplitObject, Target } from '../../../diff/object/split-object.ts'
import { toldFirst } from '../../../ground/listed.ts'
import { grouped } from '../../../ground/values/grouped.ts'
import { loadedRegister, storesAddress } from '../../../x86/address-taking.ts'
import { controlOf, leaves, placeOf } from '../../../x86/branch.ts'
import { argumentRegisters, callerSaved, chosenHome, copiedHome } from '../../../x86/calling-convention.ts'
import { decodeInstruction } from '../../../x86/instruction.ts'
import { effectOf } from '../../../x86/registers.ts'
import { type Found, warning } from '../../subject/rule.ts'
import type { StudiedUnit } from '../../subject/subject.ts'

/**
 * Functions of the kernel that keep the address of a text they are given, each with the number of that argument, from
 * 0. Others copy it.
 */
const keepers: ReadonlyMap<string, number> = new Map([
  // kernel/resource.c: `res->name = name`
  ['__request_region', 3],
  ['__devm_request_region', 4],
  ['request_free_mem_region', 2],
  ['alloc_free_mem_region', 3],
  // drivers/pci/pci.c and devres.c, lib/devres.c before Linux 6.9: they request regions
  ['pci_request_region', 2],
  ['pci_request_regions', 1],
  ['pci_request_regions_exclusive', 1],
  ['pci_request_selected_regions', 2],
  ['pci_request_selected_regions_exclusive', 2],
  ['pcim_request_region', 2],
  ['pcim_iomap_regions', 2],
  // kernel/irq/manage.c and devres.c: `action->name = devname`
  ['request_threaded_irq', 4],
  ['devm_request_threaded_irq', 5],
  ['request_any_context_irq', 3],
  ['devm_request_any_context_irq', 4],
  ['__request_percpu_irq', 3],
  ['request_percpu_irq_affinity', 2],
  ['request_nmi', 3],
  ['request_percpu_nmi', 2],
  // kernel/irq/chip.c and generic-chip.c: `desc->name = name`, `chip.name = name`
  ['__irq_set_handler', 3],
  ['irq_set_chip_and_handler_name', 3],
  ['irq_alloc_generic_chip', 0],
  ['devm_irq_alloc_generic_chip', 1],
  ['__irq_alloc_domain_generic_chips', 3],
  // drivers/base/class.c: `cls->name = name`; `class_create` is a macro before Linux 6.4
  ['__class_create', 1],
  ['class_create', 0],
  // kernel/cpu.c: `sp->name = name`; kernel/events/core.c: `pmu->name = name`
  ['__cpuhp_setup_state', 1],
  ['__cpuhp_setup_state_cpuslocked', 1],
  ['perf_pmu_register', 1],
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
  /** The texts whose addresses registers hold; those that they hold where a jump leads to. */
  let loaded = new Map<number, string>()
  const arriving = new Map<number, Map<number, string>>()
  const relocations = split.relocations(atom)
  let next = 0
  for (let start = atom.start; start < atom.end; ) {
    const instruction = decodeInstruction(section.data, start)
    if (instruction === undefined) return found
    for (const [register, text] of arriving.get(start) ?? []) if (!loaded.has(register)) loaded.set(register, text)
    while ((relocations[next]?.offset ?? Number.POSITIVE_INFINITY) < start) next++
    const relocation = relocations[next]
    const target =
      relocation !== undefined && relocation.offset < instruction.end ? split.target(section, relocation) : undefined
    const control = controlOf(instruction)
    if (target?.kind === 'external' && (control === 'call' || control === 'jump')) {
      const argument = keepers.get(target.name)
      const text = argument === undefined ? undefined : loaded.get(argumentRegisters[argument]!)
      if (text !== undefined) found.push({ text, by: target.name })
    }
    if (control === 'call' || control === 'indirect-call') {
      // What a call leaves in these registers is nobody's.
      for (const register of callerSaved) loaded.delete(register)
    } else if (instruction.branch >= 0) {
      const to = placeOf(instruction)
      if (target === undefined) arriving.set(to, new Map([...(arriving.get(to) ?? []), ...loaded]))
    } else {
      const [copied, chosen] = [copiedHome(instruction), chosenHome(instruction)]
      const isLoad = target?.kind === 'string'
      const register = isLoad ? loadedRegister(instruction) : (copied ?? chosen)?.to
      const held = copied ?? chosen
      const text = isLoad ? textOf(target) : held && (loaded.get(held.from) ?? (chosen && loaded.get(chosen.to)))
      for (const known of [...loaded.keys()]) if ((effectOf(instruction).writes >> known) & 1) loaded.delete(known)
      if (text !== undefined && register !== undefined) loaded.set(register, text)
      else if (text !== undefined && isLoad && storesAddress(instruction)) found.push({ text, by: undefined })
    }
    if (leaves(control)) loaded = new Map()
    start = instruction.end
  }
  return found
}

function inUnit({ change }: StudiedUnit): Found[] {
  return [...change.changed.map(({ after }) => after), ...change.added].flatMap((after): Found[] =>
    // Who keeps texts is told with all of them.
    [...grouped(keptIn(change.after, after), ({ by }) => by)].map(([by, kept]) => {
      const texts = [...new Set(kept.map(({ text }) => text))]
      const isOne = texts.length === 1
      const [does, where] =
        by === undefined
          ? [`stores the ${isOne ? 'address' : 'addresses'} of`, '']
          : ['passes', `, to ${by}, which keeps ${isOne ? 'its address' : 'their addresses'}`]
      return {
        symbol: after.name,
        unit: change.unit,
        severity: by === undefined ? 'note' : 'warning',
        message:
          `${after.name} ${does} the ${isOne ? 'text' : 'texts'} ${toldFirst(texts)}, which ` +
          `${isOne ? 'is' : 'are'} part of the live patch${where}; after unload ` +
          (isOne ? 'it dangles' : 'they dangle'),
      }
    }),
  )
}

export const keptText = warning(
  'kept-text',
  'A replaced function that passes a text to a function of the kernel which keeps its address (the ' +
    'name of an I/O region, an interrupt or a class); a note, where it stores the address of one',
  'The text lies in the live patch, in memory that is freed when the live patch is unloaded; ' +
    '/proc/ioports, /proc/interrupts, /sys and others read it later',
  'Let the text be a constant that the kernel has already, undo in a callback (INARCH_PRE_UNPATCH) ' +
    'what was registered, or allow it and never unload the live patch',
  [
    'kernel/resource.c: r->name ? r->name',
    'kernel/irq/proc.c: action->name',
    'drivers/base/class.c: cls->name = name',
    'kernel/module/main.c: free_module',
  ],
  (subject) => subject.units.flatMap(inUnit),
)
