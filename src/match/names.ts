// SPDX-License-Identifier: GPL-3.0-or-later
// Everything the rooms behind ask about the kernel's names: which symbols an object has and how the
// kernel counts them, what is exported, and the code that runs. The image is opened when it is needed.
import { readFile } from 'node:fs/promises'
import type { SplitObject } from '../diff/object/split-object.ts'
import { isCode, isWritable, sectionType } from '../elf/format.ts'
import { type ElfSymbol, type ObjectFile, readObject } from '../elf/read.ts'
import { addTo } from '../ground/values/grouped.ts'
import { getOrInsertComputed, lazy, remembered } from '../ground/values/remembered.ts'
import { parseConfig } from '../kernel/config.ts'
import { moduleName, readExports } from '../kernel/exports.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { coreExports, coreModule, coreVersion } from '../kernel/model.ts'
import { countModuleSymbols } from '../kernel/module-symbols.ts'
import { findModule, openModule } from '../kernel/modules.ts'
import { readSymbols } from '../kernel/symbols.ts'
import { isLandingPad } from '../x86/entry.ts'
import { sealedInImage, sealedInModule } from './indirect-calls.ts'
import { type Image, layOutModule, openImage, type Running } from './running.ts'
import { type UnitMatcher, unitMatchers } from './unit-matcher.ts'

export interface KernelSymbol {
  readonly name: string
  readonly address: bigint
  /** As nm prints it: what its section holds, in upper case for a global symbol. */
  readonly type: string
  /** Its position, from 1, while its module is being loaded, when `__init` symbols count too. */
  readonly whileLoading: number
  /** True when further symbols have this name while its module is being loaded. */
  readonly crowded: boolean
}

export interface KernelExport {
  readonly crc: number
  /** `vmlinux` or a module's name. */
  readonly module: string
  readonly namespace: string
}

export interface KernelNames {
  /** The symbols of this name in a kernel object, in the order in which the kernel counts them. */
  symbols(object: string, name: string): readonly KernelSymbol[]
  /** What the kernel and its modules export; and the core, which can be there. */
  exported(name: string): KernelExport | undefined
  /** The symbols that begin exactly at an address of a kernel object. */
  at(object: string, address: bigint): readonly Pick<KernelSymbol, 'name' | 'type'>[]
  /** The code of a kernel object. */
  running(object: string): Running
  /** A unit of the object before the patch, held against that code; the same value for the same unit. */
  matcher(object: string, unit: SplitObject): UnitMatcher
  /** The modules that are loaded whenever this one is. */
  needs(object: string): readonly string[]
  /** True for an address of vmlinux that the kernel frees when it has started. */
  freed(address: bigint): boolean
  /**
   * Whether an indirect call may lead to the symbol of this name and position (0 for the only one). Undefined
   * for what is no code, and in a kernel that does not care (without IBT).
   */
  landing(object: string, name: string, sympos: number): boolean | undefined
}

/** Symbols of code that nobody calls through a pointer: trampolines of static calls, the edges of sections. */
const notCalled = /^__SCT__|^_[se]?text$|_text_(?:start|end)$/

export interface ModuleNames {
  /** The symbols of this name that stay when it is initialised, in the order in which the kernel counts them. */
  lookup(name: string): readonly KernelSymbol[]
  readonly running: Running
  at(address: bigint): readonly Pick<KernelSymbol, 'name' | 'type'>[]
  isFunction(address: bigint): boolean
  readonly sealed: ReadonlySet<bigint>
}

/** The letter by which nm says what a defined symbol is. */
function letterOf({ section, binding, type }: ElfSymbol): string {
  if (binding === 'weak') return type === 'object' ? 'V' : 'W'
  const letter = section === undefined ? 'a' : letterOfSection(section)
  return binding === 'local' ? letter : letter.toUpperCase()
}

function letterOfSection(section: NonNullable<ElfSymbol['section']>): string {
  if (isCode(section)) return 't'
  if (section.type === sectionType.nobits) return 'b'
  return isWritable(section) ? 'd' : 'r'
}

/**
 * The names and the code of a module's file.
 * @param bytes the file, decompressed
 * @throws what reading an object throws
 */
export function namesInModule(bytes: Buffer, module: string): ModuleNames {
  const object = readObject(bytes, `${module}.ko`)
  const { all, lookup } = countModuleSymbols(object)
  const running = layOutModule(
    object,
    all.filter(({ sympos }) => sympos > 0).map(({ symbol }) => symbol),
  )
  const functions = new Set<bigint | undefined>()
  const byAddress = new Map<bigint | undefined, { name: string; type: string }[]>()
  for (const { symbol } of all) {
    const { type, section, value, name } = symbol
    const address = section === undefined ? undefined : running.addressAt(section, value)
    if (type === 'function') functions.add(address)
    addTo(byAddress, address, { name, type: letterOf(symbol) })
  }
  return {
    running,
    at: (address) => byAddress.get(address) ?? [],
    isFunction: (address) => functions.has(address),
    sealed: sealedInModule(object, running.addressAt),
    lookup(name) {
      const every = lookup(name)
      const addresses = running.addressesOf(name)
      return every
        .filter(({ sympos }) => sympos > 0)
        .map(({ symbol, symposLoading }, index) => ({
          name,
          address: addresses[index] ?? 0n,
          type: letterOf(symbol),
          whileLoading: symposLoading,
          crowded: every.some(({ sympos }) => sympos === 0),
        }))
    },
  }
}

/** What a kernel says of itself: its symbols, its exports and its configuration. */
export type KernelTables = Awaited<ReturnType<typeof readTables>>

export async function readTables(kernel: Kernel) {
  const [symbols, exports, config] = await Promise.all([
    readSymbols(kernel),
    readExports(kernel),
    readFile(kernel.config, 'utf8').then(parseConfig),
  ])
  return { symbols, exports, config }
}

/** The modules that export what code of a module leaves undefined: their symbols are bound by name, too. */
export function exportersFor({ exports }: KernelTables, code: Iterable<ObjectFile>): Set<string> {
  const found = new Set<string>()
  for (const { symbols } of code)
    for (const { name, place } of symbols) {
      const module = place === 'undefined' ? exports.find(name)?.module : undefined
      if (module !== undefined) found.add(module)
    }
  return found
}

/**
 * @param objects the kernel objects (`vmlinux`, modules) that will be asked about
 * @param tables where they were read before
 */
export async function kernelNames(
  kernel: Kernel,
  objects: Iterable<string>,
  tables: Promise<KernelTables> = readTables(kernel),
): Promise<KernelNames & { close(): void }> {
  const { symbols, exports, config } = await tables
  const modules = new Map<string, ModuleNames>()
  const needs = new Map<string, readonly string[]>()
  for (const object of new Set(objects)) {
    if (object === 'vmlinux') continue
    modules.set(object, namesInModule(await openModule(kernel, object), object))
    needs.set(object, ((await findModule(kernel, object))?.dependencies ?? []).map(moduleName))
  }
  const known = new Map<string, readonly KernelSymbol[]>()
  const begins = remembered(symbols.at)
  const lookup = (object: string, name: string): readonly KernelSymbol[] =>
    object === 'vmlinux'
      ? symbols
          .lookup(name)
          .map(({ address, type, sympos }) => ({ name, address, type, whileLoading: sympos, crowded: false }))
      : (modules.get(object)?.lookup(name) ?? [])
  const ask = (object: string, name: string): readonly KernelSymbol[] => {
    return getOrInsertComputed(known, `${object} ${name}`, () => lookup(object, name))
  }
  let image: Image | undefined
  const sealed = lazy(() => sealedInImage(kernel.vmlinux))
  const vmlinux: Running = {
    read(address, length) {
      image ??= openImage(kernel.vmlinux)
      return image.read(address, length)
    },
    addressesOf: (name) => ask('vmlinux', name).map(({ address }) => address),
  }
  const running = (object: string) => modules.get(object)?.running ?? vmlinux
  return {
    symbols: ask,
    landing(object, name, sympos) {
      if (!config.has('X86_KERNEL_IBT')) return undefined
      const symbol = ask(object, name)[Math.max(0, sympos - 1)]
      if (symbol === undefined) return undefined
      const { address, type } = symbol
      const module = modules.get(object)
      if (notCalled.test(name) || !(module?.isFunction(address) ?? /[tw]/i.test(type))) return undefined
      return isLandingPad((module?.running ?? vmlinux).read(address, 4)) && !(module?.sealed ?? sealed()).has(address)
    },
    exported: remembered((name: string): KernelExport | undefined =>
      coreExports.includes(name) ? { crc: coreVersion(), module: coreModule, namespace: '' } : exports.find(name),
    ),
    needs: (object) => needs.get(object) ?? [],
    freed(address) {
      const edge = (name: string) => ask('vmlinux', name)[0]?.address
      const lies = (begin = edge('__init_begin'), end = edge('__init_end')) =>
        begin !== undefined && end !== undefined && address >= begin && address < end
      // Of the per-CPU variables only the pattern is freed: they are reached by their distance from it (Linux 6.15).
      return lies() && !lies(edge('__per_cpu_start'), edge('__per_cpu_end'))
    },
    at: (object, address) => (object === 'vmlinux' ? begins(address) : (modules.get(object)?.at(address) ?? [])),
    running,
    matcher: unitMatchers(running),
    close: () => image?.close(),
  }
}
