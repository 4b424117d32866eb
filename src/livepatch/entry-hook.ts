// SPDX-License-Identifier: GPL-3.0-or-later
// The place at a function's start where the running kernel hooks in: ftrace's call, or the nop that stands there while
// nobody is interested. Tells who is called there from memory alone, also when the tracing file systems are hidden.
// Facts: the kernel's arch/x86/kernel/ftrace.c, arch/x86/net/bpf_jit_comp.c.
import { possibleCalls } from '../x86/branch.ts'
import { hookAt, hookSize, isLandingPad, isSealedPad, landingPadSize } from '../x86/entry.ts'
import { hasBreakpoint, hasProbeJump } from '../x86/kprobe.ts'
import type { Core } from './core.ts'
import type { Located, RunningSymbols } from './symbols.ts'

export type EntryHook =
  /** Nobody hooks in. */
  | { readonly kind: 'free' }
  /** A trampoline is called: ftrace's own, or one of BPF. */
  | { readonly kind: 'call'; readonly leads: Located | undefined }
  /** A kprobe's breakpoint, or its jump. */
  | { readonly kind: 'probe' }
  /** Something else. */
  | { readonly kind: 'other' }

/** @returns what stands at the entry of the function at `address`; undefined when it can't be read */
export function readEntryHook(
  core: Pick<Core, 'read'>,
  symbols: RunningSymbols,
  address: bigint,
): EntryHook | undefined {
  const code = core.read(address, landingPadSize + hookSize)
  if (code === undefined) return undefined
  const at = isLandingPad(code) || isSealedPad(code) ? landingPadSize : 0
  const hook = hookAt(code, at)
  if (hook === 'free') return { kind: 'free' }
  if (hasBreakpoint(code, at) || hasBreakpoint(code, 0) || hasProbeJump(code, at)) return { kind: 'probe' }
  if (hook === undefined) return { kind: 'other' }
  return { kind: 'call', leads: symbols.nearest(BigInt.asUintN(64, address + BigInt(hook))) }
}

/** The bytes that a BPF trampoline has at most, where no other symbol follows it (the kernel's PAGE_SIZE). */
const trampolineSize = 4096

/**
 * The BPF programs that a trampoline calls.
 * @param name such as `bpf_trampoline_6442523424`
 */
export function programsOf(core: Pick<Core, 'read'>, symbols: RunningSymbols, name: string): readonly string[] {
  const found = new Set<string>()
  for (const { address } of symbols.lookup('bpf', name)) {
    const next = symbols.after(address)
    const room = next === undefined ? trampolineSize : Number(next - address)
    const code = core.read(address, Math.min(room, trampolineSize))
    if (code === undefined) continue
    for (const to of possibleCalls(code)) {
      const program = symbols.programs.get(BigInt.asUintN(64, address + BigInt(to)))
      if (program !== undefined) found.add(program)
    }
  }
  return [...found]
}
