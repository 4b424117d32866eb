// SPDX-License-Identifier: GPL-3.0-or-later
// The jump by which the core leads the calls of a replaced function away when its live patch is at rest: behind the
// place of ftrace's hook, which stays free; in a function without that place, at its entry (kernel/core/x86/jump.c).
import { hookAt, hookSize, isLandingPad, isSealedPad, landingPadSize } from '../x86/entry.ts'
import { hasProbeJump, probeJumpSize, probeJumpTo } from '../x86/kprobe.ts'
import type { Core } from './core.ts'
import type { Located, RunningSymbols } from './symbols.ts'

export interface CoreJump {
  /** Of the jump itself. */
  readonly address: bigint
  readonly leads: Located | undefined
}

/** @returns the jump of the function at `address`; undefined when there is none there, or it can't be read */
export function readCoreJump(
  core: Pick<Core, 'read'>,
  symbols: Pick<RunningSymbols, 'nearest'>,
  address: bigint,
): CoreJump | undefined {
  const code = core.read(address, landingPadSize + hookSize + probeJumpSize)
  if (code === undefined) return undefined
  const entry = isLandingPad(code) || isSealedPad(code) ? landingPadSize : 0
  const at = hookAt(code, entry) === undefined ? entry : entry + hookSize
  if (!hasProbeJump(code, at)) return undefined
  const target = BigInt.asUintN(64, address + BigInt(probeJumpTo(code, at)))
  return { address: address + BigInt(at), leads: symbols.nearest(target) }
}
