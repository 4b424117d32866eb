// SPDX-License-Identifier: GPL-3.0-or-later
// A linked program plays the kernel: its units are compiled without a section for each function, as kbuild does, so
// that the assembler shortens jumps between them.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Atom, SplitObject } from '../../src/diff/object/split-object.ts'
import { openImage, type Running } from '../../src/match/running.ts'
import { compileBytes, compiler, work } from '../objects.ts'

export const plain = ['-fno-function-sections', '-fno-data-sections']
let number = 0

/** What every kernel has, and the compiler refers to. */
const outside = `
.globl __fentry__, _start, __x86_return_thunk, __x86_indirect_thunk_rax, __x86_indirect_thunk_r11, __SCT__call, __SCT__WARN_trap, fast, srso_return_thunk
__fentry__: ret
_start: ret
__x86_return_thunk: ret; int3
srso_return_thunk: ret; int3
__x86_indirect_thunk_rax: jmp *%rax
__x86_indirect_thunk_r11: jmp *%r11
__SCT__call: jmp fast
__SCT__WARN_trap: jmp fast
fast: ret
.section .note.GNU-stack,""
`

/** Links units, in C, into a program and knows its names as the kernel's table would. */
export function link(...units: readonly string[]): SmallImage {
  return linkWith([], ...units)
}

export interface SmallImage extends Running {
  sizeOf(name: string): number
}

/** @param more flags for the compiler */
export function linkWith(more: readonly string[], ...units: readonly string[]): SmallImage {
  const base = path.join(work, `kernel${++number}`)
  const objects = units.map((source, index) => {
    const file = `${base}-${index}.o`
    writeFileSync(file, compileBytes(source, ...plain, ...more))
    return file
  })
  writeFileSync(`${base}.s`, outside)
  const options = ['-nostdlib', '-static', '-no-pie', '-Wl,-Ttext=0xffffffff81000000', '-Wl,-z,max-page-size=4096']
  execFileSync(compiler, [...options, '-o', base, `${base}.s`, ...objects], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const names = new Map<string, bigint[]>()
  const sizes = new Map<string, number>()
  for (const line of execFileSync('nm', ['-nS', base], { encoding: 'utf8' }).split('\n')) {
    const [, address, size, name] = /^(\S+) (?:(\S+) )?\S (\S+)$/.exec(line) ?? []
    if (name === undefined) continue
    names.set(name, [...(names.get(name) ?? []), BigInt(`0x${address}`)])
    sizes.set(name, Number.parseInt(size ?? '0', 16))
  }
  const image = openImage(base)
  return {
    read: image.read,
    addressesOf: (name) => names.get(name) ?? [],
    sizeOf: (name) => sizes.get(name) ?? 0,
  }
}

/** The same with other bytes at some addresses; `live`: as memory, which the kernel has rewritten. */
export function changed(
  running: Running,
  bytes: ReadonlyMap<bigint, number>,
  more: Pick<Running, 'live' | 'probed'> = {},
): Running {
  return {
    addressesOf: running.addressesOf,
    ...more,
    read(address, length) {
      const before = running.read(address, length)
      if (before === undefined) return undefined
      const copy = Buffer.from(before)
      for (const [place, value] of bytes)
        if (place >= address && place < address + BigInt(length)) copy[Number(place - address)] = value
      return copy
    },
  }
}

/** `changed` with bytes, in hexadecimal, from an address on. */
export function rewritten(
  running: Running,
  address: bigint,
  hex: string,
  more: Pick<Running, 'live' | 'probed'> = { live: true },
): Running {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex')
  return changed(running, new Map([...bytes].map((value, index) => [address + BigInt(index), value])), more)
}

export function atomOf(unit: SplitObject, name: string): Atom {
  const atom = unit.atoms.find((one) => one.name === name)
  if (atom === undefined) throw new Error(`no ${name}`)
  return atom
}
