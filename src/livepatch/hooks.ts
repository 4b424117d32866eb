// SPDX-License-Identifier: GPL-3.0-or-later
// What hooks a function of the running kernel already, and what that means for a live patch that would replace it.
//
// Of all users of a function's ftrace entry only one may send the call elsewhere (FTRACE_OPS_FL_IPMODIFY): livepatch does.
// A kprobe with a post handler asks for the same, and whoever comes second is refused. BPF's trampolines know how to share
// with it, other direct calls do not. What sits in the body of the old function is never reached any more.
// Facts: kernel/trace/ftrace.c (__ftrace_hash_update_ipmodify, prepare_direct_functions_for_ipmodify), kernel/kprobes.c
// (arm_kprobe_ftrace), kernel/bpf/trampoline.c (bpf_tramp_ftrace_ops_func), of 6.1 and 6.12.
import type { Core } from './core.ts'
import { type Entry, programsOf, readEntry } from './entry.ts'
import { readEnabledFunctions, readTracer, type TracedFunction } from './ftrace.ts'
import { type Host, mountOf } from './host.ts'
import { type Kprobe, type ProbeEvent, readKprobes, readProbeEvents } from './kprobes.ts'
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
  /** Bytes from the function's start. */
  readonly offset: number
  readonly effect: Effect
}

/** A function in the running kernel. */
export interface Place {
  readonly object: string
  readonly name: string
  readonly sympos: number
  readonly address: bigint
  /** Bytes. */
  readonly size: number
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
 * @param core the kernel's memory, where it can be read
 */
export function hooksOf(
  place: Place,
  hooks: Hooks,
  patches: readonly RunningPatch[],
  core: Core | undefined,
  symbols: RunningSymbols,
): readonly Hook[] {
  const entry = core && readEntry(core, symbols, place.address)
  const probes = probesOf(place, hooks)
  const replacing = patches.filter((patch) => replaces(patch, place.object, place.name, place.sympos))
  const all: Hook[] = [
    ...probes.map(({ probe, event }): Hook => {
      const inside = !probe.ftrace && probe.address !== place.address
      return {
        kind: probe.kind,
        name: event,
        offset: Number(probe.address - place.address),
        effect: inside ? 'falls-silent' : 'goes-on',
      }
    }),
    ...replacing.map((patch): Hook => {
      return { kind: 'live-patch', name: patch.name, offset: 0, effect: 'goes-on' }
    }),
  ]
  const record = recordOf(place, hooks, entry)
  const armed = probes.filter(({ probe }) => probe.ftrace && !probe.disabled)
  if (record !== undefined) {
    if (record.redirected && replacing.length === 0) forbid(all, armed.length > 0)
    if (record.direct) all.push(...directHooks(record.trampoline, core, symbols))
    const known = [record.direct, replacing.length > 0, armed.length > 0].filter(Boolean).length
    if (record.users > known)
      all.push({ kind: 'ftrace', name: whoTraces(record, hooks), offset: 0, effect: 'goes-on' })
  } else if (entry?.kind === 'call' && all.length === 0)
    if (entry.leads?.name.startsWith('bpf_trampoline_') === true)
      all.push(...directHooks(entry.leads.name, core, symbols))
    else all.push({ kind: 'ftrace', name: undefined, offset: 0, effect: 'goes-on' })
  if (entry?.kind === 'probe' && hooks.kprobes === undefined)
    all.push({ kind: 'kprobe', name: undefined, offset: 0, effect: 'goes-on' })
  return all
}

/** Somebody besides live patches may send the call elsewhere: a kprobe with a post handler, if one is there at all. */
function forbid(all: Hook[], byProbe: boolean): void {
  const probe = byProbe ? all.findIndex(({ kind, offset }) => kind === 'kprobe' && offset <= 4) : -1
  const found = all[probe]
  if (found === undefined) all.push({ kind: 'unknown', name: undefined, offset: 0, effect: 'forbids' })
  else all[probe] = { ...found, effect: 'forbids' }
}

/** The kprobes in a function, each with the tracing event that it belongs to. */
function probesOf({ object, name, address, size }: Place, { kprobes = [], events }: Hooks) {
  return kprobes
    .filter((probe) => probe.address >= address && probe.address < address + BigInt(Math.max(1, size)))
    .map((probe) => {
      const event = events.find(
        (one) =>
          one.kind === probe.kind &&
          one.symbol === name &&
          one.offset === probe.offset &&
          (one.module === undefined || one.module === object),
      )
      return { probe, event: event?.name }
    })
}

/**
 * What ftrace says of the function. It goes by names; where several functions have this one, memory tells whether
 * this is the one that is called.
 */
function recordOf(
  { object, name }: Place,
  { traced = [] }: Hooks,
  entry: Entry | undefined,
): TracedFunction | undefined {
  const found = traced.filter((one) => one.name === name && (one.module ?? 'vmlinux') === object)
  return entry?.kind === 'free' ? undefined : found[0]
}

function directHooks(
  trampoline: string | undefined,
  core: Core | undefined,
  symbols: RunningSymbols,
): readonly Hook[] {
  if (trampoline?.startsWith('bpf_trampoline_') !== true)
    return [{ kind: 'direct', name: trampoline, offset: 0, effect: 'forbids' }]
  const programs = core === undefined ? [] : programsOf(core, symbols, trampoline)
  return (programs.length > 0 ? programs : [undefined]).map((program) => ({
    kind: 'bpf',
    name: program,
    offset: 0,
    effect: 'goes-on',
  }))
}

/** Callbacks that tell nothing: the one that calls several others, and those of what is listed by itself. */
const notTelling =
  /^(?:arch_ftrace_ops_list_func|ftrace_ops_list_func|kprobe_ftrace_handler|klp_ftrace_handler|ftrace_(?:regs_)?caller|call_direct_funcs)$/

function whoTraces({ callbacks }: TracedFunction, { tracer }: Hooks): string | undefined {
  const telling = callbacks.filter((name) => !notTelling.test(name))
  if (telling.length > 0) return telling.join(', ')
  return tracer === undefined ? undefined : `the tracer ${tracer}`
}
