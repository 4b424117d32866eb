// SPDX-License-Identifier: GPL-3.0-or-later
// A patched module may be unloaded and loaded again under its live patch. Linux 6.3 and later clear what they wrote
// into the live patch for the module that goes; earlier ones leave it, and refuse the module when it comes again. For
// those the live patch clears it itself (kernel/livepatch.c).
import { sectionFlag } from '../../elf/format.ts'
import type { ObjectDraft } from '../../elf/write.ts'
import type { Finding } from '../../ground/finding.ts'
import type { KernelNames } from '../../match/names.ts'
import type { Binding } from '../bind/bind.ts'
import { ownSection } from '../structures/tables.ts'
import type { Layout } from '../structures/template.ts'

/** The kernel's function that clears, in kernels that do. */
export const clearingFunction = 'clear_relocate_add'

/** The symbol by which kernel/livepatch.c knows where to keep the callbacks of the objects. */
export const callbacksSymbol = 'inarch_callbacks'

/** What the live patch needs of the kernel to write into its own code; none of it is exported. */
const writing = ['text_poke', 'text_poke_sync', 'text_mutex'] as const

/** Bytes of struct inarch_callbacks. */
const slotSize = 24

/**
 * Who clears the relocations against a patched module when it is unloaded, without which it can't be loaded again: the
 * kernel (6.3 and later), the live patch (`own`), or nobody (`never`).
 */
export type Reload = 'kernel' | 'own' | 'never'

/** @param bindings how the live patch's references are resolved */
export function reloadOf(
  names: Pick<KernelNames, 'symbols' | 'exported'>,
  bindings: Iterable<Binding>,
  { object: { callbacks } }: Layout,
): Reload {
  const waits = [...bindings].some((binding) => binding.kind === 'livepatch' && binding.when !== 'vmlinux')
  if (!waits || names.symbols('vmlinux', clearingFunction).length > 0) return 'kernel'
  const canWrite = writing.every((name) => names.symbols('vmlinux', name).length === 1)
  return callbacks !== undefined && canWrite ? 'own' : 'never'
}

/** What there is to say when nobody clears the relocations against the modules. */
export function reloadFindings(reload: Reload, objects: readonly string[]): Finding[] {
  if (reload !== 'never') return []
  return objects
    .filter((object) => object !== 'vmlinux')
    .map((object) => ({
      severity: 'warning',
      rule: 'module-reload',
      message:
        `Once unloaded, the module ${object} can't be loaded again while the live patch is: this ` +
        'kernel does not clear the relocations that it resolved for the module (Linux 6.3 and later do)',
      hint: `Revert the live patch before you unload ${object}`,
    }))
}

/** How the skeleton reaches what it writes with. */
export function writingBindings({ exported }: Pick<KernelNames, 'exported'>): Map<string, Binding> {
  return new Map(
    writing
      .filter((name) => exported(name) === undefined)
      .map((name) => [name, { kind: 'livepatch', object: 'vmlinux', when: 'vmlinux', name, sympos: 0 }]),
  )
}

/** @param objects how many kernel objects the live patch has */
export function callbackSlots(objects: number): ObjectDraft {
  const size = slotSize * (objects + 1)
  const place = ownSection(`.bss.${callbacksSymbol}`, sectionFlag.write, 8, size)
  return {
    sections: [place],
    symbols: [{ name: callbacksSymbol, value: 0, size, binding: 'global', type: 'object', visibility: 0, place }],
  }
}
