// SPDX-License-Identifier: GPL-3.0-or-later
// What the author of a patch says with the macros of kernel/include: callbacks, states, and which functions
// and sections to leave out or to take along. The macros leave notes in sections of their own; kpatch's
// headers leave theirs in `.kpatch.*`, as pointers, and newer kernels' own macros for callbacks
// (include/linux/livepatch_helpers.h) in one section with telling names. All are understood.
import { sectionFlag } from '../elf/format.ts'
import type { Section } from '../elf/read.ts'
import type { Finding } from '../ground/finding.ts'
import { sourceName, stem } from './object/compiler-names.ts'
import type { Atom, SplitObject } from './object/split-object.ts'

/** As the members of struct klp_callbacks, in its order. */
export const callbackKinds = ['pre_patch', 'post_patch', 'pre_unpatch', 'post_unpatch'] as const
export type CallbackKind = (typeof callbackKinds)[number]

/** A function that the kernel calls when the live patch comes or goes. */
export interface Callback {
  readonly kind: CallbackKind
  /** The function, in the object after the patch. */
  readonly atom: Atom
}

/** Something of the system that the live patch changes for good (struct klp_state). */
export interface State {
  readonly name: string
  readonly id: number
  readonly version: number
}

export interface Directives {
  readonly callbacks: readonly Callback[]
  readonly states: readonly State[]
  /** Names; a function's is meant with all clones that the compiler made of it. */
  readonly ignored: DirectiveTargets
  readonly included: DirectiveTargets
  /** Functions for which kpatch's core would have skipped its safety check. */
  readonly unsafe: ReadonlySet<string>
  readonly findings: readonly Finding[]
}

export interface DirectiveTargets {
  readonly functions: ReadonlySet<string>
  readonly sections: ReadonlySet<string>
}

/** True for a section that only holds notes for Inarch. */
export function isDirective(name: string): boolean {
  return /^\.(inarch|kpatch)\./.test(name) || name === kernelsOwn
}

/** Where KLP_PRE_PATCH_CALLBACK() and its like put a pointer called `__klp_pre_patch_callback_OBJECT`. */
const kernelsOwn = '.discard.klp_callback_ptrs'

/** True when the function was named, itself or as what the compiler made of it. */
export function namesFunction({ functions, sections }: DirectiveTargets, { name, section }: Atom): boolean {
  return functions.has(name) || functions.has(sourceName(stem(name))) || sections.has(section.name)
}

/** Bytes of struct inarch_state: an unsigned long, an unsigned int, padding. */
const stateSize = 16

/**
 * @param after the object with the patch
 * @param unit what to call the unit in findings
 */
export function readDirectives(after: SplitObject, unit: string): Directives {
  const findings: Finding[] = []
  const callbacks: Callback[] = []
  const states: State[] = []
  const lists = new Map<string, Set<string>>()
  const bad = (symbol: string, message: string, hint: string) =>
    findings.push({ severity: 'error', rule: 'bad-directive', symbol, unit, message, hint })

  for (const section of after.object.sections) {
    if (!isDirective(section.name)) continue
    const what = section.name.replace(/^\.\w+\./, '')
    const kinds =
      section.name === kernelsOwn
        ? callbackKinds
        : callbackKinds.filter((candidate) => what === `callbacks.${candidate}`)
    for (const kind of kinds)
      for (const atom of functionsIn(after, section, section.name === kernelsOwn ? kind : undefined))
        if (atom === undefined)
          bad(
            section.name,
            `A callback (${kind}) of ${unit} is not a function that the file defines`,
            'Define the callback in the file that declares it',
          )
        else callbacks.push({ kind, atom })
    if (kinds.length > 0) continue
    if (what === 'states') states.push(...statesIn(after, section, bad))
    else {
      const key = what === 'force' ? 'unsafe' : what
      const known = lists.get(key) ?? new Set()
      for (const name of namesIn(after, section)) known.add(name)
      lists.set(key, known)
    }
  }
  const list = (name: string): ReadonlySet<string> => lists.get(name) ?? new Set()
  return {
    callbacks,
    states,
    ignored: { functions: list('ignore.functions'), sections: list('ignore.sections') },
    included: { functions: list('include.functions'), sections: list('include.sections') },
    unsafe: list('unsafe'),
    findings,
  }
}

/**
 * The functions that the pointers of a section lead to; other pointers (kpatch adds the object's name) are left out.
 * @param kind only pointers that are named after this kind
 */
function functionsIn(after: SplitObject, section: Section, kind?: CallbackKind): (Atom | undefined)[] {
  const named = after.object.symbols.filter(
    (symbol) => symbol.section === section && symbol.name.startsWith(`__klp_${kind}_callback_`),
  )
  return after.object.relocations(section).flatMap((relocation) => {
    if (kind !== undefined && !named.some(({ value }) => value === relocation.offset)) return []
    const target = after.target(section, relocation)
    if (target.kind === 'string') return []
    if (target.kind !== 'atom') return [undefined]
    const { atom, offset } = target
    if (atom.kind !== 'function') return []
    return [offset === (atom.symbol?.value ?? atom.start) - atom.start ? atom : undefined]
  })
}

function statesIn(
  after: SplitObject,
  section: Section,
  bad: (symbol: string, message: string, hint: string) => void,
): State[] {
  const states: State[] = []
  for (const symbol of after.object.symbols) {
    if (symbol.section !== section || symbol.type === 'section') continue
    if (symbol.value + stateSize > section.data.length) continue
    const name = symbol.name.replace(/^inarch_state_/, '')
    const id = section.data.readBigUInt64LE(symbol.value)
    if (id === 0n || id > BigInt(Number.MAX_SAFE_INTEGER)) {
      bad(name, `The id of the state ${name} is ${id}, which can't be one`, 'Take a number from 1 to 9007199254740991')
      continue
    }
    states.push({ name, id: Number(id), version: section.data.readUInt32LE(symbol.value + 8) })
  }
  return states
}

/** The names that a section lists: as strings, or (kpatch's) as pointers to strings or to functions. */
function namesIn(after: SplitObject, section: Section): string[] {
  const relocations = after.object.relocations(section)
  if (relocations.length === 0 || (section.flags & sectionFlag.alloc) === 0)
    return section.data
      .toString('latin1')
      .split('\0')
      .filter((name) => name !== '')
  return relocations.flatMap((relocation) => {
    const target = after.target(section, relocation)
    if (target.kind === 'string') return [target.text.toString('latin1').replace(/\0.*$/s, '')]
    return target.kind === 'atom' && target.atom.kind === 'function' ? [target.atom.name] : []
  })
}
