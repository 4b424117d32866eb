// SPDX-License-Identifier: GPL-3.0-or-later
// The kprobes that are set on the running kernel, and the names of those that the tracing file system has made.
// Format: the kernel's kernel/kprobes.c, report_probe(); Documentation/trace/kprobetrace.rst.
import type { Host } from './host.ts'

export interface Kprobe {
  /** Where it is set; 0 when the kernel does not show addresses. */
  readonly address: bigint
  /** A return probe sees the end of a function, and is set at its start. */
  readonly kind: 'kprobe' | 'kretprobe'
  readonly symbol: string
  /** Undefined for vmlinux. */
  readonly module: string | undefined
  /** Bytes from the symbol. */
  readonly offset: number
  readonly disabled: boolean
  /** By a jump in place of the breakpoint. */
  readonly optimized: boolean
  /** Through the function's ftrace entry: it writes nothing into the code. */
  readonly ftrace: boolean
}

const line =
  /^([0-9a-f]{16}) {2}([kr]) {2}(\S+?)\+0x([0-9a-f]+)(?:\/0x[0-9a-f]+)?\s+(?:\[?([^\s[\]]+)\]?\s+)?((?:\[[A-Z]+\])*)\s*$/

/** Reads the text of debugfs's kprobes/list; probes whose module has gone are left out. */
export function parseKprobes(text: string): Kprobe[] {
  return text.split('\n').flatMap((one): Kprobe[] => {
    const [, address = '', kind, symbol, offset = '', module, flags = ''] = line.exec(one) ?? []
    if (symbol === undefined || flags.includes('[GONE]')) return []
    return [
      {
        address: BigInt(`0x${address}`),
        kind: kind === 'r' ? 'kretprobe' : 'kprobe',
        symbol,
        module,
        offset: Number.parseInt(offset, 16),
        disabled: flags.includes('[DISABLED]'),
        optimized: flags.includes('[OPTIMIZED]'),
        ftrace: flags.includes('[FTRACE]'),
      },
    ]
  })
}

/** An event that the tracing file system made of a probe. */
export interface ProbeEvent {
  /** `GROUP/EVENT`. */
  readonly name: string
  readonly kind: 'kprobe' | 'kretprobe'
  readonly symbol: string
  readonly module: string | undefined
  readonly offset: number
}

/** Reads the text of tracefs's kprobe_events. */
export function parseProbeEvents(text: string): ProbeEvent[] {
  return text.split('\n').flatMap((one): ProbeEvent[] => {
    const [, kind, name, module, symbol, offset] =
      /^([pr])\d*:(\S+) (?:([^\s:]+):)?([^\s+:]+)(?:\+(\d+|0x[0-9a-f]+))?(?:\s|$)/.exec(one) ?? []
    if (name === undefined || symbol === undefined) return []
    return [
      {
        name,
        kind: kind === 'r' ? 'kretprobe' : 'kprobe',
        module,
        symbol,
        offset: offset === undefined ? 0 : Number(offset),
      },
    ]
  })
}

/** All kprobes of the host; undefined when they can't be seen. */
export function readKprobes(host: Host, debugfs: string | undefined): readonly Kprobe[] | undefined {
  if (debugfs === undefined) return undefined
  const text = host.read(`${debugfs}/kprobes/list`)
  return typeof text === 'string' ? parseKprobes(text) : undefined
}

/** The events of the host's tracing file system that are probes; none when they can't be seen. */
export function readProbeEvents(host: Host, tracefs: string | undefined): readonly ProbeEvent[] {
  if (tracefs === undefined) return []
  const text = host.read(`${tracefs}/kprobe_events`)
  return typeof text === 'string' ? parseProbeEvents(text) : []
}
