// SPDX-License-Identifier: GPL-3.0-or-later
// Static calls of the module: the kernel writes into each call site where the key says, so the key has to be that of the
// trampoline which is called there. Format: struct static_call_site of include/linux/static_call_types.h.
import type { Relocation, Section } from '../elf/read.ts'
import type { Names } from '../match/names.ts'
import { objtoolEntries } from './code-tables.ts'
import type { Complain } from './complaint.ts'
import { meaningOf } from './meaning.ts'
import type { ObjectView } from './object-view.ts'

const sites = '.static_call_sites'

/** STATIC_CALL_SITE_TAIL; the other flag, of what is freed after the start, has nothing to say in a module. */
const tail = 1
const flags = 3

export function checkStaticCalls(module: ObjectView, names: Names, complain: Complain): void {
  for (const { table, about, relocations } of objtoolEntries(module, sites)) {
    const { section, offset } = about
    const differs = (what: string) =>
      complain('audit-table', sites, `The entry about offset ${offset} of ${section.name} ${what}`)
    const opcode = section.data[offset]
    const field = offset + (opcode === 0x0f ? 2 : 1)
    const [call] = module.relocations({ section, start: field, end: field + 4 })
    const key = relocations[1]
    if (call === undefined || key === undefined) {
      differs('is about a call that the linker does not make')
      continue
    }
    const called = meant(module, names, section, call)
    const written = meant(module, names, table, key)
    // The check of references tells what can't be resolved.
    if (called === undefined || written === undefined) continue
    const keys = called.names.flatMap((name) =>
      // A module that may not change the key names the trampoline in its place (objtool/check.c).
      name.startsWith('__SCT__') ? [name, `__SCK__${name.slice('__SCT__'.length)}`] : [],
    )
    if (!written.names.some((name) => keys.includes(name)))
      differs(
        `has the key ${written.names[0] ?? 'of nothing'}, and ${called.names[0] ?? 'nothing'} is called there`,
      )
    else if (written.flags !== (opcode === 0xe8 ? 0 : tail))
      differs(
        `says that the call of ${called.names[0]} is ${opcode === 0xe8 ? 'a jump' : 'no jump'}, or of the start`,
      )
  }
}

/** What is at the place to which a reference leads, by all its names; the lowest bits of a key's address are flags. */
function meant(
  module: ObjectView,
  names: Names,
  from: Section,
  relocation: Relocation,
): { readonly names: readonly string[]; readonly flags: number } | undefined {
  const meaning = meaningOf(names, module, from, relocation)
  if (meaning.kind === 'kernel') {
    const { object, address } = meaning.at
    const low = Number(address & BigInt(flags))
    const exact = names.at(object, address)
    const found = exact.length > 0 ? exact : names.at(object, address - BigInt(low))
    return { names: found.map(({ name }) => name), flags: exact.length > 0 ? 0 : low }
  }
  if (meaning.kind !== 'own') return undefined
  const { section, offset } = meaning.place
  const at = (start: number) =>
    module.named.flatMap((one) =>
      one.section === section && one.start === start && one.symbol !== undefined ? [one.symbol.name] : [],
    )
  const exact = at(offset)
  const low = offset & flags
  return exact.length > 0 ? { names: exact, flags: 0 } : { names: at(offset - low), flags: low }
}
