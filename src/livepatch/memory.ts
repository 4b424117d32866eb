// SPDX-License-Identifier: GPL-3.0-or-later
// The code of the running kernel as run-pre matching wants it: memory by address, and the addresses that names stand
// for.

import { remembered } from '../ground/values/remembered.ts'
import type { Running } from '../match/running.ts'
import { hasBreakpoint, hasProbeJump, probeJumpSize, probeJumpTo } from '../x86/kprobe.ts'
import type { Core } from './core.ts'
import type { Kprobe } from './kprobes.ts'
import type { RunningSymbols } from './symbols.ts'

/** Memory, and the places in it where a kprobe was met that nobody lists. */
export interface Memory extends Running {
  readonly unlisted: ReadonlySet<bigint>
}

/**
 * The code of a kernel object in memory.
 * @param object `vmlinux` or a loaded module: whose names come first
 * @param kprobes those that are listed; undefined when nobody lists them
 * @param jumps where the core leads calls away
 */
export function memoryOf(
  object: string,
  core: Core,
  symbols: RunningSymbols,
  kprobes: readonly Kprobe[] | undefined,
  jumps: ReadonlySet<bigint> = new Set(),
): Memory {
  const unlisted = new Set<bigint>()
  const probes = kprobes && new Set(kprobes.map(({ address }) => address))
  return {
    live: true,
    unlisted,
    read: core.read,
    addressesOf: remembered((name) => symbols.meant(object, name)),
    probed(address) {
      if (jumps.has(address)) return true
      if (probes !== undefined) return probes.has(address)
      const found = looksProbed(core, symbols, address)
      if (found) unlisted.add(address)
      return found
    },
  }
}

/** Where nobody lists the kprobes: a breakpoint, or a jump to the code that an optimised probe runs. */
function looksProbed(core: Core, symbols: RunningSymbols, address: bigint): boolean {
  const code = core.read(address, probeJumpSize)
  if (code === undefined) return false
  if (hasBreakpoint(code, 0)) return true
  if (!hasProbeJump(code, 0)) return false
  const target = BigInt.asUintN(64, address + BigInt(probeJumpTo(code, 0)))
  return symbols.nearest(target)?.module === '__builtin__kprobes'
}
