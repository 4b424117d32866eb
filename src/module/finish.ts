// SPDX-License-Identifier: GPL-3.0-or-later
// Finishes a live patch module behind objtool: the references to the running kernel become what the
// kernel understands, and the versions of exported symbols are added.
import { sectionFlag, sectionType } from '../elf/format.ts'
import { readObject } from '../elf/read.ts'
import { redraft } from '../elf/redraft.ts'
import { type SectionDraft, type SymbolDraft, writeObject } from '../elf/write.ts'
import { Fault } from '../ground/fault.ts'
import type { Finding } from '../ground/finding.ts'
import type { KernelExport } from '../match/names.ts'
import type { Binding } from './bind.ts'
import { leaveOutTracepoints, separate } from './late.ts'
import type { Layout } from './template.ts'

export interface Assembled {
  readonly bytes: Buffer
  readonly findings: readonly Finding[]
}

/** Bytes of a symbol's name that every kernel's livepatch code reads (kernel/livepatch/core.c). */
const longestName = 127

/** The finished module: references become what the kernel understands. */
export function finish(
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
      const crc = binding?.kind === 'exported' ? binding.crc : exported(symbol.name)?.crc
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
