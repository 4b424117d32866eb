// SPDX-License-Identifier: GPL-3.0-or-later
// The symbols of the running kernel that a live patch refers to by name and position, and whether they are there.
// Format: the kernel's Documentation/livepatch/module-elf-format.rst, section 4.
import { readObject } from '../elf/read.ts'
import type { RunningSymbols } from './symbols.ts'

/** One of a live patch's references into the kernel. */
export interface LiveReference {
  readonly object: string
  readonly name: string
  /** 0: the name must be unique. */
  readonly sympos: number
}

/** Reads the livepatch symbols of a module's file. */
export function referencesOf(bytes: Buffer, file: string): LiveReference[] {
  return readObject(bytes, file).symbols.flatMap((symbol) => {
    const [, object, name, sympos] = /^\.klp\.sym\.([^.]+)\.(.+),(\d+)$/.exec(symbol.name) ?? []
    return object === undefined || name === undefined ? [] : [{ object, name, sympos: Number(sympos) }]
  })
}

/** What the kernel would say when it can't resolve the reference; undefined when it can. */
export function problemOf(
  { object, name, sympos }: LiveReference,
  symbols: RunningSymbols,
): string | undefined {
  const found = symbols.lookup(object, name).length
  if (found === 0) return `${object} has no symbol ${name}`
  if (sympos === 0 && found > 1) return `${object} has ${found} symbols ${name}, where it should have one`
  return sympos > found ? `${object} has ${found} symbols ${name}, and no number ${sympos}` : undefined
}
