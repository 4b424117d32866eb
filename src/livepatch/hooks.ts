// SPDX-License-Identifier: GPL-3.0-or-later
// What hooks a function of the running kernel already, and what that means for a live patch that would replace it.
//
// Of all users of a function's ftrace entry only one may send the call elsewhere (FTRACE_OPS_FL_IPMODIFY): livepatch
// does. A kprobe with a post handler asks for the same, and whoever comes second is refused. BPF's trampolines know how
// to share with it, other direct calls do not. What sits in the body of the old function is never reached any more.
// Facts: kernel/trace/ftrace.c (__ftrace_hash_update_ipmodify, prepare_direct_functions_for_ipmodify), kernel/kprobes.c
// (arm_kprobe_ftrace), kernel/bpf/trampoline.c (bpf_tramp_ftrace_ops_func), of 6.1 and 6.12.
import { type EntryHook, programsOf, readEntryHook } from './entry-hook.ts'
import { readEnabledFunctions, readTracer, type TracedFunction } from './ftrace.ts'
import { type Host, mountOf } from './host.ts'
import { type Kprobe, type ProbeEvent, readKprobes, readProbeEvents } from './kprobes.ts'
import type { Memory } from './memory.ts'
import { type RunningPatch, replaces } from './patches.ts'
import type { RunningSymbols } from './symbols.ts'

/** What becomes of a hook when the live patch is loaded. */
export type Effect =
  /** It goes on as before. */
  | 'goes-on'
  /** It stays where it is, and is never reached again. */
  | 'falls-silent'
  /** As long as it is there the kernel refuses the live patch. */
  | 'forbids'

export interface Hook {
  readonly kind: 'kprobe' | 'kretprobe' | 'ftrace' | 'bpf' | 'direct' | 'live-patch' | 'unknown'
  /** A tracing event, a BPF program, a live patch, a callback: as far as it is known. */
  readonly name: string | undefined
  /** Where it sits: bytes from the start of the function, or of a part of it that lies elsewhere. */
  readonly part: string
  readonly offset: number
  readonly effect: Effect
}

/** A function in the running kernel. */
export interface Place {
  readonly object: string
  readonly name: string
  readonly sympos: number
  readonly address: bigint
  /** The function itself, then its parts that lie elsewhere; sizes in bytes. */
  readonly parts: readonly { readonly name: string; readonly address: bigint; readonly size: number }[]
}

/** All hooks of a host; undefined where they can't be seen. */
export interface Hooks {
  readonly tracefs: string | undefined
  readonly debugfs: string | undefined
  readonly kprobes: readonly Kprobe[] | undefined
  readonly events: readonly ProbeEvent[]
  readonly traced: readonly TracedFunction[] | undefined
  readonly tracer: string | undefined
}

/** Reads who hooks what on a host. */
export function readHooks(host: Host): Hooks {
  const debugfs = mountOf(host, 'debugfs')
  const tracefs = mountOf(host, 'tracefs')
  return {
    tracefs,
    debugfs,
    kprobes: readKprobes(host, debugfs),
    events: readProbeEvents(host, tracefs),
    traced: readEnabledFunctions(host, tracefs),
    tracer: readTracer(host, tracefs),
  }
}

/**
 * What hooks one function.
 * @param patches the live patches that are loaded
 * @param memory the kernel's, where it can be read; what it has met there of kprobes counts, if nobody lists them
 */
export function hooksOf(
  place: Place,
  hooks: Hooks,
  patches: readonly RunningPatch[],
  memory: Memory | undefined,
  symbols: RunningSymbols,
): readonly Hook[] {
  const entry = memory && readEntryHook(memory, symbols, place.address)
  const probes = probesOf(place, hooks)
  const replacing = patches.filter((patch) => replaces(patch, place.object, place.name, place.sympos))
  const atEntry = (kind: Hook['kind'], name?: string, effect: Effect = 'goes-on'): Hook => ({
    kind,
    name,
    part: place.name,
    offset: 0,
    effect,
  })
  const all: Hook[] = [
    ...probes.map(({ hook }) => hook),
    ...unlistedProbes(place, memory),
    ...replacing.map(({ name }) => atEntry('live-patch', name)),
  ]
  const direct = (trampoline: string | undefined) => {
    if (trampoline?.startsWith('bpf_trampoline_') !== true) return [atEntry('direct', trampoline, 'forbids')]
    const programs = memory === undefined ? [] : programsOf(memory, symbols, trampoline)
    return (programs.length > 0 ? programs : [undefined]).map((program) => atEntry('bpf', program))
  }
  const record = recordOf(place, hooks, entry)
  if (record === undefined) {
    // Nobody lists it, but memory shows that somebody is called.
    if (entry?.kind !== 'call' || all.some(({ offset, part }) => offset === 0 && part === place.name)) return all
    const leads = entry.leads?.name
    return [...all, ...(leads?.startsWith('bpf_trampoline_') ? direct(leads) : [atEntry('ftrace')])]
  }
  const taken = record.redirected && replacing.length === 0
  const armed = probes.filter(({ probe }) => probe.ftrace && !probe.disabled)
  if (taken) {
    // A kprobe with a post handler; if there is none, something that is not listed anywhere.
    const culprit = armed.find(({ probe }) => probe.kind === 'kprobe')?.hook
    if (culprit === undefined) all.push(atEntry('unknown', undefined, 'forbids'))
    else all[all.indexOf(culprit)] = { ...culprit, effect: 'forbids' }
  }
  if (record.direct) all.push(...direct(record.trampoline))
  const known = [record.direct, replacing.length > 0, armed.length > 0].filter(Boolean).length
  if (record.users > known && !(taken && record.users === known + 1))
    all.push(atEntry('ftrace', whoTraces(record, hooks)))
  return all
}

/** The kprobes in a function, each with the tracing event that it belongs to. */
function probesOf({ object, parts }: Place, { kprobes = [], events }: Hooks) {
  const unclaimed = new Set(events)
  return parts.flatMap(({ name, address, size }) =>
    kprobes
      .filter((probe) => probe.address >= address && probe.address < address + BigInt(Math.max(1, size)))
      .map((probe) => {
        const fits = (one: ProbeEvent, offset: number) =>
          one.kind === probe.kind &&
          one.symbol === name &&
          one.offset === offset &&
          (one.module === undefined || one.module === object)
        // Behind a landing pad the entry is four bytes further than the event says.
        const event =
          [...unclaimed].find((one) => fits(one, probe.offset)) ??
          [...unclaimed].find((one) => probe.ftrace && fits(one, 0))
        if (event !== undefined) unclaimed.delete(event)
        const hook: Hook = {
          kind: probe.kind,
          name: event?.name,
          part: name,
          offset: Number(probe.address - address),
          effect: probe.ftrace || probe.offset === 0 ? 'goes-on' : 'falls-silent',
        }
        return { probe, hook }
      }),
  )
}

/** Kprobes that show in memory only. */
function unlistedProbes({ parts }: Place, memory: Memory | undefined): Hook[] {
  return parts.flatMap(({ name, address, size }) =>
    [...(memory?.unlisted ?? [])]
      .filter((at) => at >= address && at < address + BigInt(size))
      .map((at): Hook => {
        const offset = Number(at - address)
        return {
          kind: 'kprobe',
          name: undefined,
          part: name,
          offset,
          effect: offset === 0 ? 'goes-on' : 'falls-silent',
        }
      }),
  )
}

/**
 * What ftrace says of the function. It goes by names; where several functions have this one, memory tells whether
 * this is the one that is called.
 */
function recordOf(
  { object, name }: Place,
  { traced = [] }: Hooks,
  entry: EntryHook | undefined,
): TracedFunction | undefined {
  const found = traced.filter((one) => one.name === name && (one.module ?? 'vmlinux') === object)
  return entry?.kind === 'free' ? undefined : found[0]
}

/** Callbacks that tell nothing: the one that calls several others, and those of what is listed by itself. */
const notTelling =
  /^(?:arch_ftrace_ops_list_func|ftrace_ops_list_func|kprobe_ftrace_handler|klp_ftrace_handler|ftrace_(?:regs_)?caller|call_direct_funcs)$/

function whoTraces({ callbacks }: TracedFunction, { tracer }: Hooks): string | undefined {
  const telling = callbacks.filter((name) => !notTelling.test(name))
  if (telling.length > 0) return telling.join(', ')
  return tracer === undefined ? undefined : `the tracer ${tracer}`
}
