// SPDX-License-Identifier: GPL-3.0-or-later
// Who uses the ftrace entries of the running kernel's functions, as the tracing file system tells it.
// Format: the kernel's kernel/trace/ftrace.c, t_show(): `NAME [MODULE] (COUNT) FLAGS tramp: … ->CALLBACK`, and below
// it, where a function is called directly, `direct-->NAME`.
import type { Host } from './host.ts'

export interface TracedFunction {
  readonly name: string
  /** Undefined for vmlinux. */
  readonly module: string | undefined
  /** How many users there are. */
  readonly users: number
  /** `I`: one of them may send the call elsewhere. Only one can. */
  readonly redirected: boolean
  /** `D`: a trampoline is called directly, mostly BPF's. */
  readonly direct: boolean
  /**
   * The functions that are called, as far as the kernel tells: with several users often only the one that calls all.
   */
  readonly callbacks: readonly string[]
  /** The trampoline of a direct call. */
  readonly trampoline: string | undefined
}

/** Reads the text of tracefs's enabled_functions. */
export function parseEnabledFunctions(text: string): TracedFunction[] {
  const all: TracedFunction[] = []
  for (const one of text.split('\n')) {
    const direct = /^\s+direct-->(\S+?)(?:\+0x|\s|$)/.exec(one)?.[1]
    const last = all.at(-1)
    if (direct !== undefined && last !== undefined) {
      all[all.length - 1] = { ...last, direct: true, trampoline: direct }
      continue
    }
    const [, name, module, users, rest = ''] = /^(\S+)(?: \[([^\]\s]+)\])? \((\d+)\)(.*)$/.exec(one) ?? []
    if (name === undefined || users === undefined) continue
    const flags = /^[ A-Z]*/.exec(rest)?.[0] ?? ''
    const callbacks = [...rest.matchAll(/\(([A-Za-z_][\w.]*)\+0x|->([A-Za-z_][\w.]*)/g)].flatMap(
      ([, inside, called]) => inside ?? called ?? [],
    )
    all.push({
      name,
      module,
      users: Number(users),
      redirected: flags.includes('I'),
      direct: flags.includes('D'),
      callbacks: [...new Set(callbacks)],
      trampoline: undefined,
    })
  }
  return all
}

/** What is traced on the host; undefined when it can't be seen. */
export function readEnabledFunctions(host: Host, tracefs: string | undefined): readonly TracedFunction[] | undefined {
  if (tracefs === undefined) return undefined
  const text = host.read(`${tracefs}/enabled_functions`)
  return typeof text === 'string' ? parseEnabledFunctions(text) : undefined
}

/** What the host's tracer does now, such as `function`; undefined for none. */
export function readTracer(host: Host, tracefs: string | undefined): string | undefined {
  const tracer = tracefs === undefined ? undefined : host.line(`${tracefs}/current_tracer`)
  return tracer === 'nop' || tracer === '' ? undefined : tracer
}
