// SPDX-License-Identifier: GPL-3.0-or-later
// Puts a live patch module together: the carried code, the frame that every patch has, the kernel's
// livepatch structures, module information and symbol versions. objtool runs over the whole; then the
// references to the running kernel become livepatch symbols and relocations.
// Formats: the kernel's include/linux/livepatch.h, Documentation/livepatch/module-elf-format.rst and
// the sections that kernel/module/main.c reads.
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { relocationsPerEntry } from '../diff/anatomy.ts'
import { relocationType, sectionFlag, sectionType } from '../elf/format.ts'
import { readObject } from '../elf/read.ts'
import { redraft } from '../elf/redraft.ts'
import {
  type ObjectDraft,
  type RelocationDraft,
  type SectionDraft,
  type SymbolDraft,
  sectionSymbol,
  writeObject,
} from '../elf/write.ts'
import type { Extraction, ReplacedFunction } from '../extract/extraction.ts'
import { command } from '../ground/command.ts'
import { Fault } from '../ground/fault.ts'
import type { Finding } from '../ground/finding.ts'
import type { Job } from '../ground/job.ts'
import { withScratch } from '../ground/scratch.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Binding } from './bind.ts'
import type { KernelExport } from './names.ts'
import { type Layout, layoutSection, type Template } from './template.ts'

export interface ModuleOptions {
  /** The module's name as the kernel knows it. */
  readonly name: string
  readonly description: string
  readonly replace: boolean
  /** Further `key=value` lines for `.modinfo`. */
  readonly info: readonly string[]
}

/** A replaced function with the position of its name in its object. */
export interface PositionedFunction extends ReplacedFunction {
  readonly sympos: number
}

export interface Assembled {
  readonly bytes: Buffer
  readonly findings: readonly Finding[]
}

/**
 * @param bindings how each of the extraction's references is resolved; one without a binding is dropped
 * @param exported looks up what the kernel exports
 * @throws Fault when objtool fails
 */
export async function assemble(
  job: Job,
  kernel: Kernel,
  template: Template,
  extraction: Extraction,
  functions: readonly PositionedFunction[],
  bindings: ReadonlyMap<SymbolDraft, Binding>,
  exported: (name: string) => KernelExport | undefined,
  options: ModuleOptions,
): Promise<Assembled> {
  const named = new Map<string, Binding>()
  const reserved = new Set(['inarch_patch'])
  for (const { name, binding, place } of template.object.symbols)
    if (binding !== 'local' && place !== 'undefined') reserved.add(name)
  const carried = nameReferences(extraction, bindings, named, reserved)
  const frame = frameOf(template, options, named)
  const tables = livepatchTables(template.layout, functions, carried.renamed, options.replace)
  const raw = link(join([carried.draft, frame, tables]))
  const { bytes, warnings } = await runObjtool(job, kernel, template, writeObject(raw))
  return finish(bytes, named, exported, template.layout, warnings)
}

/**
 * Gives every reference a name of its own, by which it is known again after objtool.
 * @param reserved what the frame defines, such as `__this_module`: a module's code means its own
 */
function nameReferences(
  extraction: Extraction,
  bindings: ReadonlyMap<SymbolDraft, Binding>,
  named: Map<string, Binding>,
  reserved: ReadonlySet<string>,
) {
  const renamed = new Map<SymbolDraft, SymbolDraft>()
  const byBinding = new Map<string, SymbolDraft>()
  for (const symbol of extraction.draft.symbols) {
    if (!extraction.references.has(symbol)) {
      renamed.set(symbol, symbol)
      continue
    }
    const binding = bindings.get(symbol)
    if (binding === undefined) continue
    const key = JSON.stringify(binding)
    let draft = byBinding.get(key)
    if (draft === undefined) {
      let name = nameForObjtool(binding)
      for (let next = 2; named.has(name) || reserved.has(name); next++) name = `${binding.name}..${next}`
      draft = { ...symbol, name }
      byBinding.set(key, draft)
      named.set(name, binding)
    }
    renamed.set(symbol, draft)
  }
  const { sections } = extraction.draft
  substitute(sections, renamed)
  return { draft: { sections, symbols: [...new Set(renamed.values())] }, renamed }
}

/**
 * objtool makes a static call site of every call of a trampoline `__SCT__…`, which the kernel looks at
 * when the patch is loaded. A module's trampoline may not be there yet: it is called as a function.
 */
function nameForObjtool(binding: Binding): string {
  const late = binding.kind === 'livepatch' && binding.when !== 'vmlinux'
  return late && /^__SC[TK]__/.test(binding.name) ? `late..${binding.name}` : binding.name
}

/** Replaces symbols in the relocations of an object. */
function substitute(sections: readonly SectionDraft[], by: ReadonlyMap<SymbolDraft, SymbolDraft>): void {
  for (const section of sections)
    section.relocations = section.relocations.map((relocation) => {
      const symbol = by.get(relocation.symbol)
      if (symbol === undefined)
        throw new Error(
          `a relocation of ${section.name} leads to ${relocation.symbol.name}, which is not bound`,
        )
      return { ...relocation, symbol }
    })
}

/** The part that every patch has, with the module's name and information in it. */
function frameOf(template: Template, options: ModuleOptions, named: Map<string, Binding>): ObjectDraft {
  const { layout } = template
  const draft = redraft(
    template.object,
    (section) => section.name !== layoutSection && section.name !== '.comment',
  )
  const namespaces = new Set<string>()
  for (const binding of named.values())
    if (binding.kind === 'exported' && binding.namespace !== '') namespaces.add(binding.namespace)
  const info = [
    `description=${options.description}`,
    `name=${options.name}`,
    'depends=',
    ...[...namespaces].sort().map((namespace) => `import_ns=${namespace}`),
    ...options.info,
  ]
  if (options.name.length >= layout.module.nameSize)
    throw new Fault('usage', 'name-too-long', `The module's name ${options.name} is too long`, {
      remedy: `Choose a name of at most ${layout.module.nameSize - 1} characters with --name`,
    })
  for (const section of draft.sections) {
    if (typeof section.data === 'number') continue
    if (section.name === '.modinfo') section.data = Buffer.concat([section.data, strings(info)])
    if (section.name === '.gnu.linkonce.this_module') {
      section.data = Buffer.from(section.data)
      section.data.write(options.name, layout.module.name, 'latin1')
    }
  }
  return draft
}

function strings(lines: readonly string[]): Buffer {
  return Buffer.from(lines.map((line) => `${line.replace(/[\0\n]/g, ' ')}\0`).join(''), 'utf8')
}

/** `inarch_patch`, its objects and their functions, as include/linux/livepatch.h lays them out. */
function livepatchTables(
  layout: Layout,
  functions: readonly PositionedFunction[],
  renamed: ReadonlyMap<SymbolDraft, SymbolDraft>,
  replace: boolean,
): ObjectDraft {
  const objects = [...new Set(functions.map(({ object }) => object))].sort(
    (a, b) => Number(b === 'vmlinux') - Number(a === 'vmlinux') || (a < b ? -1 : 1),
  )
  const relocations: RelocationDraft[] = []
  const texts: Buffer[] = []
  let textSize = 0
  const text: SectionDraft = {
    name: '.rodata.livepatch',
    type: sectionType.progbits,
    flags: sectionFlag.alloc,
    align: 1,
    entrySize: 0,
    data: 0,
    relocations: [],
  }
  const objectsAt = layout.patch.size
  const functionsAt = objectsAt + layout.object.size * (objects.length + 1)
  // Each object's list of functions ends with an empty one.
  const bytes = Buffer.alloc(functionsAt + layout.func.size * (functions.length + objects.length))
  const data: SectionDraft = {
    name: '.data.livepatch',
    type: sectionType.progbits,
    flags: sectionFlag.alloc | sectionFlag.write,
    align: 32,
    entrySize: 0,
    data: bytes,
    relocations,
  }
  const dataSymbol = sectionSymbol(data)
  const textSymbol = sectionSymbol(text)
  const patch: SymbolDraft = {
    name: 'inarch_patch',
    value: 0,
    size: layout.patch.size,
    binding: 'global',
    type: 'object',
    visibility: 0,
    place: data,
  }
  const module: SymbolDraft = { ...patch, name: '__this_module', size: 0, type: 'none', place: 'undefined' }
  const point = (offset: number, symbol: SymbolDraft, addend: number) =>
    relocations.push({ offset, type: relocationType.abs64, symbol, addend })
  const pointToText = (offset: number, value: string) => {
    point(offset, textSymbol, textSize)
    const line = Buffer.from(`${value}\0`, 'latin1')
    texts.push(line)
    textSize += line.length
  }

  point(layout.patch.mod, module, 0)
  point(layout.patch.objs, dataSymbol, objectsAt)
  bytes.writeUInt8(replace ? 1 : 0, layout.patch.replace)
  let functionAt = functionsAt
  objects.forEach((object, index) => {
    const at = objectsAt + layout.object.size * index
    // An object without a name is vmlinux.
    if (object !== 'vmlinux') pointToText(at + layout.object.name, object)
    point(at + layout.object.funcs, dataSymbol, functionAt)
    for (const replaced of functions.filter((candidate) => candidate.object === object)) {
      pointToText(functionAt + layout.func.oldName, replaced.before.name)
      point(functionAt + layout.func.newFunc, renamed.get(replaced.symbol) ?? replaced.symbol, 0)
      bytes.writeBigUInt64LE(BigInt(replaced.sympos), functionAt + layout.func.oldSympos)
      functionAt += layout.func.size
    }
    functionAt += layout.func.size
  })
  text.data = Buffer.concat(texts)
  return {
    sections: [data, text],
    symbols: [dataSymbol, textSymbol, patch, module],
  }
}

/** Puts objects into one. Tables that the kernel looks up by name become one table. */
function join(drafts: readonly ObjectDraft[]): ObjectDraft {
  const sections: SectionDraft[] = []
  const symbols = drafts.flatMap((draft) => [...draft.symbols])
  const tables = new Map<string, SectionDraft>()
  for (const section of drafts.flatMap((draft) => draft.sections)) {
    const known = tables.get(section.name)
    const isTable = relocationsPerEntry(section) !== undefined
    if (known === undefined || !isTable) {
      if (isTable) tables.set(section.name, section)
      sections.push(section)
      continue
    }
    if (typeof known.data === 'number' || typeof section.data === 'number') continue
    const align = Math.max(known.align, 1)
    const base = known.data.length + ((align - (known.data.length % align)) % align)
    known.data = Buffer.concat([known.data, Buffer.alloc(base - known.data.length), section.data])
    for (const relocation of section.relocations)
      known.relocations.push({ ...relocation, offset: relocation.offset + base })
    for (const symbol of symbols)
      if (symbol.place === section) {
        symbol.place = known
        symbol.value += base
      }
  }
  return { sections, symbols }
}

/** Makes every undefined global that another part defines the same symbol. */
function link(draft: ObjectDraft): ObjectDraft {
  const defined = new Map<string, SymbolDraft>()
  const undefinedOnes = new Map<string, SymbolDraft>()
  for (const symbol of draft.symbols)
    if (symbol.binding !== 'local' && symbol.place !== 'undefined') defined.set(symbol.name, symbol)
  const by = new Map<SymbolDraft, SymbolDraft>()
  for (const symbol of draft.symbols) {
    if (symbol.place !== 'undefined') {
      by.set(symbol, symbol)
      continue
    }
    const first = defined.get(symbol.name) ?? undefinedOnes.get(symbol.name) ?? symbol
    if (first === symbol) undefinedOnes.set(symbol.name, symbol)
    by.set(symbol, first)
  }
  substitute(draft.sections, by)
  return { sections: draft.sections, symbols: [...new Set(by.values())] }
}

async function runObjtool(job: Job, kernel: Kernel, template: Template, object: Buffer) {
  return await withScratch(async (dir) => {
    const file = path.join(dir, 'livepatch.o')
    await writeFile(file, object)
    const program = path.join(kernel.source, 'tools/objtool/objtool')
    const { exitCode, stdout, stderr } = await command(program, [...template.objtool, file], {
      cwd: kernel.source,
      // Debian's objtool for several architectures is told by kbuild's variable which one to be.
      env: { SRCARCH: 'x86' },
      signal: job.signal,
      allowFailure: true,
    })
    const said = `${stdout}${stderr}`.replaceAll(`${file}: `, '').trim()
    if (exitCode !== 0)
      throw new Fault('unexpected', 'objtool-failed', 'objtool refuses the code of the patch', {
        detail: said.split('\n').slice(-20).join('\n'),
        remedy: 'Report this with the patch and the kernel version',
      })
    // livepatch enters a function by a return, which needs no ENDBR at its start.
    const harmless = /\.data\.livepatch\+0x[0-9a-f]+: data relocation to !ENDBR/
    const warnings = said.split('\n').filter((line) => line !== '' && !harmless.test(line))
    return { bytes: await readFile(file), warnings }
  })
}

/** Bytes of a symbol's name that every kernel's livepatch code reads (kernel/livepatch/core.c). */
const longestName = 127

/** The finished module: references become what the kernel understands. */
function finish(
  bytes: Buffer,
  named: ReadonlyMap<string, Binding>,
  exported: (name: string) => KernelExport | undefined,
  layout: Layout,
  warnings: readonly string[],
): Assembled {
  const findings: Finding[] = warnings.map((message) => ({ severity: 'warning', rule: 'objtool', message }))
  const versions = new Map<string, number>()
  const version = (name: string, crc: number) => versions.set(name, crc)
  const late = new Map<SymbolDraft, Binding & { kind: 'livepatch' }>()
  const object = readObject(bytes, 'livepatch.o')
  const used = new Set(
    object.sections.flatMap((section) => object.relocations(section).map((relocation) => relocation.symbol)),
  )
  const draft = redraft(
    object,
    ({ name }) => !/^\.(discard\.|comment$|note\.GNU-stack$|llvm)/.test(name),
    (symbol, asRead) => {
      if (symbol.place !== 'undefined' || symbol.binding === 'local') return asRead
      if (!used.has(symbol)) return asRead
      const binding = named.get(symbol.name)
      if (binding?.kind === 'livepatch') {
        const name = `.klp.sym.${binding.object}.${binding.name},${binding.sympos}`
        if (binding.name.length > longestName)
          findings.push({
            severity: 'error',
            rule: 'symbol-name-too-long',
            symbol: binding.name,
            message: `The name of the symbol ${binding.name} is too long for a live patch`,
          })
        const changed: SymbolDraft = { ...asRead, name, place: 'livepatch' }
        late.set(changed, binding)
        return changed
      }
      const crc = binding?.crc ?? exported(symbol.name)?.crc
      if (crc === undefined) {
        findings.push({
          severity: 'error',
          rule: 'no-symbol',
          symbol: symbol.name,
          message: `The module needs ${symbol.name}, which the kernel does not export`,
        })
        return asRead
      }
      version(symbol.name, crc)
      return binding === undefined ? asRead : { ...asRead, name: binding.name }
    },
  )
  const moduleLayout = exported('module_layout')
  if (moduleLayout !== undefined) version('module_layout', moduleLayout.crc)

  for (const section of draft.sections) {
    if (section.name === '__jump_table') leaveOutTracepoints(section, late, findings)
    separate(section, late, draft, findings)
  }
  const symbols = draft.symbols.filter((symbol) => symbol.place !== 'undefined' || versions.has(symbol.name))
  const sections = [...draft.sections, versionTable(versions, layout)]
  return { bytes: writeObject({ sections, symbols }), findings }
}

/**
 * A tracepoint of a module that may come later can't be switched on in replaced code: its jump label
 * would have to be known when the patch is loaded. Without its entry it stays off, as it is by default.
 */
function leaveOutTracepoints(
  table: SectionDraft,
  late: ReadonlyMap<SymbolDraft, Binding & { kind: 'livepatch' }>,
  findings: Finding[],
): void {
  const { data, relocations } = table
  if (typeof data === 'number') return
  const kept: Buffer[] = []
  const keptRelocations: RelocationDraft[] = []
  const lost = new Set<string>()
  let size = 0
  for (let index = 0; index < relocations.length; index += 3) {
    const entry = relocations.slice(index, index + 3)
    const start = entry[0]?.offset ?? 0
    const end = relocations[index + 3]?.offset ?? data.length
    const key = entry[2] === undefined ? undefined : late.get(entry[2].symbol)
    const tracepoint = key !== undefined && key.when !== 'vmlinux' && /^__tracepoint_(.*)$/.exec(key.name)
    if (tracepoint) {
      lost.add(tracepoint[1] ?? '')
      continue
    }
    for (const relocation of entry)
      keptRelocations.push({ ...relocation, offset: relocation.offset - start + size })
    kept.push(data.subarray(start, end))
    size += end - start
  }
  if (lost.size === 0) return
  table.data = Buffer.concat(kept)
  table.relocations = keptRelocations
  findings.push({
    severity: 'warning',
    rule: 'tracepoint-lost',
    message: `In the replaced functions these tracepoints of the module stay off: ${[...lost].sort().join(', ')}`,
    hint: 'Trace the function by its entry instead, for instance with ftrace',
  })
}

/** Moves the relocations that livepatch resolves into sections of their own. */
function separate(
  section: SectionDraft,
  late: ReadonlyMap<SymbolDraft, Binding & { kind: 'livepatch' }>,
  draft: ObjectDraft,
  findings: Finding[],
): void {
  const groups = new Map<string, RelocationDraft[]>()
  const ordinary: RelocationDraft[] = []
  for (const relocation of section.relocations) {
    const binding = late.get(relocation.symbol)
    if (binding === undefined) {
      ordinary.push(relocation)
      continue
    }
    if (binding.when !== 'vmlinux' && !isPlain(section, relocation, draft)) {
      const message = `${section.name} needs ${binding.name} of the module ${binding.object} when the patch is loaded, but the module may come later`
      if (!findings.some((finding) => finding.message === message))
        findings.push({
          severity: 'error',
          rule: 'late-special-section',
          symbol: binding.name,
          message,
          hint: 'Avoid static keys, static calls and alternatives of the module in the patched code',
        })
    }
    const name = `.klp.rela.${binding.when}.${section.name}`
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [relocation])
    else group.push(relocation)
  }
  section.relocations = ordinary
  section.livepatchRelocations = [...groups].map(([name, relocations]) => ({ name, relocations }))
}

/** Tables by which the kernel rewrites code while it loads a module. */
const rewriting: ReadonlySet<string> = new Set([
  '.altinstructions',
  '.parainstructions',
  '.static_call_sites',
  '__jump_table',
])

/** True when the kernel does not look at, or rewrite, the place while it loads the patch. */
function isPlain(section: SectionDraft, relocation: RelocationDraft, draft: ObjectDraft): boolean {
  if (relocationsPerEntry(section) !== undefined) return false
  if (section.name === '.altinstr_replacement' || section.name.startsWith('.orc')) return false
  if ((section.flags & sectionFlag.exec) === 0) return true
  const { offset } = relocation
  for (const table of draft.sections) {
    const perEntry = rewriting.has(table.name) ? relocationsPerEntry(table) : undefined
    if (perEntry === undefined || typeof table.data === 'number') continue
    for (let index = 0; index < table.relocations.length; index += perEntry) {
      const first = table.relocations[index]
      if (first?.symbol.place !== section) continue
      const start = first.symbol.value + first.addend
      const end = table.relocations[index + perEntry]?.offset ?? table.data.length
      const length =
        table.name === '.altinstructions'
          ? (table.data[end - 2] ?? 16)
          : table.name === '.parainstructions'
            ? (table.data[first.offset + 9] ?? 16)
            : lengthOfPatchedInstruction(section, start)
      if (offset + 4 > start && offset < start + length) return false
    }
  }
  return true
}

/** A jump label may be short (`jmp rel8`, or its nop); everything else is a call or jump of 5 bytes. */
function lengthOfPatchedInstruction({ data }: SectionDraft, start: number): number {
  const opcode = typeof data === 'number' ? undefined : data[start]
  return opcode === 0xeb || opcode === 0x66 ? 2 : 5
}

/** `__versions`: struct modversion_info of every symbol that the module takes from the kernel. */
function versionTable(versions: ReadonlyMap<string, number>, layout: Layout): SectionDraft {
  const { size, crc, name } = layout.version
  const names = [...versions.keys()].sort()
  const data = Buffer.alloc(size * names.length)
  names.forEach((symbol, index) => {
    if (symbol.length >= size - name)
      throw new Fault(
        'refused',
        'symbol-name-too-long',
        `The name of the symbol ${symbol} is too long for the kernel`,
      )
    data.writeUInt32LE(versions.get(symbol) ?? 0, size * index + crc)
    data.write(symbol, size * index + name, 'latin1')
  })
  return {
    name: '__versions',
    type: sectionType.progbits,
    flags: sectionFlag.alloc,
    align: 32,
    entrySize: 0,
    data,
    relocations: [],
  }
}
