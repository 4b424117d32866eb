// SPDX-License-Identifier: GPL-3.0-or-later
// The live patches that the running kernel has, and what they replace.
// Format: the kernel's Documentation/ABI/testing/sysfs-kernel-livepatch, which the core keeps to (kernel/core/sysfs.c).
import { type Model, models } from '../kernel/model.ts'
import type { Host } from './host.ts'

export interface RunningPatch {
  /** Its module's name. */
  readonly name: string
  /** Who carries it, and how tasks go over. */
  readonly model: Model
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

/** Where the kernel's own livepatch has them, and the core. */
const bases = { kernel: '/sys/kernel/livepatch', core: '/sys/kernel/inarch' }

/** The live patches of the host, by name; undefined when its kernel has no live patching. */
export function readPatches(host: Host): readonly RunningPatch[] | undefined {
  const carriers = host.list('/sys/kernel')
  if (!Object.values(bases).some((base) => carriers.includes(base.slice('/sys/kernel/'.length)))) {
    // Where the list itself can't be seen, the directories may.
    if (Object.values(bases).every((base) => host.list(base).length === 0)) return undefined
  }
  return Object.values(bases).flatMap((base) => patchesIn(host, base))
}

function patchesIn(host: Host, base: string): RunningPatch[] {
  return host.list(base).map((name): RunningPatch => {
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
    const told = host.line(`${base}/${name}/model`)
    const model = models.find((one) => one === told) ?? 'kernel'
    return { name, model, enabled: flag('enabled') === true, moving: flag('transition') === true, objects }
  })
}

/** What the core says of the tasks that a live patch has not reached, or not left: `PID NAME: why`, each. */
export function leftByCore(host: Host, name: string): readonly { readonly pid: number; readonly why: string }[] {
  const text = host.read(`${bases.core}/${name}/tasks`)
  if (typeof text !== 'string') return []
  return text.split('\n').flatMap((line) => {
    const [, pid, why] = /^(\d+) .*?: (.*)$/.exec(line) ?? []
    return pid === undefined || why === undefined ? [] : [{ pid: Number(pid), why }]
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
