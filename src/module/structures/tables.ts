// SPDX-License-Identifier: GPL-3.0-or-later
// The kernel's livepatch structures: `inarch_patch`, its objects, their functions and callbacks, and its states,
// as include/linux/livepatch.h lays them out; filled in without a compiler.
import { relocationType, sectionFlag, sectionType } from '../../elf/format.ts'
import { type ObjectDraft, type SectionDraft, type SymbolDraft, sectionSymbol } from '../../elf/write.ts'
import type { CarriedCallback, DeclaredState } from '../../extract/callbacks.ts'
import type { ReplacedFunction } from '../../extract/extraction.ts'
import type { Finding } from '../../ground/finding.ts'
import type { MatchRecord } from '../../match/record.ts'
import type { Layout } from './template.ts'

/** A replaced function with the position of its name in its object. */
export interface PositionedFunction extends ReplacedFunction {
  readonly sympos: number
  /** How it was recognised in the kernel's image. */
  readonly match?: MatchRecord
}

/** The live patch as the kernel knows it: kernel/livepatch.c and kernel/include/inarch.h refer to it. */
export const patchSymbol = 'inarch_patch'

/** What the kernel is to know of a live patch. */
export interface Contents {
  readonly functions: readonly PositionedFunction[]
  readonly callbacks: readonly CarriedCallback[]
  readonly states: readonly DeclaredState[]
  /** Replaces every earlier live patch. */
  readonly replace: boolean
}

/** Findings about what this kernel's livepatch is too old for. */
export function unsupported(layout: Layout, { callbacks, states }: Contents): Finding[] {
  const findings: Finding[] = []
  const refuse = (rule: string, { name, unit }: { name: string; unit: string }, why: string, since: string) =>
    findings.push({ severity: 'error', rule, symbol: name, unit, message: `${why} (Linux ${since} or later)` })
  const [callback] = callbacks
  if (callback !== undefined && layout.object.callbacks === undefined)
    refuse(
      'callbacks-unsupported',
      callback,
      `The patch has a ${callback.kind} callback, and this kernel's livepatch has none`,
      '4.15',
    )
  const [state] = states
  if (state !== undefined && layout.patch.states === undefined)
    refuse(
      'states-unsupported',
      state,
      `The patch declares the state ${state.name}, and this kernel's livepatch knows none`,
      '5.4',
    )
  return findings
}

/** The kernel objects that a live patch is about, vmlinux first. */
export function objectsIn({ functions, callbacks }: Pick<Contents, 'functions' | 'callbacks'>): string[] {
  return objectsOf([...functions, ...callbacks])
}

/** The kernel objects that some things are about, vmlinux first. */
export function objectsOf(all: readonly { readonly object: string }[]): string[] {
  return [...new Set(all.map(({ object }) => object))].sort(
    (a, b) => Number(b === 'vmlinux') - Number(a === 'vmlinux') || (a < b ? -1 : 1),
  )
}

/** A section that Inarch fills in itself; with a number of bytes for its data, one without content. */
export function ownSection(name: string, flags: number, align: number, data: SectionDraft['data']): SectionDraft {
  const type = typeof data === 'number' ? sectionType.nobits : sectionType.progbits
  return { name, type, flags: sectionFlag.alloc | flags, align, entrySize: 0, data, relocations: [] }
}

/**
 * `inarch_patch`, its objects, their functions and callbacks, and its states, as include/linux/livepatch.h lays them
 * out.
 */
export function livepatchTables(
  layout: Layout,
  contents: Contents,
  renamed: ReadonlyMap<SymbolDraft, SymbolDraft>,
): ObjectDraft {
  const { functions, callbacks, states, replace } = contents
  const objects = objectsIn(contents)
  const texts: Buffer[] = []
  let textSize = 0
  const text = ownSection('.rodata.livepatch', 0, 1, Buffer.alloc(0))
  const objectsAt = layout.patch.size
  const functionsAt = objectsAt + layout.object.size * (objects.length + 1)
  // Each object's list of functions ends with an empty one, and so do the states.
  const statesAt = functionsAt + layout.func.size * (functions.length + objects.length)
  const hasStates = states.length > 0 && layout.patch.states !== undefined
  const bytes = Buffer.alloc(statesAt + (hasStates ? layout.state.size * (states.length + 1) : 0))
  const data = ownSection('.data.livepatch', sectionFlag.write, 32, bytes)
  const { relocations } = data
  const dataSymbol = sectionSymbol(data)
  const textSymbol = sectionSymbol(text)
  const patch: SymbolDraft = {
    name: patchSymbol,
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
    for (const { kind, symbol } of callbacks.filter((candidate) => candidate.object === object))
      if (layout.object.callbacks !== undefined)
        point(at + layout.object.callbacks[kind], renamed.get(symbol) ?? symbol, 0)
    for (const replaced of functions.filter((candidate) => candidate.object === object)) {
      pointToText(functionAt + layout.func.oldName, replaced.before.name)
      point(functionAt + layout.func.newFunc, renamed.get(replaced.symbol) ?? replaced.symbol, 0)
      bytes.writeBigUInt64LE(BigInt(replaced.sympos), functionAt + layout.func.oldSympos)
      functionAt += layout.func.size
    }
    functionAt += layout.func.size
  })
  if (hasStates && layout.patch.states !== undefined) {
    point(layout.patch.states, dataSymbol, statesAt)
    states.forEach(({ id, version }, index) => {
      const at = statesAt + layout.state.size * index
      bytes.writeBigUInt64LE(BigInt(id), at + layout.state.id)
      bytes.writeUInt32LE(version, at + layout.state.version)
    })
  }
  text.data = Buffer.concat(texts)
  return {
    sections: [data, text],
    symbols: [dataSymbol, textSymbol, patch, module],
  }
}
