// SPDX-License-Identifier: GPL-3.0-or-later
// What is asked of the extraction for one changed unit: which functions, and what of the rest is the running kernel's.
import { macroHeaders } from '../../build/compiler/author-macros.ts'
import { stem } from '../../diff/object/compiler-names.ts'
import type { Atom, SplitObject } from '../../diff/object/split-object.ts'
import type { KernelNames } from '../../match/names.ts'
import { keptVariables } from '../../source/change/kept-variables.ts'
import { runningNames } from '../../source/change/running-names.ts'
import type { SourceChange } from '../../source/change/source-change.ts'
import type { SourceRequest } from '../../source/view/request.ts'
import { Binder } from '../bind/bind.ts'
import type { StudiedFix } from './draft.ts'

/** The name of a unit's function in the live patch. */
export type Rename = (unit: string, name: string) => string

/** `function.variable` without its function. */
function bare(name: string): string {
  return name.replace(/^.*\./, '')
}

/**
 * @param besides what comes along though it replaces nothing: functions that the kernel calls when the live patch comes
 * or goes, and
 *   new ones that other units of the fix call
 * @param cwd the patched tree
 */
export function requestFor(
  { kernel, names, units }: StudiedFix,
  change: SourceChange,
  besides: { readonly callbacks: readonly string[]; readonly lent: readonly string[] },
  cwd: string,
  rename: Rename,
): SourceRequest {
  const { compared, object, functions, changed, added, data } = change
  const { unit } = units.find((one) => one.change === compared)!
  const own = new Set([...functions.map(({ name }) => name), ...besides.callbacks])
  const roots = new Set([...own, ...besides.lent])
  const { sections } = compared.directives.ignored
  const ignored = new Set(
    compared.after.data.filter(({ section }) => sections.has(section.name)).map(({ name }) => stem(name)),
  )
  const copied = new Set([...compared.copied].map(({ name }) => stem(name)))
  // What the fix makes anew is carried, and of what it changes the running kernel has only the old one.
  const carried = new Set([
    ...added,
    ...changed.filter((name) => !roots.has(name)),
    ...data.map(({ name }) => name).filter((name) => !ignored.has(bare(name))),
  ])
  const originOf = keptVariables(compared, (name) => change.inlining.containers(name))
  // A new function's variables are new, too, unless the kernel has one of the name: the function may have been renamed.
  const known = new Set(compared.before.data.map(({ name }) => stem(name)))
  const isNew = (name: string) =>
    name.includes('.') &&
    added.includes(name.slice(0, name.indexOf('.'))) &&
    (originOf(name) === 'new' || !known.has(bare(name)))
  // What only its declaration makes look new is the one that runs.
  const isKept = (name: string) => (originOf(name) ?? 'new') !== 'new'
  const isCarried = (name: string) => copied.has(bare(name)) || (!isKept(name) && (carried.has(name) || isNew(name)))
  const running = runningNames({
    object,
    code: compared.before.object,
    count: (symbol) => names.symbols(object, symbol).length,
    positionOf: (before, atom) => positionOf(names, object, change.unit, before, atom),
    kept: (name) => {
      const origin = originOf(name)
      return typeof origin === 'object' ? origin.symbol : undefined
    },
    extracted: { names: [...roots], inlining: change.inlining },
  })
  return {
    unit: {
      file: unit.argument,
      cwd,
      compiler: kernel.compiler.program,
      flags: [...(unit.flags ?? []).filter((flag) => !/^-g/.test(flag)), ...macroHeaders().flags],
    },
    functions: [...roots],
    externalize: (name, kind, isInline, label) =>
      isCarried(name) || originOf(name) === 'open' ? undefined : running.externalize(name, kind, isInline, label),
    ...(running.inlining === undefined ? {} : { inlining: running.inlining }),
    rename: (name) => (own.has(name) ? rename(change.unit, name) : name),
    includes: 'keep',
    carry: isCarried,
  }
}

/** Which of several symbols of its name an atom of a unit is; undefined when its code does not tell. */
function positionOf(
  names: KernelNames,
  object: string,
  unit: string,
  before: SplitObject,
  atom: Atom,
): number | undefined {
  const binding = new Binder(names).bind({
    name: atom.name,
    from: object,
    unit,
    definition: atom,
    change: { unit, before },
    needed: true,
  })
  return binding?.kind === 'livepatch' && binding.sympos > 0 ? binding.sympos : undefined
}
