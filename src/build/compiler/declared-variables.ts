// SPDX-License-Identifier: GPL-3.0-or-later
// Where the source of a unit declares its variables, and as what. The compiler numbers static variables of one name as
// it likes, and only it knows which number went to which; so it is asked once more, with debug information. That must
// be all in which what it makes differs.
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { declaredVariables, type Place } from '../../elf/dwarf.ts'
import type { DwarfType } from '../../elf/dwarf-types.ts'
import { sectionFlag } from '../../elf/format.ts'
import { type ObjectFile, readObject, type Section } from '../../elf/read.ts'
import type { Job } from '../../ground/job.ts'
import { makeShadow } from '../kbuild/shadow-tree.ts'
import type { Unit } from '../kbuild/units.ts'
import { type BuildTrees, compileSide, shadowFiles } from './compile-unit.ts'

/** Where a variable is declared, and as what; the type is undefined when it is not understood. */
export interface Declared extends Place {
  readonly type?: DwarfType | undefined
}

/**
 * @param object the unit's object on this side, to hold against what is compiled here
 * @returns by the symbols' names, with paths in the source tree and lines as the files have them; undefined when the
 *   compiler does not tell, or makes another object
 */
export async function declaredIn(
  job: Job,
  bench: BuildTrees,
  unit: Unit,
  side: 'before' | 'after',
  object: ObjectFile,
): Promise<ReadonlyMap<string, Declared> | undefined> {
  const { kernel, dir, changes, climbed } = bench
  const output = path.join(dir, 'declared', side, unit.object)
  const own = side === 'before' ? [] : shadowFiles(kernel, [unit], changes, false)
  await mkdir(path.dirname(output), { recursive: true })
  // Each engine may ask.
  const tree = side === 'before' ? kernel.source : await mkdtemp(`${output}.tree-`)
  if (side === 'after') makeShadow(kernel.source, tree, own, climbed)
  const compilation = {
    unit,
    cwd: tree,
    output,
    key: undefined,
    temporary: path.join(dir, 'tmp'),
    debug: true,
  }
  const { ok } = await compileSide(job, bench, unit, compilation, own)
  if (!ok) return undefined
  const made = readObject(await readFile(output), `${unit.source} (${side}, with debug information)`)
  await rm(output, { force: true })
  if (!hasSameShape(made, object)) return undefined
  const variables = declaredVariables(made)
  if (variables === undefined) return undefined
  const names = new Map(
    made.symbols.flatMap(({ section, value, type, name }) =>
      section === undefined || type !== 'object' ? [] : [[`${section.index}:${value}`, name] as const],
    ),
  )
  const found = new Map<string, Declared>()
  for (const { section, offset, place, type } of variables) {
    const name = names.get(`${section.index}:${offset}`)
    if (name !== undefined) found.set(name, { ...place, file: pathInTree(place.file, tree), type })
  }
  return found
}

function pathInTree(file: string, tree: string): string {
  const whole = path.posix.normalize(file)
  return whole.startsWith(`${tree}/`) ? whole.slice(tree.length + 1) : whole
}

/**
 * True when two objects have the same sections, symbols and references; numbers in the code may differ, as lines do.
 */
function hasSameShape(one: ObjectFile, other: ObjectFile): boolean {
  const [shape, wanted] = [shapeOf(one), shapeOf(other)]
  return shape.length === wanted.length && shape.every((text, at) => text === wanted[at])
}

/** A line for each section of the running kernel, with its symbols and references. */
function shapeOf(object: ObjectFile): string[] {
  const symbols = new Map<Section, string[]>()
  for (const { section, name, value, size, type } of object.symbols) {
    if (section === undefined || (type !== 'object' && type !== 'function')) continue
    const known = symbols.get(section) ?? []
    symbols.set(section, known)
    known.push(`${name}@${value}+${size}`)
  }
  return object.sections
    .filter(({ flags }) => (flags & sectionFlag.alloc) !== 0)
    .map((section) => {
      const references = object
        .relocations(section)
        .map(({ offset, type, symbol }) => `${offset} ${type} ${symbol.name || symbol.section?.name}`)
      return [section.name, section.size, ...(symbols.get(section)?.sort() ?? []), ...references].join(' ')
    })
}
