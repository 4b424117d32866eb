// SPDX-License-Identifier: GPL-3.0-or-later
// How a function of the kernel begins: with a landing pad (ENDBR64) where an indirect call may lead there (IBT), and
// with the place at which ftrace hooks in. Sources: the kernel's arch/x86/include/asm/ibt.h, arch/x86/kernel/ftrace.c.
import { call } from './branch.ts'
import { isNopOf } from './padding.ts'

/** The function that the compiler calls at the entry of each function (`-mfentry`). */
export const fentry = '__fentry__'

const endbr64 = Buffer.from([0xf3, 0x0f, 0x1e, 0xfa])

/** Bytes. */
export const landingPadSize = endbr64.length

/** True when these bytes, the first of a function, let an indirect call land. */
export function isLandingPad(bytes: Buffer | undefined): boolean {
  return bytes?.subarray(0, landingPadSize).equals(endbr64) === true
}

/** What the kernel writes over a landing pad that nothing needs (gen_endbr_poison), until 6.13 and since. */
const sealed = [Buffer.from([0x66, 0x0f, 0x1f, 0x00]), Buffer.from([0x0f, 0x1f, 0x40, 0xd6])]

/** True when these bytes are what the kernel makes of a landing pad to close it. */
export function isSealedPad(bytes: Buffer): boolean {
  return sealed.some((one) => one.equals(bytes.subarray(0, landingPadSize)))
}

/** Bytes of ftrace's call, and of the nop in its place. */
export const hookSize = 5

/** True for a place where a function that begins at `begin` may have its hook: behind a landing pad at the most. */
export function mayHaveHook(begin: number, place: number): boolean {
  return place >= begin && place <= begin + landingPadSize
}

/** Where the hook begins whose call has its distance at `field`. */
export function hookOf(field: number): number {
  return field - 1
}

/** @returns `free`: nobody hooks in; else where the call leads, as an offset in `code`; undefined for something else */
export function hookAt(code: Buffer, at: number): 'free' | number | undefined {
  if (isNopOf(hookSize, code, at)) return 'free'
  if (code[at] !== call || at + hookSize > code.length) return undefined
  return at + hookSize + code.readInt32LE(at + 1)
}
