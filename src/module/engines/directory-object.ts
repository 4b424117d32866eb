// SPDX-License-Identifier: GPL-3.0-or-later
// Puts the compiled files of a live patch's source into one object: what one file defines, the others may use; anything
// else is the running kernel's, by its name or as LIVEPATCH_SYMBOL says (kernel/include/inarch-source.h).

import { isDirective } from '../../diff/directives.ts'
import { type Atom, type SplitObject, splitObject } from '../../diff/object/split-object.ts'
import { sectionFlag } from '../../elf/format.ts'
import type { ElfSymbol, ObjectFile, Section } from '../../elf/read.ts'
import { redraft } from '../../elf/redraft.ts'
import { type ObjectDraft, type SymbolDraft, undefinedSymbol } from '../../elf/write.ts'
import { isFreed, lastingSection } from '../../extract/discarded-sections.ts'
import type { Reference } from '../../extract/extraction.ts'
import { Namesakes } from '../../extract/namesakes.ts'
import type { Finding } from '../../ground/finding.ts'
import type { KernelNames } from '../../match/names.ts'
import { type Binder, type Binding, binder } from '../bind/bind.ts'
import { loadBootConstants } from '../bind/boot-constants.ts'
import type { PatchObject } from '../link/assemble.ts'
import { join } from '../link/join.ts'
import type { CompiledDirectory, SourceObject } from './source-objects.ts'

/** A symbol as LIVEPATCH_SYMBOL names it. */
export interface LivepatchSymbol {
  readonly object: string
  readonly position: number
  readonly name: string
}

export interface DirectoryObject extends PatchObject {
  readonly bindings: ReadonlyMap<SymbolDraft, Binding>
  readonly findings: readonly Finding[]
}

/** @returns what LIVEPATCH_SYMBOL wrote into a symbol's name; undefined for any other name */
export function parseLivepatchSymbol(name: string): LivepatchSymbol | undefined {
  const [, object, position, symbol] =
    /^__livepatch_symbol\.([A-Za-z0-9_-]+)\.(\d{1,6})\.(.+)$/.exec(name) ?? []
  if (object === undefined || symbol === undefined) return undefined
  return { object, position: Number(position), name: symbol }
}

/** The kernel objects that the compiled files name. */
export function livepatchSymbolObjects({ units, wrapper }: CompiledDirectory): string[] {
  return [wrapper, ...units.map(({ compiled }) => compiled)].flatMap(({ symbols }) =>
    symbols.flatMap(({ name }) => parseLivepatchSymbol(name)?.object ?? []),
  )
}

/** The unit's own definition of a name, if it has exactly one. */
export function definitionIn({ before }: SourceObject, name: string): Atom | undefined {
  const found = before.object.symbols.filter((symbol) => symbol.name === name && symbol.section !== undefined)
  const [only] = found
  return found.length === 1 && only !== undefined ? before.atomOf(only) : undefined
}

/** A list of symbols for a person: position, type and address of each. */
export function candidates(names: KernelNames, object: string, name: string): string {
  return names
    .symbols(object, name)
    .map(({ type, address }, index) => `${index + 1}: ${type} ${address.toString(16)}`)
    .join(', ')
}

/**
 * Lets everything that leads to a datum of a draft lead to another symbol, and leaves the datum and its section out.
 */
function replaceDatum({ sections, symbols }: ObjectDraft, name: string, by: SymbolDraft): ObjectDraft {
  const place = symbols.find((one) => one.name === name && typeof one.place !== 'string')?.place
  if (place === undefined) return { sections, symbols }
  for (const section of sections)
    section.relocations = section.relocations.map((one) =>
      one.symbol.place === place ? { ...one, symbol: by, addend: one.addend + one.symbol.value } : one,
    )
  return {
    sections: sections.filter((one) => one !== place),
    symbols: symbols.filter((one) => one.place !== place),
  }
}

/**
 * @param skeleton what kbuild would generate for a module; it stands for the unit that the wrapper does not have
 * @param keptIn constants of a file that are the running kernel's, by name, as its unit has them
 */
export function linkDirectory(
  { units, wrapper }: CompiledDirectory,
  skeleton: ObjectFile,
  names: KernelNames,
  keptIn: (file: SourceObject) => ReadonlyMap<string, Atom>,
): DirectoryObject {
  let nowhere: SplitObject | undefined
  const outside = () => {
    nowhere ??= splitObject(skeleton)
    return nowhere
  }
  const findings: Finding[] = []
  const references = new Map<SymbolDraft, Reference>()
  const bindings = new Map<SymbolDraft, Binding>()
  const definers = new Map<string, string>()
  const namesakes = new Namesakes()
  const files = [
    ...units.map((one) => ({ file: one.file, compiled: one.compiled, own: one })),
    { file: wrapper.name, compiled: wrapper, own: undefined },
  ]
  for (const { file, compiled } of files)
    for (const { name, binding, place, type } of compiled.symbols) {
      if (binding === 'local' || place === 'undefined') continue
      const first = definers.get(name)
      if (first !== undefined)
        findings.push({
          severity: 'error',
          rule: 'duplicate-definition',
          symbol: name,
          unit: file,
          message: `${first} and ${file} both define ${name}`,
          hint: 'Make it static in both, or define it in one and declare it in the other',
        })
      definers.set(name, file)
      // What other files call by its name comes first, and keeps it.
      if (type === 'function') namesakes.nameFor(file, name)
    }

  const bind = binder(names)
  const drafts = files.map(({ file, compiled, own }) => {
    const notes = compiled.sections.find(({ name }) => isDirective(name))
    if (notes !== undefined)
      findings.push({
        severity: 'error',
        rule: 'note-in-source',
        symbol: notes.name,
        unit: file,
        message:
          `${file} says something to Inarch by a macro of a patch (${notes.name}), which source of a ` +
          'live patch does not need',
        hint: 'Put callbacks and states into the tables of livepatch.c, and leave out what is to be left out',
      })
    const added = new Map<string, SymbolDraft>()
    const needSymbol = (name: string, needed = true): SymbolDraft => {
      const known = added.get(name)
      if (known !== undefined) return known
      const symbol = undefinedSymbol(name)
      added.set(name, symbol)
      resolve(symbol, needed)
      return symbol
    }
    const refer = (symbol: SymbolDraft, name: string, definition: Atom | undefined, needed: boolean) => {
      const unit = own?.unit ?? file
      const from = own?.object ?? 'vmlinux'
      const change = { unit, before: own?.before ?? outside() }
      const reference: Reference = { name, from, unit, definition, change, needed }
      references.set(symbol, reference)
      return reference
    }
    const resolve = (symbol: SymbolDraft, needed: boolean) => {
      const { name } = symbol
      const written = parseLivepatchSymbol(name)
      const meant = written?.name ?? name
      const definition = own === undefined ? undefined : definitionIn(own, meant)
      const reference = refer(symbol, meant, definition, needed)
      const binding = isOwn(name, own) ? { kind: 'own' as const, name } : bindOne(bind, reference, written)
      if (binding !== undefined) bindings.set(symbol, binding)
    }
    /** What the live patch's files define, and what kbuild would generate for a module: the wrapper's own. */
    const isOwn = (name: string, user: SourceObject | undefined) =>
      definers.has(name) || (user === undefined && name === '__this_module')

    const named = new Set(
      compiled.symbols.flatMap(({ section, type }) => (type === 'section' ? [] : [section])),
    )
    /** What kbuild's linker script would leave out, and what the skeleton says for all files, is left behind. */
    const keep = (section: Section) =>
      ((section.flags & sectionFlag.alloc) !== 0 || section.name.startsWith('.discard')) &&
      (section.size > 0 || named.has(section)) &&
      !/^\.(note\.gnu\.property|modinfo$)/.test(section.name) &&
      !isDirective(section.name)
    const read = redraft(compiled, keep, (symbol: ElfSymbol, asRead) => {
      if (symbol.place === 'undefined' && symbol.binding !== 'local' && symbol.name !== '') {
        added.set(symbol.name, asRead)
        resolve(asRead, true)
      }
      if (symbol.type !== 'function' || symbol.binding !== 'local' || symbol.section === undefined)
        return asRead
      return { ...asRead, name: namesakes.nameFor(file, symbol.name) }
    })
    const kept = own === undefined ? new Map<string, Atom>() : keptIn(own)
    const draft = [...kept].reduce((left, [name, definition]) => {
      const symbol = undefinedSymbol(name)
      added.set(name, symbol)
      const binding = bind.bind(refer(symbol, name, definition, true))
      if (binding !== undefined) bindings.set(symbol, binding)
      return replaceDatum(left, name, symbol)
    }, read)
    // objtool finds the key of a static call by its name among the symbols.
    for (const { name, place } of draft.symbols)
      if (place === 'undefined' && name.startsWith('__SCT__')) needSymbol(`__SCK__${name.slice(7)}`, false)
    // The wrapper's own init function is one.
    for (const section of draft.sections)
      if (own !== undefined || !isFreed(section.name)) section.name = lastingSection(section.name)
    const mended = loadBootConstants(draft, needSymbol, (name, section) =>
      findings.push({
        severity: 'error',
        rule: 'boot-constant',
        symbol: name,
        unit: own?.unit ?? file,
        message:
          `${section} of ${file} has ${name} as a number in its code, which the kernel puts there ` +
          'only when it starts',
        hint: 'Fix the bug in its callers instead',
      }),
    )
    // By the names of several files objtool takes the object for a whole kernel.
    const symbols = mended.symbols.filter(({ type }) => type !== 'file')
    return { sections: mended.sections, symbols: [...new Set([...symbols, ...added.values()])] }
  })

  function bindOne(
    usual: Binder,
    reference: Reference,
    written: LivepatchSymbol | undefined,
  ): Binding | undefined {
    if (written === undefined) return usual.bind(reference)
    const { object, name, position } = written
    const symbols = names.symbols(object, name)
    const { unit, from } = reference
    const refuse = (message: string): undefined => {
      findings.push({
        severity: 'error',
        rule: symbols.length === 0 ? 'no-symbol' : 'ambiguous-symbol',
        symbol: name,
        unit,
        message,
        ...(symbols.length === 0
          ? { hint: 'Look for the name in /proc/kallsyms of that kernel' }
          : { hint: `They are, by position: ${candidates(names, object, name)}` }),
      })
      return undefined
    }
    if (symbols.length === 0) return refuse(`${object} has no symbol ${name}, which LIVEPATCH_SYMBOL names`)
    if (position > symbols.length || (position === 0 && symbols.length > 1))
      return refuse(
        position === 0
          ? `${object} has ${symbols.length} symbols named ${name}, and LIVEPATCH_SYMBOL gives no position`
          : `${object} has ${symbols.length} symbols named ${name}, none of which has the position ${position}`,
      )
    // The code of the unit may tell more; where it can't, the author's word stands.
    if (reference.definition !== undefined && object === from) {
      const told = binder(names).bind(reference)
      if (told?.kind === 'livepatch' && told.sympos !== position && !(told.sympos === 0 && position === 1))
        return refuse(
          `LIVEPATCH_SYMBOL says position ${position} of ${name}, but the code of ${unit} shows that it ` +
            `is ${told.sympos}`,
        )
    }
    return { kind: 'livepatch', object, when: object === 'vmlinux' ? object : from, name, sympos: position }
  }

  const told = bind.findings.map((finding): Finding => {
    if (finding.rule !== 'ambiguous-symbol' || finding.symbol === undefined) return finding
    const user = units.find(({ unit }) => unit === finding.unit)
    const object = user?.object ?? 'vmlinux'
    const isKept = user !== undefined && keptIn(user).has(finding.symbol)
    const where = names.symbols(object, finding.symbol).length > 0 ? object : 'vmlinux'
    const which = candidates(names, where, finding.symbol)
    return {
      ...finding,
      hint:
        `${isKept ? 'Give the file a constant of another name in its place, or declare it there and say' : 'Say'} ` +
        `which one is meant with LIVEPATCH_SYMBOL. By position, they are ${which}`,
    }
  })
  return { draft: join(drafts), references, bindings, findings: [...findings, ...told] }
}
