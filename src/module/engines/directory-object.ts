// SPDX-License-Identifier: GPL-3.0-or-later
// Puts the compiled files of a live patch's source into one relocatable object, as `ld -r` would: what one file
// defines, the others may use; anything else is the running kernel's, by its name or as LIVEPATCH_SYMBOL says.

import { isDirective } from '../../diff/directives.ts'
import { isInitOrExit, lastingSection } from '../../diff/object/init-sections.ts'
import { type Atom, splitObject } from '../../diff/object/split-object.ts'
import { sectionFlag } from '../../elf/format.ts'
import type { ElfSymbol, ObjectFile, Section } from '../../elf/read.ts'
import { redraft } from '../../elf/redraft.ts'
import { type ObjectDraft, type SymbolDraft, undefinedSymbol } from '../../elf/write.ts'
import type { Reference } from '../../extract/extraction.ts'
import { Namesakes } from '../../extract/namesakes.ts'
import type { Finding } from '../../ground/finding.ts'
import { lazy } from '../../ground/values/remembered.ts'
import type { KernelNames } from '../../match/names.ts'
import { Binder, type Binding } from '../bind/bind.ts'
import { loadBootConstants } from '../bind/boot-constants.ts'
import type { BindingFinding } from '../bind/mismatch.ts'
import type { PatchObject } from '../link/assemble.ts'
import { join } from '../link/join.ts'
import { bindAsWritten, candidates, type LivepatchSymbol, parseLivepatchSymbol } from './livepatch-symbol.ts'
import type { CompiledDirectory, SourceObject } from './source-objects.ts'

export interface DirectoryObject extends PatchObject {
  readonly findings: readonly BindingFinding[]
}

/** Constants of a file that are the running kernel's, by name, as its unit has them. */
export type KeptConstants = (file: SourceObject) => ReadonlyMap<string, Atom>

/** A compiled file; the wrapper stands for no unit. */
export interface CompiledFile {
  readonly file: string
  readonly compiled: ObjectFile
  readonly source: SourceObject | undefined
}

/** The unit's own definition of a name, if it has exactly one. */
export function definitionIn({ before }: SourceObject, name: string): Atom | undefined {
  const found = before.object.symbols.filter((symbol) => symbol.name === name && symbol.section !== undefined)
  const [only] = found
  return found.length === 1 && only !== undefined ? before.atomOf(only) : undefined
}

/** @param skeleton what kbuild would generate for a module; it stands for the unit that the wrapper does not have */
export function linkDirectory(
  { units, wrapper }: CompiledDirectory,
  skeleton: ObjectFile,
  names: KernelNames,
  keptIn: KeptConstants,
): DirectoryObject {
  const files: CompiledFile[] = [
    ...units.map((source) => ({ file: source.file, compiled: source.compiled, source })),
    { file: wrapper.name, compiled: wrapper, source: undefined },
  ]
  return linkFiles(files, skeleton, names, { keptIn })
}

/** How what is undefined in files is understood. */
export interface Understanding {
  readonly keptIn?: KeptConstants
  /** Which symbol a name means, where it says it itself. */
  readonly written?: (name: string) => LivepatchSymbol | undefined
}

/** @param skeleton stands for the unit that files without one do not have */
export function linkFiles(
  files: readonly CompiledFile[],
  skeleton: ObjectFile,
  names: KernelNames,
  { keptIn = () => new Map(), written = parseLivepatchSymbol }: Understanding = {},
): DirectoryObject {
  return new DirectoryLinker(files, skeleton, names, keptIn, written).link()
}

class DirectoryLinker {
  private readonly binder: Binder
  private readonly references = new Map<SymbolDraft, Reference>()
  private readonly bindings = new Map<SymbolDraft, Binding>()
  private readonly findings: Finding[] = []
  /** The file that defines each global name. */
  private readonly definers = new Map<string, string>()
  private readonly namesakes = new Namesakes()
  private readonly outside = lazy(() => splitObject(this.skeleton))

  constructor(
    private readonly files: readonly CompiledFile[],
    private readonly skeleton: ObjectFile,
    private readonly names: KernelNames,
    private readonly keptIn: KeptConstants,
    private readonly written: (name: string) => LivepatchSymbol | undefined,
  ) {
    this.binder = new Binder(names)
  }

  link(): DirectoryObject {
    for (const file of this.files) this.noteDefinitions(file)
    const draft = join(this.files.map((file) => this.draftOf(file)))
    const { references, bindings } = this
    const own = this.findings.map((finding) => ({ finding }))
    const bound = this.binder.findings.map((one) => ({ ...one, finding: this.withHint(one.finding) }))
    return { draft, references, bindings, findings: [...own, ...bound] }
  }

  private noteDefinitions({ file, compiled }: CompiledFile): void {
    for (const { name, binding, place, type } of compiled.symbols) {
      if (binding === 'local' || place === 'undefined') continue
      const first = this.definers.get(name)
      if (first !== undefined)
        this.findings.push({
          severity: 'error',
          rule: 'duplicate-definition',
          symbol: name,
          unit: file,
          message: `${first} and ${file} both define ${name}`,
          hint: 'Make it static in both, or define it in one and declare it in the other',
        })
      this.definers.set(name, file)
      // What other files call by its name comes first, and keeps it.
      if (type === 'function') this.namesakes.nameFor(file, name)
    }
  }

  private draftOf(one: CompiledFile): ObjectDraft {
    const { file, compiled, source } = one
    this.refuseDirectives(one)
    /** The undefined symbols of the file, by name. */
    const added = new Map<string, SymbolDraft>()
    const add = (symbol: SymbolDraft, needed: boolean): SymbolDraft => {
      added.set(symbol.name, symbol)
      this.resolve(one, symbol, needed)
      return symbol
    }
    const need = (name: string, needed = true) => added.get(name) ?? add(undefinedSymbol(name), needed)
    const read = redraft(compiled, keptSections(compiled), (symbol: ElfSymbol, asRead) => {
      if (symbol.place === 'undefined' && symbol.binding !== 'local' && symbol.name !== '') add(asRead, true)
      if (symbol.type !== 'function' || symbol.binding !== 'local' || symbol.section === undefined) return asRead
      return { ...asRead, name: this.namesakes.nameFor(file, symbol.name) }
    })
    const draft = this.withoutKept(one, read, added)
    // objtool finds the key of a static call by its name among the symbols.
    for (const { name, place } of draft.symbols)
      if (place === 'undefined' && name.startsWith('__SCT__')) need(`__SCK__${name.slice(7)}`, false)
    // The wrapper's own init function is one.
    for (const section of draft.sections)
      if (source !== undefined || !isInitOrExit(section)) section.name = lastingSection(section.name)
    const { sections, symbols } = loadBootConstants(draft, need, (name, section) =>
      this.findings.push({
        severity: 'error',
        rule: 'boot-constant',
        symbol: name,
        unit: source?.unit ?? file,
        message:
          `${section} of ${file} has the runtime constant ${name} in its code, which the kernel writes there ` +
          'only when it boots',
        hint: 'Fix the bug in its callers instead',
      }),
    )
    // By the names of several files objtool takes the object for a whole kernel.
    const kept = symbols.filter(({ type }) => type !== 'file')
    return { sections, symbols: [...new Set([...kept, ...added.values()])] }
  }

  private refuseDirectives({ file, compiled }: CompiledFile): void {
    const notes = compiled.sections.find(({ name }) => isDirective(name))
    if (notes === undefined) return
    this.findings.push({
      severity: 'error',
      rule: 'note-in-source',
      symbol: notes.name,
      unit: file,
      message:
        `${file} uses a macro of kernel/include that is for patches (${notes.name}), which the source of a ` +
        'live patch does not need',
      hint: 'Put callbacks and states into the tables of livepatch.c, and leave out what is to be left out',
    })
  }

  /** The draft without the constants that are the running kernel's. */
  private withoutKept(one: CompiledFile, read: ObjectDraft, added: Map<string, SymbolDraft>): ObjectDraft {
    if (one.source === undefined) return read
    return [...this.keptIn(one.source)].reduce((left, [name, definition]) => {
      const symbol = undefinedSymbol(name)
      added.set(name, symbol)
      const binding = this.binder.bind(this.refer(one, symbol, name, definition, true))
      if (binding !== undefined) this.bindings.set(symbol, binding)
      return replaceDatum(left, name, symbol)
    }, read)
  }

  private resolve(one: CompiledFile, symbol: SymbolDraft, needed: boolean): void {
    const { name } = symbol
    const { source } = one
    const written = this.written(name)
    const meant = written?.name ?? name
    const definition = source === undefined ? undefined : definitionIn(source, meant)
    const reference = this.refer(one, symbol, meant, definition, needed)
    // What the live patch's files define, and what kbuild would generate for a module: the wrapper's own.
    if (this.definers.has(name) || (source === undefined && name === '__this_module')) {
      this.bindings.set(symbol, { kind: 'own', name })
      return
    }
    const bound = written === undefined ? this.binder.bind(reference) : bindAsWritten(this.names, reference, written)
    if (bound === undefined) return
    if ('severity' in bound) this.findings.push(bound)
    else this.bindings.set(symbol, bound)
  }

  private refer(
    { file, source }: CompiledFile,
    symbol: SymbolDraft,
    name: string,
    definition: Atom | undefined,
    needed: boolean,
  ): Reference {
    const unit = source?.unit ?? file
    const from = source?.object ?? 'vmlinux'
    const change = { unit, before: source?.before ?? this.outside() }
    const reference: Reference = { name, from, unit, definition, change, needed }
    this.references.set(symbol, reference)
    return reference
  }

  /** An ambiguous name can be told by LIVEPATCH_SYMBOL. */
  private withHint(finding: Finding): Finding {
    const { rule, symbol, unit } = finding
    if (rule !== 'ambiguous-symbol' || symbol === undefined) return finding
    const user = this.files.find(({ source }) => source?.unit === unit)?.source
    const object = user?.object ?? 'vmlinux'
    const isKept = user !== undefined && this.keptIn(user).has(symbol)
    const where = this.names.symbols(object, symbol).length > 0 ? object : 'vmlinux'
    return {
      ...finding,
      hint:
        `${isKept ? 'Give the file a constant of another name in its place, or declare it there and say' : 'Say'} ` +
        `which one is meant with LIVEPATCH_SYMBOL. By position, they are ${candidates(this.names, where, symbol)}`,
    }
  }
}

/** What kbuild's linker script would leave out, and what the skeleton says for all files, is left behind. */
function keptSections(compiled: ObjectFile): (section: Section) => boolean {
  const named = new Set(compiled.symbols.flatMap(({ section, type }) => (type === 'section' ? [] : [section])))
  return (section) =>
    ((section.flags & sectionFlag.alloc) !== 0 || section.name.startsWith('.discard')) &&
    (section.size > 0 || named.has(section)) &&
    !/^\.(note\.gnu\.property|modinfo$)/.test(section.name) &&
    !isDirective(section.name)
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
