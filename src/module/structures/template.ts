// SPDX-License-Identifier: GPL-3.0-or-later
// The part of a live patch module that every patch has (kernel/livepatch.c), compiled once for each
// kernel with the flags of its own modules. It tells the layout of the kernel's livepatch structures,
// so that Inarch can fill them in without a compiler.
import type { Unit, Units } from '../../build/kbuild/units.ts'
import type { CallbackKind } from '../../diff/directives.ts'
import { type ObjectFile, readObject } from '../../elf/read.ts'
import { Fault } from '../../ground/fault.ts'
import { shippedFile } from '../../ground/installation.ts'
import type { Job } from '../../ground/job.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { compileOwn, moduleFlags } from './own-object.ts'

/** Sizes and offsets in bytes, as the kernel's own compiler sees them. */
export interface Layout {
  readonly patch: {
    readonly size: number
    readonly mod: number
    readonly objs: number
    readonly replace: number
    /** Undefined before Linux 5.4. */
    readonly states: number | undefined
  }
  readonly object: {
    readonly size: number
    readonly name: number
    readonly funcs: number
    /** Undefined before Linux 4.15. */
    readonly callbacks: Readonly<Record<CallbackKind, number>> | undefined
  }
  readonly func: {
    readonly size: number
    readonly oldName: number
    readonly newFunc: number
    readonly oldSympos: number
  }
  readonly state: { readonly size: number; readonly id: number; readonly version: number }
  readonly module: { readonly name: number; readonly nameSize: number }
  readonly version: { readonly size: number; readonly crc: number; readonly name: number }
}

export interface Template {
  readonly object: ObjectFile
  readonly layout: Layout
  /** objtool's arguments for a module of this kernel. */
  readonly objtool: readonly string[]
  /** The compiler's arguments for C files of a module of this name, as they are for most modules. */
  flags(name: string): readonly string[]
  /** The template built with INARCH_CLEARS_RELOCATIONS: for kernels that do not do it themselves (before Linux 6.3). */
  clearing(): Promise<Template>
}

export const layoutSection = '.inarch.layout'

/** What kernel/livepatch.c writes for something that the kernel does not have. */
const absent = 0xffffffff

function layoutOf(object: ObjectFile): Layout {
  const section = object.sections.find((candidate) => candidate.name === layoutSection)
  const data = section?.data
  if (data === undefined || data.length !== 96)
    throw new Fault('unexpected', 'bad-template', 'The compiled livepatch.c has no layout')
  const at = (index: number) => data.readUInt32LE(4 * index)
  return {
    patch: {
      size: at(0),
      mod: at(1),
      objs: at(2),
      replace: at(3),
      states: at(4) === absent ? undefined : at(4),
    },
    object: {
      size: at(5),
      name: at(6),
      funcs: at(7),
      callbacks:
        at(8) === absent
          ? undefined
          : { pre_patch: at(8), post_patch: at(9), pre_unpatch: at(10), post_unpatch: at(11) },
    },
    func: { size: at(12), oldName: at(13), newFunc: at(14), oldSympos: at(15) },
    state: { size: at(16), id: at(17), version: at(18) },
    module: { name: at(19), nameSize: at(20) },
    version: { size: at(21), crc: at(22), name: at(23) },
  }
}

/** The template of what the engines write themselves, as a fact of a fix. */
export function templateFor(units: Units, job: Job, kernel: Kernel): Promise<Template> {
  return openTemplate(job, kernel, units)
}

/**
 * @param wrapper whether the live patch has a wrapper of its own, which begins and ends it and defines its tables
 * @throws Fault `environment/no-modules` when the kernel has no modules to learn the flags from
 */
export async function openTemplate(
  job: Job,
  kernel: Kernel,
  units: Units,
  wrapper: 'ours' | 'own' = 'ours',
): Promise<Template> {
  const unit = units.typicalOfModules()
  if (unit === undefined)
    throw new Fault('environment', 'no-modules', `The kernel ${kernel.release} is built without modules`, {
      remedy: 'A live patch is a module: take a kernel with CONFIG_MODULES and CONFIG_LIVEPATCH',
    })
  return await compileTemplate(job, kernel, unit, wrapper === 'own' ? ['INARCH_OWN_WRAPPER'] : [])
}

/** @param macros what of kernel/livepatch.c is wanted */
async function compileTemplate(job: Job, kernel: Kernel, unit: Unit, macros: readonly string[]): Promise<Template> {
  const source = {
    file: shippedFile('kernel/livepatch.c'),
    headers: [],
    flags: [...moduleFlags(unit, 'livepatch'), ...macros.map((name) => `-D${name}`)],
  }
  const bytes = await compileOwn(job, kernel, source, `Compiling the module skeleton for ${kernel.release}`)
  const object = readObject(bytes, 'livepatch.o')
  return {
    object,
    layout: layoutOf(object),
    objtool: unit.objtool,
    flags: (name) => moduleFlags(unit, name),
    clearing: () => compileTemplate(job, kernel, unit, [...macros, 'INARCH_CLEARS_RELOCATIONS']),
  }
}
