// SPDX-License-Identifier: GPL-3.0-or-later
// What the manifest says of a live patch that is made of a directory's C files.
import { createHash } from 'node:crypto'
import path from 'node:path'
import { isNumbered } from '../../diff/object/compiler-names.ts'
import { type Atom, isCode } from '../../diff/object/split-object.ts'
import type { Finding } from '../../ground/finding.ts'
import { inputKinds, readInput } from '../../ground/input.ts'
import { headersDirectory, type SourceDirectory, wrapperFile } from '../../source/directory/layout.ts'
import type { Manifest } from '../manifest/manifest.ts'
import type { Wrapper } from '../structures/wrapper.ts'
import type { SourceObject } from './source-objects.ts'
import type { TabledFunction } from './wrapper-checks.ts'

/** What is known of a directory that was just made, and that its files can't tell. */
export interface Provenance {
  /** Why a function is replaced, by `unit name`. */
  readonly reasons: ReadonlyMap<string, readonly string[]>
  /**
   * What each unit may have of its own although it can be written, by name: new data, and copies that the fix asks for.
   */
  readonly own: ReadonlyMap<string, ReadonlySet<string>>
  /** What a state is called, by its id. */
  readonly states: ReadonlyMap<number, { readonly name: string; readonly unit: string }>
  readonly findings: readonly Finding[]
}

/** What the module was made of, by content. */
export async function inputsOf({ dir, units, headers }: SourceDirectory): Promise<Manifest['inputs']> {
  const files = [
    wrapperFile,
    ...units.map(({ file }) => file),
    ...headers.map((one) => path.join(headersDirectory, one)),
  ]
  return await Promise.all(
    files.map(async (file) => ({
      file,
      sha256: createHash('sha256')
        .update(await readInput(path.join(dir, file), inputKinds.source))
        .digest('hex'),
    })),
  )
}

export function objectsOf(
  { objects }: Wrapper,
  functions: readonly TabledFunction[],
  provenance: Provenance | undefined,
): Manifest['objects'] {
  return objects.map(({ name, callbacks }) => ({
    name,
    functions: functions
      .filter(({ object }) => object === name)
      .map(({ oldName, position, file, match }) => ({
        name: oldName,
        sympos: position,
        unit: file.unit,
        reasons: [...(provenance?.reasons.get(`${file.unit} ${oldName}`) ?? [`${file.file} replaces it`])],
        ...(match === undefined ? {} : { match }),
      })),
    callbacks: callbacks.map((callback) => ({ ...callback, unit: wrapperFile })),
  }))
}

export function statesOf({ states }: Wrapper, provenance: Provenance | undefined): Manifest['states'] {
  return states.map(({ id, version }) => {
    const known = provenance?.states.get(id)
    return { name: known?.name ?? `state ${id}`, id, version, unit: known?.unit ?? wrapperFile }
  })
}

/** What a file defines besides the functions of the tables, and what is the kernel's. */
export function carriedBy(
  { compiled, unit, file }: SourceObject,
  { objects }: Wrapper,
  kept: ReadonlyMap<string, Atom>,
): Manifest['carried'] {
  const tabled = new Set(
    objects.flatMap(({ functions, callbacks }) => [
      ...functions.map(({ replacement }) => replacement),
      ...callbacks.map(({ name }) => name),
    ]),
  )
  return compiled.symbols.flatMap(({ name, section, type }) => {
    if (section === undefined || tabled.has(name) || kept.has(name) || isNumbered(name) || name.startsWith('.'))
      return []
    if (type !== 'function' && type !== 'object') return []
    if (/\.(cold|part|isra|constprop)\b/.test(name)) return []
    const kind = isCode(section) ? ('function' as const) : ('data' as const)
    return [{ name, kind, unit, reason: `${file} defines it` }]
  })
}
