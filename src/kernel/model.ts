// SPDX-License-Identifier: GPL-3.0-or-later
// The consistency models by which tasks go over to a live patch's code: the kernel's own livepatch has one, the core
// (kernel/core/) three. Which of them a module has is told by the call with which it begins: klp_enable_patch(), or
// inarch_enable_patch() with the model as a constant (kernel/include/inarch-core.h).
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ElfSymbol, ObjectFile, Section } from '../elf/read.ts'
import { shippedFile } from '../ground/installation.ts'
import { lazy } from '../ground/values/remembered.ts'
import { constantArgument } from '../x86/constant-argument.ts'

/** `kernel`: the kernel's own livepatch. The others are enum inarch_model's, in its order, from 1 on. */
export const models = ['kernel', 'kgraft', 'kpatch', 'hybrid'] as const
export type Model = (typeof models)[number]

/** The module that has the others, as the kernel knows it. */
export const coreModule = 'inarch_core'

/** What the core exports. */
export const coreExports: readonly string[] = ['inarch_enable_patch', 'inarch_get_prev_state']

const enable = { core: 'inarch_enable_patch', kernel: 'klp_enable_patch' }

/**
 * The version of every symbol that the core exports. It is the header's: a live patch that was made with another one
 * is refused by the kernel's loader (CONFIG_MODVERSIONS).
 */
export const coreVersion = lazy(() =>
  createHash('sha256')
    .update(readFileSync(shippedFile('kernel/include/inarch-core.h')))
    .digest()
    .readUInt32LE(0),
)

/**
 * Whether a function without an entry for ftrace can be replaced: the models that make sure that no task is in it write
 * a jump over its first bytes.
 */
export function replacesWithoutHook(model: Model): boolean {
  return model === 'kpatch' || model === 'hybrid'
}

/** The name by which C knows a model of the core. */
export function modelInC(model: Exclude<Model, 'kernel'>): string {
  return `INARCH_${model.toUpperCase()}`
}

/** The model of a module or of a file that becomes part of one, or in a clause why there is none that can be told. */
export type ToldModel = { readonly model: Model } | { readonly doubt: string }

/** @param object with its relocations; one that calls neither is for the kernel's own livepatch */
export function modelIn(object: ObjectFile): ToldModel {
  const found = new Set<Model>()
  for (const section of object.sections)
    for (const { symbol, offset } of object.relocations(section)) {
      if (symbol.place !== 'undefined') continue
      if (symbol.name === enable.kernel) found.add('kernel')
      if (symbol.name !== enable.core) continue
      const model = modelAt(object, section, offset)
      if (model === undefined)
        return { doubt: `the model that it hands to ${enable.core} is no constant of enum inarch_model` }
      found.add(model)
    }
  const [model = 'kernel', other] = found
  return other === undefined ? { model } : { doubt: `it begins with two models, ${model} and ${other}` }
}

/** Whether a module needs the core. */
export function needsCore(object: { readonly symbols: Iterable<Pick<ElfSymbol, 'name' | 'place'>> }): boolean {
  for (const { name, place } of object.symbols) if (place === 'undefined' && coreExports.includes(name)) return true
  return false
}

/** The model that a call gets as its second argument. @param field where the call's distance is */
function modelAt({ symbols }: ObjectFile, section: Section, field: number): Model | undefined {
  const home = symbols.find(
    (one) => one.section === section && one.type === 'function' && one.value <= field && field < one.value + one.size,
  )
  if (home === undefined) return undefined
  const number = constantArgument(section.data, home.value, home.value + home.size, field, 1)
  return number === undefined || number === 0 ? undefined : models[number]
}
