// SPDX-License-Identifier: GPL-3.0-or-later
// Static calls of the module: the kernel writes into each call site where the key says, so the key has to be that of
// the trampoline which is called there. Format: struct static_call_site of include/linux/static_call_types.h.
import type { KernelNames } from '../match/names.ts'
import { controlOf } from '../x86/branch.ts'
import { decodeInstruction } from '../x86/instruction.ts'
import { entriesIn } from './code-tables.ts'
import type { Inspection } from './inspection.ts'
import { meaningOf } from './meaning.ts'
import type { ObjectView, Reference } from './object-view.ts'

const sites = '.static_call_sites'

/** STATIC_CALL_SITE_TAIL; the other flag, of what is freed after the start, has nothing to say in a module. */
const tail = 1
const flags = 3

export function checkStaticCalls({ module, names, complain }: Inspection): void {
  for (const { about, references } of entriesIn(module, (name) => name === sites)) {
    const { section, offset } = about
    const differs = (what: string) =>
      complain('audit-table', sites, `The entry about offset ${offset} of ${section.name} ${what}`)
    const instruction = decodeInstruction(section.data, offset)
    const [call] =
      instruction === undefined || instruction.branch < 0
        ? []
        : module.references({ section, start: instruction.branch, end: instruction.end })
    const key = references[1]
    if (instruction === undefined || call === undefined || key === undefined) {
      differs('is about a call that the linker does not make')
      continue
    }
    const isCall = controlOf(instruction) === 'call'
    const called = meant(module, names, call)
    const written = meant(module, names, key)
    // The check of references tells what can't be resolved.
    if (called === undefined || written === undefined) continue
    const keys = called.names.flatMap((name) =>
      // A module that may not change the key names the trampoline in its place (objtool/check.c).
      name.startsWith('__SCT__') ? [name, `__SCK__${name.slice('__SCT__'.length)}`] : [],
    )
    if (!written.names.some((name) => keys.includes(name)))
      differs(`has the key ${written.names[0] ?? 'of nothing'}, and ${called.names[0] ?? 'nothing'} is called there`)
    else if (written.flags !== (isCall ? 0 : tail))
      differs(`says that the call of ${called.names[0]} is ${isCall ? 'a jump' : 'no jump'}, or of the start`)
  }
}

/** What is at the place to which a reference leads, by all its names; the lowest bits of a key's address are flags. */
function meant(
  module: ObjectView,
  names: KernelNames,
  reference: Reference,
): { readonly names: readonly string[]; readonly flags: number } | undefined {
  const meaning = meaningOf(names, reference)
  if (meaning.kind !== 'kernel' && meaning.kind !== 'own') return undefined
  const namesBefore = (distance: number) => {
    const found =
      meaning.kind === 'kernel'
        ? names.at(meaning.at.object, meaning.at.address - BigInt(distance))
        : module.at({ ...meaning.place, offset: meaning.place.offset - distance })
    return found.map(({ name }) => name)
  }
  const exact = namesBefore(0)
  if (exact.length > 0) return { names: exact, flags: 0 }
  const low = meaning.kind === 'kernel' ? Number(meaning.at.address & BigInt(flags)) : meaning.place.offset & flags
  return { names: namesBefore(low), flags: low }
}
