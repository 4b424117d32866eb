// SPDX-License-Identifier: GPL-3.0-or-later
// What is said of a function beside its code: attributes, and of those the object file shows the section, the alignment
// and whether it is weak. Two functions of the same instructions may differ in that, and do not do the same then: one
// may be traced, be inlined, or have its place among code that must not be, and the other not.
import { readFile } from 'node:fs/promises'
import type { ElfSymbol, ObjectFile } from '../../elf/read.ts'

/** The attributes of each function with a body, by its name, as gcc puts them together from all declarations. */
export type AttributeTable = ReadonlyMap<string, ReadonlySet<string>>

/** Makes gcc tell the attributes of all functions with a body, in a file, before it optimizes anything. */
export function attributeFlag(file: string): string {
  return `-fdump-tree-gimple=${file}`
}

export async function readAttributes(file: string): Promise<AttributeTable> {
  return attributesIn(await readFile(file, 'latin1'))
}

/** @param dump what `attributeFlag` made gcc write: before each body its head, and before that the attributes */
export function attributesIn(dump: string): AttributeTable {
  const found = new Map<string, ReadonlySet<string>>()
  for (const [, attributes, head] of dump.matchAll(/^(?:__attribute__\(\((.*)\)\)\n)?(\S.*)\)\n\{/gm)) {
    const name = /(\w+) \($/.exec(head!.slice(0, parametersOf(head!)))?.[1]
    if (name !== undefined) found.set(name, new Set(listed(attributes ?? '')))
  }
  return found
}

/** Where the parameters begin in a head whose last parenthesis is left out. */
function parametersOf(head: string): number {
  let depth = 1
  let at = head.length
  while (at > 0 && depth > 0) {
    const one = head[--at]
    depth += one === ')' ? 1 : one === '(' ? -1 : 0
  }
  return at + 1
}

/** `a, b (1, 2)` at the commas outside of parentheses and strings. */
function listed(attributes: string): string[] {
  return [...attributes.matchAll(/(?:\((?:"(?:[^"\\]|\\.)*"|[^()"]|\([^()]*\))*\)|"(?:[^"\\]|\\.)*"|[^,])+/g)].map(
    ([one]) => one.trim().replace(/^__(\w+)__(?!\w)/, '$1'),
  )
}

/**
 * Says nothing about what a function does, or only of its symbol (which shows whether it is weak); and what goes with
 * `inline`.
 */
const indifferent = /^(?:unused|used|weak|gnu_inline|always_inline|visibility|externally_visible|access)\b/

/**
 * What an extract may have besides: what the kernel's `inline` says, and what keeps a function by itself as in the
 * unit.
 */
const added = /^(?:noinline|no_instrument_function)$/

/**
 * @param nameOf what a function of the extract is called in the unit
 * @returns what differs, in a sentence without a full stop
 */
export function attributeDifference(
  unit: AttributeTable,
  extract: AttributeTable,
  nameOf: (name: string) => string,
): string | undefined {
  for (const [as, here] of extract) {
    const name = nameOf(as)
    const there = unit.get(name)
    // A function that the unit does not have is told elsewhere, or new.
    if (there === undefined) continue
    for (const one of there)
      if (!here.has(one) && !indifferent.test(one)) return `${name} lacks the attribute ${one} of the unit`
    for (const one of here)
      if (!there.has(one) && !indifferent.test(one) && !added.test(one))
        return `${name} has the attribute ${one}, which the unit does not give it`
  }
  return undefined
}

/** How the object file shows a function apart from its code. */
export interface Placement {
  /** Without the function's name, which -ffunction-sections puts behind it. */
  readonly section: string
  /** Bytes; 0 where others share the section, so that it is not known. */
  readonly align: number
  readonly binding: ElfSymbol['binding']
}

/** Each function's, by its symbol. */
export function placementsIn(object: ObjectFile): ReadonlyMap<string, Placement> {
  const found = new Map<string, Placement>()
  for (const { name, type, section, binding } of object.symbols) {
    if (type !== 'function' || section === undefined) continue
    const isOwn = section.name.endsWith(`.${name}`)
    found.set(name, {
      section: isOwn ? section.name.slice(0, -name.length - 1) : section.name,
      align: isOwn ? section.align : 0,
      binding,
    })
  }
  return found
}

/**
 * Where gcc and clang put functions by how often they may run: an attribute says that, or the compiler concludes it.
 */
const byHeat = /^\.text(?:\.(?:unlikely|hot|startup|exit))?$/

/** What of a function's placement is other than in the unit, in a sentence without a full stop. */
export interface PlacementDifference {
  /** `other-section`: the compiler may have chosen it. */
  readonly code: 'other-section' | 'other-attributes'
  readonly explanation: string
}

export function placementDifference(
  name: string,
  unit: Placement,
  extract: Placement,
): PlacementDifference | undefined {
  const isWeak = extract.binding === 'weak'
  // A copy that only the extract uses is private.
  if (extract.binding !== 'local' && isWeak !== (unit.binding === 'weak'))
    return {
      code: 'other-attributes',
      explanation: `${name} is ${isWeak ? '' : 'not '}weak, other than in the unit`,
    }
  if (unit.section !== extract.section)
    return {
      code: byHeat.test(unit.section) && byHeat.test(extract.section) ? 'other-section' : 'other-attributes',
      explanation: `${name} is in ${extract.section}, in the unit in ${unit.section}`,
    }
  if (unit.align !== extract.align && unit.align !== 0 && extract.align !== 0)
    return {
      code: 'other-attributes',
      explanation: `${name} is aligned to ${extract.align} bytes, in the unit to ${unit.align}`,
    }
  return undefined
}
