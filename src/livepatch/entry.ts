// SPDX-License-Identifier: GPL-3.0-or-later
// The place at a function's start where the running kernel hooks in: ftrace's call, or the nop that stands there while
// nobody is interested. Tells who is called there from memory alone, also when the tracing file systems are hidden.
// Facts: the kernel's arch/x86/kernel/ftrace.c, arch/x86/net/bpf_jit_comp.c.
import type { Core } from './core.ts'
import type { Located, RunningSymbols } from './symbols.ts'

export type Entry =
  /** Nobody hooks in. */
  | { readonly kind: 'free' }
  /** A trampoline is called: ftrace's own, or one of BPF. */
  | { readonly kind: 'call'; readonly leads: Located | undefined }
  /** A kprobe's breakpoint, or its jump. */
  | { readonly kind: 'probe' }
  /** Something else. */
  | { readonly kind: 'other' }

const nop = Buffer.from([0x0f, 0x1f, 0x44, 0x00, 0x00])
/** ENDBR64, and what the kernel writes over it where nothing calls the function through a pointer. */
const landings = [Buffer.from([0xf3, 0x0f, 0x1e, 0xfa]), Buffer.from([0x66, 0x0f, 0x1f, 0x00])]

/** @returns what stands at the entry of the function at `address`; undefined when it can't be read */
export function readEntry(
  core: Pick<Core, 'read'>,
  symbols: RunningSymbols,
  address: bigint,
): Entry | undefined {
  const bytes = core.read(address, 9)
  if (bytes === undefined) return undefined
  const at = landings.some((landing) => bytes.subarray(0, 4).equals(landing)) ? 4 : 0
  const code = bytes.subarray(at, at + 5)
  if (code.equals(nop)) return { kind: 'free' }
  if (code[0] === 0xcc || bytes[0] === 0xcc || code[0] === 0xe9) return { kind: 'probe' }
  if (code[0] !== 0xe8) return { kind: 'other' }
  const target = BigInt.asUintN(64, address + BigInt(at + 5 + code.readInt32LE(1)))
  return { kind: 'call', leads: symbols.nearest(target) }
}

/** The bytes that a BPF trampoline has at most, where no other symbol follows it (the kernel's PAGE_SIZE). */
const trampolineSize = 4096

/**
 * The BPF programs that a trampoline calls.
 * @param name such as `bpf_trampoline_6442523424`
 */
export function programsOf(
  core: Pick<Core, 'read'>,
  symbols: RunningSymbols,
  name: string,
): readonly string[] {
  const found = new Set<string>()
  for (const { address } of symbols.lookup('bpf', name)) {
    const next = symbols.after(address)
    const room = next === undefined ? trampolineSize : Number(next - address)
    const code = core.read(address, Math.min(room, trampolineSize))
    if (code === undefined) continue
    for (let at = code.indexOf(0xe8); at >= 0 && at + 5 <= code.length; at = code.indexOf(0xe8, at + 1)) {
      const program = symbols.programs.get(
        BigInt.asUintN(64, address + BigInt(at + 5 + code.readInt32LE(at + 1))),
      )
      if (program !== undefined) found.add(program)
    }
  }
  return [...found]
}
