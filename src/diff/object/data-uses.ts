// SPDX-License-Identifier: GPL-3.0-or-later
// How code uses a datum, and what it does next: whom it calls first. What a static variable is for shows there,
// whatever it is called.
import type { Relocation, Section } from '../../elf/read.ts'
import { lazy } from '../../ground/values/remembered.ts'
import { useOf } from '../../x86/address-taking.ts'
import { type Condition, conditionOf, controlOf, ifNotZero, ifZero, placeOf } from '../../x86/branch.ts'
import { decodeInstruction, type Instruction } from '../../x86/instruction.ts'
import { asksResult, flagUse } from '../../x86/question.ts'
import type { Atom, DataUse, Step } from './atoms.ts'

/** Where a relocation leads, as far as it matters here. */
type Led =
  | { readonly kind: 'external'; readonly name: string }
  | { readonly kind: 'atom'; readonly atom: Atom; readonly offset: number }
  | { readonly kind: 'string' | 'entry' | 'absolute' | 'nowhere' }

/** The part of an anatomy that this needs. */
export interface Code {
  readonly atoms: readonly Atom[]
  relocations(range: Pick<Atom, 'section' | 'start' | 'end'>): readonly Relocation[]
  target(from: Section, relocation: Relocation): Led
  marksOf(sections: Iterable<Section>): Uint8Array
  refersInto(atom: Atom, marks: Uint8Array): boolean
  instructionAt(section: Section, offset: number): Instruction | undefined
}

/** All uses of some data. */
export function usesOfData(unit: Code, data: readonly Atom[]): Map<Atom, DataUse[]> {
  const found = new Map<Atom, DataUse[]>(data.map((datum) => [datum, []]))
  const marks = unit.marksOf(data.map(({ section }) => section))
  for (const user of unit.atoms) {
    if (!unit.refersInto(user, marks)) continue
    for (const relocation of unit.relocations(user)) {
      if (marks[relocation.symbol.index] === 0) continue
      const target = unit.target(user.section, relocation)
      if (target.kind === 'atom') found.get(target.atom)?.push(useAt(unit, user, relocation))
    }
  }
  return found
}

function useAt(unit: Code, user: Atom, { offset }: Relocation): DataUse {
  const { section } = user
  const instruction = user.kind === 'function' ? unit.instructionAt(section, offset) : undefined
  if (instruction === undefined) return { how: 'elsewhere', flag: undefined, next: () => [] }
  return {
    how: useOf(instruction, offset),
    flag: flagUse(instruction),
    next: lazy(() => stepsFrom(unit, { section, at: instruction.end })),
  }
}

interface CodePlace {
  readonly section: Section
  /** Offset of an instruction. */
  readonly at: number
}

/** Instructions on one way, and ways in all: the arguments of a message are short. */
const reach = { instructions: 60, ways: 16 } as const

function stepsFrom(unit: Code, from: CodePlace): Step[] {
  const steps: Step[] = []
  const open: CodePlace[] = [from]
  const seen = new Set<string>()
  const end = (name: string, behind?: CodePlace) =>
    steps.push({
      name,
      next: () => (behind === undefined ? [] : stepsFrom(unit, behind)),
      whenTrue: () => (behind === undefined ? [] : stepsWhenTrue(unit, behind)),
    })
  for (let way = open.pop(), ways = 0; way !== undefined; way = open.pop()) {
    if (++ways > reach.ways) {
      end('')
      break
    }
    let place: CodePlace | undefined = way
    for (let left: number = reach.instructions; place !== undefined; left--) {
      const { section, at }: CodePlace = place
      const key = `${section.index}:${at}`
      if (seen.has(key)) break
      seen.add(key)
      const one: Line | undefined = left === 0 ? undefined : lineAt(unit, place)
      if (one === undefined || one.kind === 'out') {
        end('')
        break
      }
      if (one.kind === 'trap') {
        end('ud2')
        break
      }
      if (one.kind === 'call') {
        end(one.name, one.behind)
        break
      }
      if (one.kind === 'branch') open.push(one.to)
      place = one.kind === 'jump' ? one.to : one.behind
    }
  }
  return steps
}

type Line =
  | { readonly kind: 'on'; readonly behind: CodePlace; readonly instruction: Instruction }
  | { readonly kind: 'jump'; readonly to: CodePlace }
  | {
      readonly kind: 'branch'
      readonly to: CodePlace
      readonly behind: CodePlace
      readonly condition: Condition
    }
  /** `behind` is undefined for a call that does not come back here. */
  | { readonly kind: 'call'; readonly name: string; readonly behind: CodePlace | undefined }
  | { readonly kind: 'trap' }
  | { readonly kind: 'out' }

function lineAt(unit: Code, { section, at }: CodePlace): Line {
  const instruction = decodeInstruction(section.data, at)
  if (instruction === undefined) return { kind: 'out' }
  const control = controlOf(instruction)
  const behind = { section, at: instruction.end }
  if (control === 'next') return { kind: 'on', behind, instruction }
  if (control === 'trap') return { kind: 'trap' }
  if (instruction.branch < 0) return { kind: 'out' }
  const isCall = control === 'call'
  const [relocation] = unit.relocations({ section, start: instruction.branch, end: instruction.end })
  let to: CodePlace
  if (relocation === undefined) {
    to = { section, at: placeOf(instruction) }
    if (isCall) return { kind: 'call', name: '', behind }
  } else {
    const target = unit.target(section, relocation)
    if (isCall || target.kind !== 'atom')
      return { kind: 'call', name: nameOf(target), behind: isCall ? behind : undefined }
    to = { section: target.atom.section, at: target.atom.start + target.offset }
  }
  return control === 'jump' ? { kind: 'jump', to } : { kind: 'branch', to, behind, condition: conditionOf(instruction) }
}

function nameOf(target: Led): string {
  return target.kind === 'external' ? target.name : target.kind === 'atom' ? target.atom.name : ''
}

/** Behind a call: a test of its result, and a jump by that. */
function stepsWhenTrue(unit: Code, from: CodePlace): readonly Step[] {
  let place = from
  let tested = false
  for (let left = 8; left > 0; left--) {
    const line = lineAt(unit, place)
    if (line.kind === 'branch') {
      const { condition } = line
      if (!tested || (condition !== ifZero && condition !== ifNotZero)) return []
      return stepsFrom(unit, condition === ifNotZero ? line.to : line.behind)
    }
    if (line.kind !== 'on') return []
    if (asksResult(line.instruction)) tested = true
    place = line.behind
  }
  return []
}
