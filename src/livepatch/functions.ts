// SPDX-License-Identifier: GPL-3.0-or-later
// The functions that a live patch replaces, each compared with what the host has: with memory, or with the file of a
// module that is not loaded.
import { setTimeout } from 'node:timers/promises'
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import { defined } from '../ground/values/defined.ts'
import { type CodeMismatch, type Comparison, compare } from '../match/compare.ts'
import { describe, instructionsOf } from '../match/difference-text.ts'
import { type Expectation, sizeOf } from '../match/expectation.ts'
import { unpackExpectation } from '../match/record.ts'
import type { Manifest } from '../module/manifest/manifest.ts'
import { hookSize, landingPadSize } from '../x86/entry.ts'
import type { Core } from './core.ts'
import { type CoreJump, readCoreJump } from './core-jump.ts'
import { readEntryHook } from './entry-hook.ts'
import { type Hook, type Hooks, hooksOf, type Place } from './hooks.ts'
import type { Host } from './host.ts'
import type { HostState } from './host-state.ts'
import { type Memory, memoryOf } from './memory.ts'
import { type ModuleFile, type NoFile, openModuleFile } from './module-file.ts'
import { replaces } from './patches.ts'
import { problemOf } from './references.ts'
import type { RunningSymbols } from './symbols.ts'

type FunctionEntry = Manifest['objects'][number]['functions'][number]
/** A function of which there may be no more than its name: without a manifest nobody knows what its code must be. */
export type KnownFunction = Pick<FunctionEntry, 'name' | 'sympos'> & Partial<FunctionEntry>

/** Why nothing was compared. */
const unknown = 'there is no manifest that says what it must be'

/** What was found about one function that the live patch replaces. */
export interface VerifiedFunction {
  readonly object: string
  readonly name: string
  readonly sympos: number
  /** Undefined when there is no manifest. */
  readonly unit?: string
  /**
   * `missing`: the kernel has no such symbol; `absent`: it belongs to a module that the host does not have; `unseen`:
   * it can't be compared.
   */
  readonly code: 'matches' | 'differs' | 'missing' | 'absent' | 'unseen'
  /** Why it is missing, absent or unseen. */
  readonly problem?: string
  /** With what it was compared: the kernel's memory, or the file of a module that is not loaded. */
  readonly comparedWith: 'memory' | 'file'
  /** Where it is in memory, hexadecimal. */
  readonly address?: string
  /** Bytes; undefined when there is no manifest. */
  readonly size?: number
  /** Places that the kernel has rewritten since it was linked. */
  readonly rewritten?: number
  /** The first instruction that differs. */
  readonly difference?: {
    /** Bytes from the function's start; of a part that lies elsewhere, from that part's. */
    readonly offset: number
    readonly part: number
    readonly address: string
    /** The instruction in hexadecimal, as it should be and as it is. */
    readonly ours: string
    readonly theirs: string
    readonly why: CodeMismatch['why']
    /** What differs, in a clause. */
    readonly text: string
  }
  readonly hooks: readonly Hook[]
  /** How the core leads its calls away, where one of its live patches replaces it now. */
  readonly led?: 'jump' | 'ftrace' | 'nowhere'
}

/** What is seen of a host. */
export interface Sight {
  readonly host: Host
  readonly condition: HostState
  readonly hooks: Hooks
  readonly symbols: RunningSymbols
  readonly core: Core | undefined
}

/**
 * Compares the functions of one kernel object.
 * @throws Fault `usage/no-expectation`, `usage/bad-manifest`
 */
export async function verifyObject(
  job: Job,
  sight: Sight,
  object: string,
  functions: readonly KnownFunction[],
): Promise<VerifiedFunction[]> {
  const { condition, core, symbols, hooks } = sight
  const verified: VerifiedFunction[] = []
  if (object === 'vmlinux' || condition.modules.includes(object)) {
    const jumps = core === undefined ? [] : jumpsOf(sight, core, object, functions)
    const memory = core && memoryOf(object, core, symbols, hooks.kprobes, new Set(jumps.map(({ address }) => address)))
    for (const one of functions) verified.push(await inMemory(job, sight, memory, object, one))
    return verified
  }
  const file = await openModuleFile(job, sight.host, condition.release, object)
  for (const one of functions) verified.push(await inFile(job, file, object, one))
  return verified
}

/** The jumps behind the entries of these functions that lead to live patches which the core carries. */
function jumpsOf(
  { condition, symbols }: Sight,
  core: Core,
  object: string,
  functions: readonly Pick<KnownFunction, 'name' | 'sympos'>[],
): CoreJump[] {
  const carried = carriedNow(condition)
  return functions.flatMap(({ name, sympos }) => {
    const symbol = symbols.lookup(object, name)[Math.max(0, sympos - 1)]
    const jump = symbol && readCoreJump(core, symbols, symbol.address)
    const module = jump?.leads?.module
    return jump !== undefined && carried.some((patch) => patch.name === module) ? [jump] : []
  })
}

const carriedNow = ({ patches = [] }: HostState) => patches.filter(({ model }) => model !== 'kernel')

/**
 * How a function's calls are led away that a live patch of the core replaces; undefined for one that none does.
 * `nowhere`: its live patch is at rest, and neither a jump nor a hook is there.
 */
function ledBy(
  { condition, symbols, core }: Sight,
  { object, name, sympos }: { readonly object: string; readonly name: string; readonly sympos: number },
  address: bigint,
): VerifiedFunction['led'] {
  const replacing = carriedNow(condition).filter((patch) => replaces(patch, object, name, sympos))
  if (replacing.length === 0 || core === undefined) return undefined
  const jump = readCoreJump(core, symbols, address)
  if (replacing.some((patch) => patch.name === jump?.leads?.module)) return 'jump'
  if (readEntryHook(core, symbols, address)?.kind === 'call') return 'ftrace'
  return replacing.some(({ moving }) => moving) ? undefined : 'nowhere'
}

/** What is the same in every outcome. */
const about = (object: string, { name, sympos, unit }: KnownFunction, expected: Expectation | undefined) => ({
  object,
  name,
  sympos,
  ...(expected === undefined ? {} : { unit: unit ?? '', size: sizeOf(expected) }),
})

async function inMemory(
  job: Job,
  sight: Sight,
  memory: Memory | undefined,
  object: string,
  entry: KnownFunction,
): Promise<VerifiedFunction> {
  const { hooks, condition, symbols } = sight
  const expected = expectationOf(entry)
  const known = { ...about(object, entry, expected), comparedWith: 'memory' } as const
  const problem = problemOf({ object, ...entry }, symbols)
  const symbol = symbols.lookup(object, entry.name)[Math.max(0, entry.sympos - 1)]
  if (problem !== undefined || symbol === undefined)
    return { ...known, code: 'missing', problem: problem ?? 'it has no address', hooks: [] }
  const { address } = symbol
  const comparison = memory && expected && (await compareTwice(job, expected, memory, address))
  const place: Place = {
    object,
    name: entry.name,
    sympos: entry.sympos,
    address,
    // Without a size only what sits at its entry is known to be its own.
    parts: [
      { name: entry.name, address, size: known.size ?? hookSize + landingPadSize },
      ...(expected === undefined ? [] : partsElsewhere(expected, object, symbols)),
    ],
  }
  const nameOf = (at: bigint) => {
    const found = symbols.nearest(at)
    return found && `${found.name}+0x${found.offset.toString(16)}`
  }
  return {
    ...known,
    address: hex(address),
    ...(comparison === undefined
      ? { code: 'unseen', problem: expected === undefined ? unknown : 'the kernel’s memory can’t be read' }
      : await outcomeOf(job, comparison, nameOf)),
    hooks: hooksOf(place, hooks, condition.patches ?? [], memory, symbols),
    ...defined({ led: ledBy(sight, known, address) }),
  }
}

/** ms after which a change that the kernel makes in its code, processor by processor, is over. */
const settled = 50

/** Compares with memory; what differs once may be a change that the kernel is just making, and is looked at again. */
async function compareTwice(job: Job, expected: Expectation, memory: Memory, address: bigint): Promise<Comparison> {
  const first = compare(expected, memory, address)
  if (first.matches) return first
  await setTimeout(settled, undefined, { signal: job.signal })
  return compare(expected, memory, address)
}

/** The parts of the function that lie elsewhere, such as the code that the compiler takes to be cold. */
function partsElsewhere({ parts }: Expectation, object: string, symbols: RunningSymbols): Place['parts'] {
  return parts.slice(1).flatMap(({ name, code }) => {
    const [only, ...others] = name === undefined ? [] : symbols.lookup(object, name)
    return only === undefined || others.length > 0
      ? []
      : [{ name: only.name, address: only.address, size: Buffer.byteLength(code, 'base64') }]
  })
}

async function inFile(
  job: Job,
  file: ModuleFile | NoFile,
  object: string,
  entry: KnownFunction,
): Promise<VerifiedFunction> {
  const expected = expectationOf(entry)
  const known = { ...about(object, entry, expected), comparedWith: 'file', hooks: [] } as const
  if ('problem' in file) return { ...known, code: file.absent ? 'absent' : 'unseen', problem: file.problem }
  const address = file.addressOf(entry.name, entry.sympos)
  if (address === undefined)
    return { ...known, code: 'missing', problem: `the file of ${object} has no such symbol ${entry.name}` }
  if (expected === undefined) return { ...known, code: 'unseen', problem: unknown }
  return { ...known, ...(await outcomeOf(job, compare(expected, file.running, address))) }
}

const hex = (address: bigint) => `0x${address.toString(16)}`

async function outcomeOf(
  job: Job,
  comparison: Comparison,
  nameOf?: (address: bigint) => string | undefined,
): Promise<Pick<VerifiedFunction, 'code' | 'rewritten' | 'difference'>> {
  if (comparison.matches) return { code: 'matches', rewritten: comparison.rewritten }
  const { at, part, address, ours, theirs, why } = comparison
  const [instructions = { ours, theirs }] = await instructionsOf(job, [comparison])
  const text = describe(comparison, instructions, nameOf)
  return { code: 'differs', difference: { offset: at, part, address: hex(address), ours, theirs, why, text } }
}

/** @returns undefined without a manifest. @throws Fault `usage/no-expectation`, `usage/bad-manifest` */
function expectationOf({ name, match, unit }: KnownFunction): Expectation | undefined {
  if (unit === undefined) return undefined
  if (match === undefined)
    throw new Fault('usage', 'no-expectation', `The manifest does not say what the code of ${name} must be`, {
      remedy: 'Build the live patch again with `inarch build`',
    })
  return unpackExpectation(match.expected)
}
