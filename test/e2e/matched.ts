// SPDX-License-Identifier: GPL-3.0-or-later
// Compares every function of a real unit, as the compiler makes it, with the kernel's image.
import { existsSync, readFileSync, renameSync } from 'node:fs'
import path from 'node:path'
import { type BuildTrees, compileSide } from '../../src/build/compiler/compile-unit.ts'
import type { Unit } from '../../src/build/kbuild/units.ts'
import { isColdPart } from '../../src/diff/object/compiler-names.ts'
import { type Atom, type SplitObject, splitObject } from '../../src/diff/object/split-object.ts'
import { readObject } from '../../src/elf/read.ts'
import type { Job } from '../../src/ground/job.ts'
import { compare, type Mismatch } from '../../src/match/compare.ts'
import { expectationOf } from '../../src/match/expect.ts'
import type { KernelNames } from '../../src/match/names.ts'

export interface MatchedFunction {
  readonly name: string
  /**
   * `matches`: at exactly one address of this name, or it is told which; `alike`: at several, and nothing tells which;
   * `absent`: the kernel has no symbol of this name; `differs`.
   */
  readonly outcome: 'matches' | 'alike' | 'absent' | 'differs'
  /** How many symbols the kernel has of this name. */
  readonly namesakes: number
  /** Fields that lead out of the function, and those of which nothing is known. */
  readonly fields: number
  readonly unconfirmed: number
  readonly bytes: number
  /** Why it differs, at the address that comes closest. */
  readonly mismatch?: Mismatch
  /** Only a fallback (`__weak`), or code that is thrown away when the kernel has started. */
  readonly kind: 'plain' | 'weak' | 'init'
}

/**
 * Compiles a unit as a build does before the patch.
 * @returns the object's path; undefined when it does not compile with the changed flags
 */
export async function compileUnit(
  job: Job,
  bench: BuildTrees,
  unit: Unit,
  dir: string,
  change: (flags: readonly string[]) => readonly string[] = (same) => same,
): Promise<string | undefined> {
  const output = path.join(dir, `${unit.source.replaceAll('/', '-')}.o`)
  if (existsSync(output)) return output
  const half = `${output}.half`
  const changed: Unit = { ...unit, flags: change(unit.flags ?? []) }
  const { ok } = await compileSide(
    job,
    bench,
    changed,
    {
      unit: changed,
      cwd: bench.kernel.source,
      output: half,
      key: undefined,
      temporary: path.join(bench.dir, 'tmp'),
    },
    [],
  )
  if (!ok) return undefined
  renameSync(half, output)
  return output
}

export function readUnit(file: string): SplitObject {
  return splitObject(readObject(readFileSync(file), path.basename(file)))
}

/** Compares every function of a unit with a kernel object. */
export function matchUnit(names: KernelNames, object: string, unit: SplitObject): MatchedFunction[] {
  return unit.functions.filter(({ name }) => !isColdPart(name)).map((atom) => matchOne(names, object, unit, atom))
}

function matchOne(names: KernelNames, object: string, unit: SplitObject, atom: Atom): MatchedFunction {
  const running = names.running(object)
  const addresses = running.addressesOf(atom.name)
  const expectation = expectationOf(unit, atom)
  const results = addresses.map((address) => compare(expectation, running, address))
  const fits = results.filter((result) => result.matches)
  const base = {
    name: atom.name,
    namesakes: addresses.length,
    fields: fits[0]?.fixed.length ?? 0,
    unconfirmed: fits[0]?.unconfirmed ?? 0,
    bytes: atom.end - atom.start,
    kind:
      atom.symbol?.binding === 'weak'
        ? ('weak' as const)
        : /^\.(init|exit)/.test(atom.section.name)
          ? ('init' as const)
          : ('plain' as const),
  }
  if (addresses.length === 0) return { ...base, outcome: 'absent' }
  if (fits.length === 0) {
    const [mismatch] = results
      .flatMap((result) => (result.matches ? [] : [result]))
      .sort((one, other) => other.part - one.part || other.at - one.at)
    return { ...base, outcome: 'differs', ...(mismatch === undefined ? {} : { mismatch }) }
  }
  const told = fits.length === 1 || names.matcher(object, unit).locate(atom) !== undefined
  return { ...base, outcome: told ? 'matches' : 'alike' }
}

/** Private things of a unit whose names the kernel has several times: where each of them is, if that is told. */
export function locateNamesakes(names: KernelNames, object: string, unit: SplitObject) {
  const running = names.running(object)
  return unit.atoms.flatMap((atom) => {
    if (atom.symbol === undefined || (atom.kind !== 'function' && atom.kind !== 'data')) return []
    if (isColdPart(atom.name) || /^\.(init|exit)/.test(atom.section.name)) return []
    const namesakes = running.addressesOf(atom.name).length
    // A lock's key has no bytes in a kernel without lockdep, and several lie at one address.
    if (namesakes < 2 || atom.symbol.size === 0) return []
    const address = names.matcher(object, unit).locate(atom)
    const { section, symbol, kind, name } = atom
    // What nobody writes to and the linker does not touch must lie there as the compiler made it.
    const fixed = kind === 'data' && !/^\.(data|bss)/.test(section.name) && unit.relocations(atom).length === 0
    const ours = section.data.subarray(symbol.value, symbol.value + symbol.size)
    const content =
      address === undefined || !fixed || ours.length !== symbol.size
        ? undefined
        : running.read(address, ours.length)?.equals(ours) === true
    return [{ object, name, kind, namesakes, address, content }]
  })
}
