// SPDX-License-Identifier: GPL-3.0-or-later
// One random fault in a finished module.
import { sectionFlag, sectionType } from '../../src/elf/format.ts'
import { readObject, type Section } from '../../src/elf/read.ts'
import { Mutant } from './mutant.ts'

export interface Spoiled {
  readonly bytes: Buffer
  readonly kind: 'relocation' | 'addend' | 'byte' | 'table' | 'symbol'
  /** For a person. */
  readonly what: string
}

/** What objtool and modpost make of the code, and what only a debugger or a person reads. */
const madeLater =
  /^\.(orc_|return_sites|retpoline_sites|call_sites|cfi_sites|static_call_sites|ibt_endbr_seal|comment|note|gnu\.linkonce|modinfo|discard|altinstr_aux|BTF)|^__(mcount_loc|patchable_function_entries|versions)/
/** The part that every live patch has, and that comes from kernel/, not from the patch. */
const frame = /^\.(init|exit)|^\.(bss|rodata|text)\.inarch/

/** @param random a whole number from 0, below the one that is given */
export function spoil({ bytes }: { readonly bytes: Buffer }, random: (below: number) => number): Spoiled {
  const { sections, symbols } = readObject(bytes, 'module.ko')
  const isOfPatch = ({ flags, size, name }: Section) =>
    (flags & sectionFlag.alloc) !== 0 && size > 0 && !madeLater.test(name) && !frame.test(name)
  const all = new Mutant(bytes).relocations()
  const led = new Set(
    all.flatMap(({ section, symbol }) =>
      isOfPatch(sections[section]!) ? (symbols[symbol]?.section?.index ?? []) : [],
    ),
  )
  /** Constants to which only the frame leads are the frame's. */
  const isCarried = (index: number) => {
    const section = sections[index]
    return section !== undefined && isOfPatch(section) && (!section.name.startsWith('.rodata') || led.has(index))
  }
  const pick = <T>(all: readonly T[]): T => all[random(all.length)]!
  const mutant = new Mutant(bytes)
  const kind = pick(['relocation', 'addend', 'byte', 'table', 'symbol'] as const)
  const relocations = all.filter(({ section }) => isCarried(section))
  const done = (what: string): Spoiled => ({ bytes: mutant.bytes, kind, what })
  const where = (section: number, offset: number) => `${sections[section]?.name}+0x${offset.toString(16)}`
  if (kind === 'relocation') {
    const one = pick(relocations)
    const other = pick(relocations.filter(({ symbol, addend }) => symbol !== one.symbol || addend !== one.addend))
    mutant.lead(one, other.addend, other.symbol)
    return done(
      `${where(one.section, one.offset)}: ${symbols[one.symbol]?.name}+${one.addend} leads to ` +
        `${symbols[other.symbol]?.name}+${other.addend}`,
    )
  }
  if (kind === 'addend') {
    const one = pick(relocations)
    const by = pick([1, -1, 4, -4, 8, -8, 16, 64])
    mutant.lead(one, one.addend + by)
    return done(`${where(one.section, one.offset)}: ${symbols[one.symbol]?.name}+${one.addend} by ${by}`)
  }
  if (kind === 'byte') {
    const all = sections.filter(({ index, type }) => isCarried(index) && type !== sectionType.nobits)
    // By size, so that each byte is as likely as any other.
    let nth = random(all.reduce((sum, { size }) => sum + size, 0))
    let section = all[0]!
    for (const one of all) {
      section = one
      if (nth < one.size) break
      nth -= one.size
    }
    const bit = 1 << random(8)
    mutant.write(section.name, nth, Buffer.from([section.data[nth]! ^ bit]))
    return done(`${where(section.index, nth)} ^ ${bit}`)
  }
  if (kind === 'table') {
    const tables = sections.filter(({ name }) => /^\.(data|rodata).*(klp|inarch|livepatch)/i.test(name) && name !== '')
    const table = pick(tables.length === 0 ? sections.filter(({ name }) => name === '.data') : tables)
    const offset = random(table.size)
    mutant.write(table.name, offset, Buffer.from([table.data[offset]! ^ (1 << random(8))]))
    return done(where(table.index, offset))
  }
  const used = new Set(relocations.map(({ symbol }) => symbol))
  // Of what nothing refers to, only the names of functions are looked at: in stack traces, and for their extent.
  const named = symbols.filter(
    ({ index, section, type }) => section !== undefined && (used.has(index) || type === 'function'),
  )
  const one = pick(named.filter(({ section }) => isCarried(section!.index)))
  const field = pick(one.type === 'section' ? (['value', 'section'] as const) : (['value', 'section', 'info'] as const))
  mutant.symbol(one.index, field, random)
  const users = all.filter(({ symbol }) => symbol === one.index).length
  return done(`${one.name}: ${field}, to which ${users} relocations refer`)
}
