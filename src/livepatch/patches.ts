// SPDX-License-Identifier: GPL-3.0-or-later
// The live patches that the running kernel has, and what they replace.
// Format: the kernel's Documentation/ABI/testing/sysfs-kernel-livepatch.
import type { Host } from './host.ts'

export interface RunningPatch {
  /** Its module's name. */
  readonly name: string
  readonly enabled: boolean
  /** True while tasks are left that it has not reached, or not left. */
  readonly moving: boolean
  readonly objects: readonly {
    readonly name: string
    /** Whether its functions are replaced now; undefined when the kernel does not say. */
    readonly patched: boolean | undefined
    readonly functions: readonly { readonly name: string; readonly sympos: number }[]
  }[]
}

/** A live patch that runs, or the manifest of one. */
export interface Lists {
  readonly objects: readonly {
    readonly name: string
    readonly functions: readonly { readonly name: string; readonly sympos: number }[]
  }[]
}

const base = '/sys/kernel/livepatch'

/** The live patches of the host, by name; undefined when its kernel has no live patching. */
export function readPatches(host: Host): readonly RunningPatch[] | undefined {
  const names = host.list(base)
  if (names.length === 0 && !host.list('/sys/kernel').includes('livepatch')) return undefined
  return names.map((name): RunningPatch => {
    const flag = (file: string) => {
      const text = host.line(`${base}/${name}/${file}`)
      return text === undefined ? undefined : text === '1'
    }
    const objects = host.list(`${base}/${name}`).flatMap((object) => {
      const functions = host.list(`${base}/${name}/${object}`).flatMap((entry) => {
        const [, called, sympos] = /^(.+),(\d+)$/.exec(entry) ?? []
        return called === undefined ? [] : [{ name: called, sympos: Number(sympos) }]
      })
      const patched = flag(`${object}/patched`)
      return functions.length === 0 && patched === undefined ? [] : [{ name: object, patched, functions }]
    })
    return { name, enabled: flag('enabled') === true, moving: flag('transition') === true, objects }
  })
}

/**
 * True when a live patch has this function among those that it replaces.
 * @param sympos 0 for a unique name, which sysfs calls 1
 */
export function lists({ objects }: Lists, object: string, name: string, sympos: number): boolean {
  return objects.some(
    (one) =>
      one.name === object &&
      one.functions.some((listed) => listed.name === name && Math.max(1, listed.sympos) === Math.max(1, sympos)),
  )
}

/** True when the live patch replaces this function now. */
export function replaces({ objects }: RunningPatch, object: string, name: string, sympos: number): boolean {
  return lists({ objects: objects.filter(({ patched }) => patched !== false) }, object, name, sympos)
}
