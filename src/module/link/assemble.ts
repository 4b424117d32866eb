// SPDX-License-Identifier: GPL-3.0-or-later
// Puts a live patch module together: the carried code, the skeleton that every patch has, and the kernel's
// livepatch structures become one object; objtool runs over the whole; then the references to the
// running kernel become livepatch symbols and relocations.
import { type ObjectDraft, type SymbolDraft, writeObject } from '../../elf/write.ts'
import type { Reference } from '../../extract/extraction.ts'
import type { Job } from '../../ground/job.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Binding } from '../bind/bind.ts'
import { patchSymbol } from '../structures/tables.ts'
import type { ModuleTemplate, Template } from '../structures/template.ts'
import { type Assembled, finish } from './finish.ts'
import { join, link, substitute } from './join.ts'
import { imageSymbol, referencesSymbol } from './kernel-references.ts'
import { isCarriedByCore, type ModuleOptions, moduleSkeleton } from './module-skeleton.ts'
import { runObjtool } from './objtool.ts'
import { callbackSlots, callbacksSymbol, reloadFindings, reloadOf, writingBindings } from './reload.ts'
import type { Target } from './target.ts'

/** The code and data that a live patch brings along, as one relocatable object. */
export interface PatchObject {
  /** Sections and symbols; symbols of `references` are undefined in it. */
  readonly draft: ObjectDraft
  readonly references: ReadonlyMap<SymbolDraft, Reference>
  /** How each of the references is resolved; one without a binding is dropped. */
  readonly bindings: ReadonlyMap<SymbolDraft, Binding>
}

/**
 * @param tables the kernel's livepatch structures, for an object that does not have them yet; gets what each of
 *   its symbols has become
 * @throws Fault when objtool fails
 */
export async function assemble(
  job: Job,
  kernel: Kernel,
  template: Template,
  object: PatchObject,
  target: Target,
  options: ModuleOptions,
  tables?: (renamed: ReadonlyMap<SymbolDraft, SymbolDraft>) => ObjectDraft,
): Promise<Assembled> {
  // The core clears by itself what it resolved for a module that goes.
  const carried = isCarriedByCore(template, object.bindings.values())
  const reload = carried ? 'kernel' : reloadOf(target.names, object.bindings.values(), template.layout)
  const clears = reload === 'own'
  const used = clears ? await template.clearing() : template
  const named = clears ? writingBindings(target.names) : new Map<string, Binding>()
  const slots = clears ? [callbackSlots(options.objects.length)] : []
  const made = await put(job, kernel, used, object, target, options, named, (renamed) => [
    ...(tables === undefined ? [] : [tables(renamed)]),
    ...slots,
  ])
  return { ...made, findings: [...made.findings, ...reloadFindings(reload, options.objects)] }
}

/**
 * Puts a module together that is no live patch.
 * @param further what it has besides
 * @throws Fault when objtool fails
 */
export async function assembleModule(
  job: Job,
  kernel: Kernel,
  template: ModuleTemplate,
  object: PatchObject,
  target: Target,
  options: ModuleOptions,
  further: ObjectDraft,
): Promise<Assembled> {
  return await put(job, kernel, template, object, target, options, new Map(), () => [further])
}

/**
 * @param named what the skeleton takes from the kernel that is not exported; gets what the object does
 * @param further what the module has besides; gets what each of the object's symbols has become
 */
async function put(
  job: Job,
  kernel: Kernel,
  used: ModuleTemplate,
  object: PatchObject,
  target: Target,
  options: ModuleOptions,
  named: Map<string, Binding>,
  further: (renamed: ReadonlyMap<SymbolDraft, SymbolDraft>) => ObjectDraft[],
): Promise<Assembled> {
  const taken = {
    defined: new Set([patchSymbol, imageSymbol, referencesSymbol, callbacksSymbol]),
    imported: new Set(used.object.symbols.flatMap(({ name, place }) => (place === 'undefined' ? name : []))),
  }
  for (const { name, binding, place } of [...used.object.symbols, ...object.draft.symbols])
    if (binding !== 'local' && place !== 'undefined') taken.defined.add(name)
  const { draft, renamed } = nameReferences(object, named, taken)
  const skeleton = moduleSkeleton(used, options, named)
  const raw = link(join([draft, skeleton, ...further(renamed)]))
  const { bytes, warnings } = await runObjtool(job, kernel, used, writeObject(raw))
  return finish(bytes, named, target, used.layout, warnings)
}

/** Names that mean something else than what the patched code may call so. */
interface TakenNames {
  /** What the skeleton and the live patch define, such as `__this_module`: a module's code means its own. */
  readonly defined: ReadonlySet<string>
  /** What the skeleton takes from the kernel's exports: a private symbol of such a name is another one. */
  readonly imported: ReadonlySet<string>
}

/** Gives every reference a name of its own, by which it is known again after objtool. */
export function nameReferences(
  { draft, references, bindings }: PatchObject,
  named: Map<string, Binding>,
  { defined, imported }: TakenNames,
) {
  const renamed = new Map<SymbolDraft, SymbolDraft>()
  const byBinding = new Map<string, SymbolDraft>()
  for (const symbol of draft.symbols) {
    if (!references.has(symbol)) {
      renamed.set(symbol, symbol)
      continue
    }
    const binding = bindings.get(symbol)
    if (binding === undefined) continue
    if (binding.kind === 'own') {
      // Joining finds the definition by its name.
      renamed.set(symbol, symbol)
      continue
    }
    const key = JSON.stringify(binding)
    let one = byBinding.get(key)
    if (one === undefined) {
      let name = nameForObjtool(binding)
      const isTaken = () => named.has(name) || defined.has(name) || (binding.kind !== 'exported' && imported.has(name))
      for (let next = 2; isTaken(); next++) name = `${binding.name}..${next}`
      one = { ...symbol, name }
      byBinding.set(key, one)
      named.set(name, binding)
    }
    renamed.set(symbol, one)
  }
  const { sections } = draft
  substitute(sections, renamed)
  return { draft: { sections, symbols: [...new Set(renamed.values())] }, renamed }
}

/**
 * objtool makes a static call site of every call of a trampoline `__SCT__…`, which the kernel looks at
 * when the patch is loaded. A module's trampoline may not be there yet: it is called as a function.
 */
function nameForObjtool(binding: Binding): string {
  const mayComeLater = binding.kind === 'livepatch' && binding.when !== 'vmlinux'
  return mayComeLater && /^__SC[TK]__/.test(binding.name) ? `late..${binding.name}` : binding.name
}
