// SPDX-License-Identifier: GPL-3.0-or-later
// Finds the numbers in which the code of two functions differs, where they may be lines of the source. WARN,
// might_sleep, lockdep, ASSERT_RTNL and what file systems print all hand `__LINE__` to a function, beside `__FILE__` or
// `__func__`; when a patch moves lines, the code differs in these numbers. Whether a number is a line is not told here:
// a limit may stand beside a name, too (line-shifts.ts).

import { controlOf, placeOf } from '../../x86/branch.ts'
import { argumentIn, copiedHome, type Home, loadedHome, numberForCall } from '../../x86/calling-convention.ts'
import type { Instruction } from '../../x86/instruction.ts'
import type { Atom, SplitObject, Target } from '../object/split-object.ts'
import { lineTaken } from './line-takers.ts'

/** A number that differs. */
export interface MovedNumber {
  readonly before: number
  readonly after: number
  /**
   * What speaks for a line. `told`: the function that is called takes one there, behind a file, in every kernel.
   * `known`: it is handed to a function that takes a line there in some kernels. `near`: it only follows the name of a
   * file or a function, as other numbers do.
   */
  readonly by: 'told' | 'known' | 'near'
}

/** The kernel's longest file has some 100,000 lines, generated register headers more. */
const lastLine = 1_000_000

/** Instructions from the number to the call, and from the call before. */
const reach = 24

/**
 * The numbers in which the code of two functions of the same size differs, if it differs in nothing else. Their
 * relocations are left to the caller.
 * @returns undefined when something else differs, or a number that can't be a line
 */
export function movedNumbers(before: SplitObject, b: Atom, after: SplitObject, a: Atom): MovedNumber[] | undefined {
  const codeB = instructionsOf(before, b)
  const codeA = instructionsOf(after, a)
  if (codeB === undefined || codeA === undefined || codeB.length !== codeA.length) return undefined
  const [dataB, dataA] = [b.section.data, a.section.data]
  const [entryB, entryA] = [b.symbol?.value ?? b.start, a.symbol?.value ?? a.start]
  if (dataB.compare(dataA, a.start, entryA, b.start, entryB) !== 0) return undefined
  const relocated = new Set(after.relocations(a).map(({ offset }) => offset - a.start))
  const numbers: MovedNumber[] = []
  for (let index = 0; index < codeA.length; index++) {
    const [ib, ia] = [codeB[index], codeA[index]]
    if (ib === undefined || ia === undefined) return undefined
    if (ib.start - b.start !== ia.start - a.start || ib.end - b.start !== ia.end - a.start) return undefined
    if (dataB.compare(dataA, ia.start, ia.end, ib.start, ib.end) === 0) continue
    const field = numberForCall(ia)
    if (field < 0 || relocated.has(field - a.start)) return undefined
    // Nothing but the number may differ.
    if (dataB.compare(dataA, ia.start, field, ib.start, field - a.start + b.start) !== 0) return undefined
    const line = { before: dataB.readInt32LE(field - a.start + b.start), after: dataA.readInt32LE(field) }
    if (line.before <= 0 || line.after <= 0 || line.before > lastLine || line.after > lastLine) return undefined
    const by = whatSpeaksForLine(after, a, codeA, index)
    if (by === undefined) return undefined
    numbers.push({ ...line, by })
  }
  // Lines move, but they keep their order.
  const sorted = [...numbers].sort((one, other) => one.before - other.before)
  const ordered = sorted.every((line, index) => {
    const previous = sorted[index - 1]
    if (previous === undefined) return true
    return previous.before === line.before ? previous.after === line.after : previous.after < line.after
  })
  return ordered ? numbers : undefined
}

function instructionsOf(unit: SplitObject, atom: Atom): Instruction[] | undefined {
  const list: Instruction[] = []
  for (let at = atom.symbol?.value ?? atom.start; at < atom.end; ) {
    const instruction = unit.instructionAt(atom.section, at)
    if (instruction === undefined || instruction.start !== at) return undefined
    list.push(instruction)
    at = instruction.end
  }
  return list
}

/**
 * What the call that follows says of the number: what it is called, and whether a file's or function's name comes just
 * before.
 */
function whatSpeaksForLine(
  unit: SplitObject,
  atom: Atom,
  code: readonly Instruction[],
  index: number,
): MovedNumber['by'] | undefined {
  const number = code[index]
  const home = number === undefined ? undefined : loadedHome(number)
  const argument = home === undefined ? -1 : argumentIn(home)
  const path = argument < 0 ? undefined : pathToCall(unit, atom, code, index)
  if (path === undefined) return undefined
  /** What each place holds of the names that a line may follow. */
  const names = new Map<Home, 'file' | 'name'>()
  const texts = new Map<Home, string>()
  const numbers = new Set<Home>()
  let callee = ''
  for (const instruction of path) {
    callee = ''
    const copy = copiedHome(instruction)
    const moved = copy && names.get(copy.from)
    if (copy !== undefined && moved !== undefined) names.set(copy.to, moved)
    const relocations = unit.relocations({ section: atom.section, ...instruction })
    const into = loadedHome(instruction)
    if (relocations.length === 0 && into !== undefined) numbers.add(into)
    for (const relocation of relocations) {
      const target = unit.target(atom.section, relocation)
      callee = target.kind === 'external' ? target.name : target.kind === 'atom' ? target.atom.name : ''
      const name = placeName(unit, target, atom)
      if (into !== undefined && name !== undefined) names.set(into, name)
      if (into !== undefined && target.kind === 'string') texts.set(into, target.text.toString('latin1'))
    }
  }
  const inArgument = <T>(homes: Iterable<readonly [Home, T]>, wanted: number): T | undefined =>
    [...homes].find(([one]) => argumentIn(one) === wanted && wanted >= 0)?.[1]
  const behind = inArgument(names, argument - 1)
  const taken = lineTaken({
    callee,
    argument,
    behind,
    textAt: (one) => inArgument(texts, one),
    isNumber: (one) => [...numbers].some((number) => argumentIn(number) === one),
  })
  return taken ?? (behind === undefined ? undefined : 'near')
}

/**
 * The instructions from behind the call before to the call that an instruction prepares; undefined when none is near.
 */
function pathToCall(
  unit: SplitObject,
  atom: Atom,
  code: readonly Instruction[],
  index: number,
): Instruction[] | undefined {
  // A call at the end of a function is a jump.
  const isCall = (instruction: Instruction) => {
    const control = controlOf(instruction)
    return control === 'call' || (control === 'jump' && hasRelocationAt(unit, atom, instruction.branch))
  }
  let first = index
  while (first > 0 && index - first < reach) {
    const previous = code[first - 1]
    if (previous === undefined || isCall(previous)) break
    first--
  }
  const path = code.slice(first, index + 1)
  let jumped = false
  for (let at = index + 1, steps = 0; steps < reach; steps++) {
    const instruction = code[at]
    if (instruction === undefined) return undefined
    path.push(instruction)
    if (isCall(instruction)) return path
    // Several warnings may share one call.
    if (controlOf(instruction) === 'jump') {
      if (jumped) return undefined
      jumped = true
      const goal = placeOf(instruction)
      at = code.findIndex(({ start }) => start === goal)
      if (at < 0) return undefined
    } else at++
  }
  return undefined
}

function hasRelocationAt(unit: SplitObject, { section }: Atom, offset: number): boolean {
  return unit.relocations({ section, start: offset, end: offset + 1 }).length > 0
}

/**
 * `__FILE__` is a path in the source; `__func__`, what ACPI has for the file (AE_INFO in include/acpi/acoutput.h), and
 * other names.
 */
function placeName(unit: SplitObject, target: Target, atom: Atom): 'file' | 'name' | undefined {
  if (target.kind === 'string') {
    const text = target.text.toString('latin1').replace(/\0$/, '')
    if (/^[\w./+-]+\.[ch]$/.test(text)) return isSourceFile(unit, text) ? 'file' : 'name'
    // clang makes a plain string of `__func__`.
    return text === atom.name.replace(/\..*/, '') ? 'name' : undefined
  }
  const name = target.kind === 'atom' ? target.atom.name : target.kind === 'external' ? target.name : ''
  return /(^|\.)(__(func|FUNCTION|PRETTY_FUNCTION)__|_acpi_module_name)(\.|$)/.test(name) ? 'name' : undefined
}

/** True for the unit's own file, or one with a directory, as kbuild gives them to the compiler. */
function isSourceFile({ object }: SplitObject, file: string): boolean {
  return file.includes('/') || object.symbols.some(({ type, name }) => type === 'file' && name === file)
}
