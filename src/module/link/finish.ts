// SPDX-License-Identifier: GPL-3.0-or-later
// Finishes a live patch module behind objtool: the references to the running kernel become what the
// kernel understands, and the versions of exported symbols are added.
import { readObject } from '../../elf/read.ts'
import { redraft } from '../../elf/redraft.ts'
import { type SectionDraft, type SymbolDraft, writeObject } from '../../elf/write.ts'
import { Fault } from '../../ground/fault.ts'
import type { Finding } from '../../ground/finding.ts'
import type { KernelNames } from '../../match/names.ts'
import type { Binding } from '../bind/bind.ts'
import { anchor, type Distance, distanceFromAnchor } from '../bind/distance.ts'
import { ownSection } from '../structures/tables.ts'
import type { ModuleLayout } from '../structures/template.ts'
import { imageSymbol, referencesSymbol, referenceTables } from './kernel-references.ts'
import { leaveOutTracepoints, moveLivepatchRelocations, type PlaceFromAnchor } from './livepatch-relocations.ts'
import type { BoundSymbol, Target } from './target.ts'

export interface Assembled {
  readonly bytes: Buffer
  readonly bound: readonly BoundSymbol[]
  readonly findings: readonly Finding[]
}

type LivepatchBinding = Binding & { kind: 'livepatch' }

/** Bytes of a symbol's name that every kernel's livepatch code reads (kernel/livepatch/core.c). */
const longestName = 127

/** The finished module: references become what the kernel understands. */
export function finish(
  bytes: Buffer,
  named: ReadonlyMap<string, Binding>,
  { names, identity, mode }: Target,
  layout: ModuleLayout,
  warnings: readonly string[],
): Assembled {
  const findings: Finding[] = warnings.map((message) => ({ severity: 'warning', rule: 'objtool', message }))
  const versions = new Map<string, number>()
  const livepatchSymbols = new Map<SymbolDraft, LivepatchBinding>()
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
        const changed: SymbolDraft = { ...asRead, name, place: 'livepatch' }
        livepatchSymbols.set(changed, binding)
        return changed
      }
      if (symbol.name === imageSymbol || symbol.name === referencesSymbol) return asRead
      // Not by objtool's name, which a private symbol of the same name makes another.
      const name = binding?.name ?? symbol.name
      const crc = binding?.kind === 'exported' ? binding.crc : names.exported(name)?.crc
      if (crc === undefined) {
        findings.push({
          severity: 'error',
          rule: 'no-symbol',
          symbol: name,
          message: `The module needs ${name}, which the kernel does not export`,
        })
        return asRead
      }
      versions.set(name, crc)
      return { ...asRead, name }
    },
  )
  const moduleLayout = names.exported('module_layout')
  if (moduleLayout !== undefined) versions.set('module_layout', moduleLayout.crc)

  const anchorSymbol = draft.symbols.find(({ name, place }) => name === anchor && place === 'undefined')
  const distances = mode === 'klp' || identity.buildId === undefined ? new Map() : distancesTo(livepatchSymbols, names)
  const fromAnchor = new Map<SymbolDraft, PlaceFromAnchor>()
  if (anchorSymbol !== undefined)
    for (const [symbol, { bytes }] of distances) fromAnchor.set(symbol, { anchor: anchorSymbol, bytes })
  const byDistance = new Set<SymbolDraft>()
  for (const section of draft.sections) {
    if (section.name === '__jump_table') leaveOutTracepoints(section, livepatchSymbols, findings)
    for (const symbol of moveLivepatchRelocations(section, livepatchSymbols, draft, findings, fromAnchor))
      byDistance.add(symbol)
  }
  const lookedUp = new Set(
    draft.sections.flatMap(({ livepatchRelocations = [] }) =>
      livepatchRelocations.flatMap(({ relocations }) => relocations.map(({ symbol }) => symbol)),
    ),
  )
  findings.push(...tooLong(lookedUp, livepatchSymbols))
  const tables = referenceTables(
    identity,
    anchorSymbol,
    [...byDistance].flatMap((symbol) => distances.get(symbol) ?? []),
  )
  for (const symbol of draft.symbols) {
    if (symbol.name === imageSymbol) symbol.place = tables.image
    if (symbol.name === referencesSymbol) symbol.place = tables.references
  }
  const symbols = [...draft.symbols, ...tables.symbols].filter(
    (symbol) =>
      (symbol.place !== 'undefined' || versions.has(symbol.name)) &&
      (symbol.place !== 'livepatch' || lookedUp.has(symbol)),
  )
  const sections = [...draft.sections, ...tables.sections, versionTable(versions, layout)]
  const bound = [...livepatchSymbols].flatMap(([symbol, { object, name, sympos }]): BoundSymbol[] => {
    const distance = byDistance.has(symbol) ? distances.get(symbol)?.bytes : undefined
    const byName = lookedUp.has(symbol)
    if (distance === undefined && !byName) return []
    return [{ object, name, sympos, ...(distance === undefined ? {} : { distance }), byName }]
  })
  return { bytes: writeObject({ sections, symbols }), bound, findings }
}

/** Where the livepatch symbols lie that can be reached by distance. */
function distancesTo(late: ReadonlyMap<SymbolDraft, LivepatchBinding>, names: KernelNames): Map<SymbolDraft, Distance> {
  const distanceTo = distanceFromAnchor(names)
  const found = new Map<SymbolDraft, Distance>()
  for (const [symbol, binding] of late) {
    const distance = distanceTo(binding)
    if (distance !== undefined) found.set(symbol, distance)
  }
  return found
}

function tooLong(lookedUp: ReadonlySet<SymbolDraft>, late: ReadonlyMap<SymbolDraft, LivepatchBinding>): Finding[] {
  return [...late].flatMap(([symbol, { name }]): Finding[] => {
    if (!lookedUp.has(symbol) || name.length <= longestName) return []
    const message = `The name of the symbol ${name} is too long for a live patch`
    return [{ severity: 'error', rule: 'symbol-name-too-long', symbol: name, message }]
  })
}

/** `__versions`: struct modversion_info of every symbol that the module takes from the kernel. */
function versionTable(versions: ReadonlyMap<string, number>, layout: ModuleLayout): SectionDraft {
  const { size, crc, name } = layout.version
  const names = [...versions.keys()].sort()
  const data = Buffer.alloc(size * names.length)
  names.forEach((symbol, index) => {
    if (symbol.length >= size - name)
      throw new Fault('refused', 'symbol-name-too-long', `The name of the symbol ${symbol} is too long for the kernel`)
    data.writeUInt32LE(versions.get(symbol) ?? 0, size * index + crc)
    data.write(symbol, size * index + name, 'latin1')
  })
  return ownSection('__versions', 0, 32, data)
}
