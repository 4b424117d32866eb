// SPDX-License-Identifier: GPL-3.0-or-later
// Makes a live patch that replaces every function of a real unit by its identical copy, and compares
// the module, relocation by relocation, with the object that the compiler made.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { withFewestDebugFlags } from '../../src/build/compiler/debug-flags.ts'
import { openUnits } from '../../src/build/kbuild/units.ts'
import { type Change, compareObjects } from '../../src/diff/change.ts'
import { coldParent, isColdPart } from '../../src/diff/object/compiler-names.ts'
import type { Atom, SplitObject, Target } from '../../src/diff/object/split-object.ts'
import { relocationsPerEntry } from '../../src/diff/object/tables.ts'
import { sectionType } from '../../src/elf/format.ts'
import { type ElfSymbol, type ObjectFile, readObject, type Section } from '../../src/elf/read.ts'
import { withoutDebug } from '../../src/elf/without-debug.ts'
import { extract } from '../../src/extract/extraction.ts'
import { hasEntryHook } from '../../src/extract/roots.ts'
import { command } from '../../src/ground/command.ts'
import type { Finding } from '../../src/ground/finding.ts'
import type { Job } from '../../src/ground/job.ts'
import { withScratch } from '../../src/ground/scratch.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { kernelNames } from '../../src/match/names.ts'
import { Binder } from '../../src/module/bind/bind.ts'
import type { BindMode } from '../../src/module/bind/distance.ts'
import { assemble } from '../../src/module/link/assemble.ts'
import { soonest, targetOf } from '../../src/module/link/target.ts'
import type { Manifest } from '../../src/module/manifest/manifest.ts'
import { livepatchTables, type PositionedFunction } from '../../src/module/structures/tables.ts'
import { templateFor } from '../../src/module/structures/template.ts'

export interface Identity {
  readonly object: string
  readonly functions: number
  readonly replaced: number
  readonly references: number
  /** Relocations of carried code that were compared. */
  readonly relocations: number
  readonly findings: readonly Finding[]
  /**
   * Relocations that lead elsewhere than in the compiler's object, and things that differ in comparison with
   * themselves.
   */
  readonly wrong: readonly string[]
  readonly ms: Readonly<Record<string, number>>
  readonly module: Buffer | undefined
  readonly manifest: Manifest
}

/**
 * @param wanted which functions are replaced; all by default
 * @param bindMode by distance when undefined
 */
export async function identityOf(
  job: Job,
  kernel: Kernel,
  source: string,
  wanted: (name: string) => boolean = () => true,
  bindMode?: BindMode,
): Promise<Identity> {
  const units = await openUnits(job, kernel)
  const unit = units.find(source).find(({ home }) => home !== 'elsewhere')
  if (unit?.flags === undefined) throw new Error(`${source} is not a unit of ${kernel.release}`)
  const { flags, argument } = unit
  const bytes = await withScratch(async (dir) => {
    const made = path.join(dir, 'unit.o')
    const options = withFewestDebugFlags(kernel.compiler, flags)
    await command(
      kernel.compiler.program,
      [...options, '-ffunction-sections', '-fdata-sections', '-c', '-o', made, argument],
      { cwd: kernel.source },
    )
    return withoutDebug(readFileSync(made), made)
  })
  const ms: Record<string, number> = {}
  const time = async <T>(what: string, work: () => T | Promise<T>): Promise<T> => {
    const start = performance.now()
    const result = await work()
    ms[what] = performance.now() - start
    return result
  }
  const object = unit.modules[0] ?? 'vmlinux'
  const same = await time('compare', () =>
    compareObjects(readObject(bytes, 'before.o'), readObject(bytes, 'after.o'), source),
  )
  const wrong = same.changed.map(({ after, reasons }) => `${after.name} differs from itself: ${reasons}`)
  const names = await kernelNames(kernel, [object])
  try {
    const has = (of: string, name: string) => names.symbols(of, name).length > 0
    const all = same.after.functions.filter(
      ({ name, section }) => !/^\.(init|exit)/.test(section.name) && !isColdPart(name),
    )
    const changed = all.flatMap((after) => {
      const before = same.correlation.counterpartOf(after)
      if (before === undefined || !wanted(after.name) || !has(object, before.name)) return []
      // The kernel may run another function of a weak one's name; then it is refused, rightly.
      if (before.symbol?.binding === 'weak') return []
      const alone = same.after.atomsOf(after.section).length === 1
      return alone && hasEntryHook(same, before) ? [{ before, after, reasons: ['its copy'] }] : []
    })
    const change: Change = { ...same, changed }
    const extraction = await time('extract', () => extract([{ change, object }], { has }))
    const bind = new Binder(names)
    const bindings = new Map()
    const functions: PositionedFunction[] = []
    await time('bind', () => {
      for (const [symbol, reference] of extraction.references) {
        const binding = bind.bind(reference)
        if (binding !== undefined) bindings.set(symbol, binding)
      }
      for (const replaced of extraction.replaced) {
        const sympos = bind.replacement(replaced.object, replaced.before, replaced.change)
        if (sympos !== undefined) functions.push({ ...replaced, sympos })
      }
    })
    const findings: Finding[] = [
      ...same.findings,
      ...extraction.findings,
      ...bind.findings.map(({ finding }) => finding),
    ]
    const name = `id-${source.replace(/\.c$/, '').replace(/[^a-z0-9]+/g, '-')}`.slice(-40).replace(/^-/, '')
    const moduleName = `livepatch_${name.replaceAll('-', '_')}`
    let module: Buffer | undefined
    let relocations = 0
    if (findings.every(({ severity }) => severity !== 'error')) {
      const template = await templateFor(units, job, kernel, 'kernel')
      const options = {
        module: moduleName,
        description: `Identical copies of ${source}`,
        objects: [object],
        info: [],
      }
      const target = targetOf(kernel, names, bindMode)
      const positionFor = soonest(target)
      const positioned = functions.map((one) => ({ ...one, sympos: positionFor(one.object, one.sympos) }))
      const contents = { functions: positioned, callbacks: [], states: [], replace: true }
      const assembled = await time('link', () =>
        assemble(job, kernel, template, { ...extraction, bindings }, target, options, (renamed) =>
          livepatchTables(template.layout, contents, renamed),
        ),
      )
      findings.push(...assembled.findings)
      module = assembled.bytes
      const checked = compareRelocations(
        same.after,
        changed.map(({ after }) => after),
        readObject(module, 'module'),
        (distance) =>
          names
            .at('vmlinux', (names.symbols('vmlinux', 'init_uts_ns')[0]?.address ?? 0n) + BigInt(distance))
            .map(({ name: called }) => called),
      )
      relocations = checked.count
      wrong.push(...checked.wrong)
    }
    const manifest: Manifest = {
      format: 'inarch-manifest-1',
      name,
      module: moduleName,
      description: `Identical copies of ${source}`,
      tool: { name: 'inarch', version: '0' },
      kernel: {
        release: kernel.release,
        version: kernel.version,
        origin: kernel.origin,
        compiler: kernel.compiler.versionText,
      },
      replace: true,
      inputs: [],
      sha256: createHash('sha256')
        .update(module ?? Buffer.alloc(0))
        .digest('hex'),
      objects: [
        {
          name: object,
          functions: functions.map(({ before, sympos, reasons }) => ({
            name: before.name,
            sympos,
            unit: source,
            reasons: [...reasons],
          })),
          callbacks: [],
        },
      ],
      carried: [],
      states: [],
      findings: [],
      timings: [],
    }
    return {
      object,
      functions: all.length,
      replaced: functions.length,
      references: bindings.size,
      relocations,
      findings,
      wrong,
      ms,
      module,
      manifest,
    }
  } finally {
    names.close()
  }
}

interface Raw {
  readonly offset: number
  readonly type: number
  readonly symbol: ElfSymbol
  readonly addend: number
}

/** All relocations of a section, those for livepatch too, read without the code that is being tested. */
function rawRelocations(object: ObjectFile, section: Section): Raw[] {
  const found: Raw[] = []
  for (const { type, info, data } of object.sections) {
    if (type !== sectionType.rela || info !== section.index) continue
    for (let at = 0; at < data.length; at += 24)
      found.push({
        offset: Number(data.readBigUInt64LE(at)),
        type: data.readUInt32LE(at + 8),
        symbol: object.symbols[data.readUInt32LE(at + 12)]!,
        addend: Number(data.readBigInt64LE(at + 16)),
      })
  }
  return found
}

/** The names of the symbols at a distance from the symbol of vmlinux from which private ones are reached. */
type NamesAt = (distance: number) => readonly string[]

/** Every relocation of `atoms`, and of their cold parts, has its like in the module. */
function compareRelocations(unit: SplitObject, atoms: readonly Atom[], module: ObjectFile, namesAt: NamesAt) {
  const wrong: string[] = []
  let count = 0
  const parents = new Set(atoms.map(({ name }) => name))
  const carried = unit.functions.filter(
    (atom) =>
      atoms.includes(atom) ||
      (isColdPart(atom.name) &&
        [
          coldParent(atom.name),
          ...unit.functions.filter(({ aliases }) => aliases.length > 0).map(({ name }) => name),
        ].some((name) => parents.has(name) && coldParent(atom.name) === name)),
  )
  const defined = new Map<string, ElfSymbol>()
  for (const symbol of module.symbols)
    if (symbol.type === 'function' && symbol.section !== undefined && symbol.binding === 'local')
      defined.set(symbol.name, symbol)
  const entries = new Map<string, number>()
  for (const atom of carried) {
    for (const { table } of unit.tableEntries(atom))
      if (!/^\.discard/.test(table.name)) entries.set(table.name, (entries.get(table.name) ?? 0) + 1)
    const symbol = defined.get(atom.name)
    if (symbol?.section === undefined) {
      wrong.push(`${atom.name} is not in the module`)
      continue
    }
    const there = new Map(rawRelocations(module, symbol.section).map((one) => [one.offset, one]))
    const labels = new Set(
      unit
        .tableEntries(atom)
        .filter(({ table }) => table.name === '__jump_table')
        .map(({ relocations: [first] }) => (first === undefined ? -1 : first.symbol.value + first.addend)),
    )
    for (const one of unit.relocations(atom)) {
      count++
      const offset = one.offset - atom.start
      const like = there.get(offset)
      there.delete(offset)
      const target = unit.target(atom.section, one)
      const where = `${atom.name}+${offset}`
      if (like === undefined) wrong.push(`${where} has lost its relocation`)
      else if (like.type !== one.type) {
        // objtool makes nops of ftrace's hook and of jump labels.
        const hook = target.kind === 'external' && target.name === '__fentry__'
        if (like.type !== 0 || !(hook || labels.has(one.offset - 1)))
          wrong.push(`${where} has a relocation of another type`)
      } else {
        const difference = compareTarget(unit, target, one, module, like, namesAt)
        if (difference !== undefined) wrong.push(`${where}: ${difference}`)
      }
    }
    for (const offset of there.keys()) wrong.push(`${atom.name}+${offset} has a relocation of its own`)
  }
  for (const [table, expected] of entries) {
    const section = module.sections.find(({ name }) => name === table)
    const perEntry = section === undefined ? 1 : (relocationsPerEntry(section) ?? 1)
    const found = section === undefined ? 0 : rawRelocations(module, section).length / perEntry
    if (found < expected && table !== '__jump_table') wrong.push(`${table} has ${found} entries instead of ${expected}`)
  }
  return { count, wrong }
}

function compareTarget(
  unit: SplitObject,
  target: Target,
  one: Raw,
  module: ObjectFile,
  like: Raw,
  namesAt: NamesAt,
): string | undefined {
  /** Whether it leads `offset` bytes behind a symbol of the kernel. */
  const leadsTo = (name: string, offset: number, bias: number) =>
    like.symbol.name === 'init_uts_ns' && name !== 'init_uts_ns'
      ? namesAt(like.addend + bias - offset).includes(name)
      : nameThere === name && like.addend + bias === offset
  const nameThere = like.symbol.name.replace(/^\.klp\.sym\.[^.]*\./, '').replace(/,\d+$/, '')
  const bias =
    target.kind === 'external'
      ? target.offset - one.addend
      : target.kind === 'atom'
        ? target.atom.start + target.offset - one.symbol.value - one.addend
        : target.kind === 'string'
          ? target.offset - one.symbol.value - one.addend
          : 0
  const place = like.symbol.value + like.addend + bias
  const { section } = like.symbol
  switch (target.kind) {
    case 'external':
      return leadsTo(target.name, one.addend, 0)
        ? undefined
        : `leads to ${nameThere}+${like.addend} instead of ${target.name}+${one.addend}`
    case 'string': {
      const tail = target.text.subarray(target.offset - target.start)
      return section?.data.subarray(place, place + tail.length).equals(tail)
        ? undefined
        : `leads not to ${JSON.stringify(tail.toString('latin1'))}`
    }
    case 'atom': {
      const { atom } = target
      if (section === undefined) {
        const expected = atom.start + target.offset - (atom.symbol?.value ?? 0)
        return leadsTo(atom.name, expected, bias)
          ? undefined
          : `leads to ${nameThere}+${like.addend + bias} instead of ${atom.name}+${expected}`
      }
      if (atom.symbol !== undefined) {
        const { name } = atom
        const found = module.symbols.find(
          (symbol) =>
            symbol.section === section &&
            symbol.name === name &&
            place - symbol.value === atom.start + target.offset - (atom.symbol?.value ?? 0),
        )
        return found === undefined ? `leads not to ${name}+${target.offset}` : undefined
      }
      const extent = unit.extent(atom, target.offset)
      const start = place - (atom.start + target.offset - extent.start)
      const [ours, theirs] = [
        extent.section.data.subarray(extent.start, extent.end),
        section.data.subarray(start, start + extent.end - extent.start),
      ]
      return ours.equals(theirs) ? undefined : `leads not to the constant of ${atom.name}`
    }
    default:
      return 'leads nowhere'
  }
}
