// SPDX-License-Identifier: GPL-3.0-or-later
// What a live patch refers to in the kernel, as its own file says it: symbols by name and position (the kernel's
// Documentation/livepatch/module-elf-format.rst, section 4), and places of vmlinux by their distance from an exported
// symbol; and whether they are there.
import { type ObjectFile, readObject } from '../elf/read.ts'
import type { Finding } from '../ground/finding.ts'
import type { Identity } from '../match/identity.ts'
import { anchor } from '../module/bind/distance.ts'
import { distancesIn, imageIn } from '../module/link/kernel-references.ts'
import type { RunningSymbols } from './symbols.ts'

export interface NamedReference {
  readonly object: string
  readonly name: string
  /** 0: the name must be unique. */
  readonly sympos: number
}

export interface DistantReference {
  readonly object: 'vmlinux'
  /** Bytes from the anchor. */
  readonly distance: number
  /** What the place may be called. */
  readonly names: readonly string[]
}

/** One of a live patch's references into the kernel. */
export type LiveReference = NamedReference | DistantReference

export interface Requirements {
  /** The only image in which it works; undefined for a module that does not say. */
  readonly image: Identity | undefined
  readonly references: readonly LiveReference[]
}

/** Reads from a module's file what it needs of the kernel. */
export function requirementsOf(bytes: Buffer, file: string): Requirements {
  const module = readObject(bytes, file)
  return { image: imageIn(module), references: [...namedIn(module), ...distantIn(module)] }
}

/** What is told of a module that does not say for which image it was made: it was built before modules did. */
export function imageFindings(image: Identity | undefined): Finding[] {
  if (image !== undefined) return []
  return [
    {
      severity: 'warning',
      rule: 'takes-any-image',
      message:
        'The module does not look at the kernel that it is loaded into, so another build of the same ' +
        'release would take it',
      hint: 'An older Inarch built it: build it again with `inarch build`',
    },
  ]
}

function namedIn({ symbols }: ObjectFile): NamedReference[] {
  return symbols.flatMap((symbol) => {
    const [, object, name, sympos] = /^\.klp\.sym\.([^.]+)\.(.+),(\d+)$/.exec(symbol.name) ?? []
    return object === undefined || name === undefined ? [] : [{ object, name, sympos: Number(sympos) }]
  })
}

function distantIn(module: ObjectFile): DistantReference[] {
  return distancesIn(module).map(({ bytes, names }) => ({ object: 'vmlinux', distance: bytes, names }))
}

/** The name by which a person knows what a reference means. */
export function nameOf(reference: LiveReference): string {
  return 'name' in reference ? reference.name : (reference.names[0] ?? '')
}

/** How a reference finds what it means, for a person. */
export function wordsOf(reference: LiveReference): string {
  const name = `${nameOf(reference)} of ${reference.object}`
  if (!('name' in reference))
    return `${name}, ${anchor} ${reference.distance < 0 ? '-' : '+'} ${Math.abs(reference.distance)}`
  return reference.sympos === 0 ? `${name}, by its name` : `${name}, by its name, number ${reference.sympos}`
}

/** Why the kernel, or the module itself, would not take the reference; undefined when all is well. */
export function problemOf(reference: LiveReference, symbols: RunningSymbols): string | undefined {
  if (!('name' in reference)) return distantProblem(reference, symbols)
  const { object, name, sympos } = reference
  const found = symbols.lookup(object, name).length
  if (found === 0) return `${object} has no symbol ${name}`
  if (sympos === 0 && found > 1) return `${object} has ${found} symbols ${name}, where it should have one`
  return sympos > found ? `${object} has ${found} symbols ${name}, and no number ${sympos}` : undefined
}

function distantProblem({ distance, names }: DistantReference, symbols: RunningSymbols): string | undefined {
  const [from] = symbols.lookup('vmlinux', anchor)
  if (from === undefined) return `the kernel has no ${anchor}, from which it is measured`
  const there = symbols.nearest(from.address + BigInt(distance))
  if (there !== undefined && there.module === undefined && there.offset === 0 && names.includes(there.name))
    return undefined
  return there === undefined
    ? 'there is nothing where it should be'
    : `where it should be there is ${there.name}+0x${there.offset.toString(16)}`
}
