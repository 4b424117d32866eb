// SPDX-License-Identifier: GPL-3.0-or-later
// The part of a live patch module that every patch has (kernel/livepatch.c, kernel/module.c), compiled once for each
// kernel with the flags of its own modules. It tells the layout of the kernel's livepatch structures,
// so that Inarch can fill them in without a compiler.
import type { Unit, Units } from '../../build/kbuild/units.ts'
import type { CallbackKind } from '../../diff/directives.ts'
import { type ObjectFile, readObject } from '../../elf/read.ts'
import { Fault } from '../../ground/fault.ts'
import { shippedFile } from '../../ground/installation.ts'
import type { Job } from '../../ground/job.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { type Model, modelInC } from '../../kernel/model.ts'
import { compileOwn, moduleFlags } from './own-object.ts'

/** What the kernel knows of any module: sizes and offsets in bytes, as its own compiler sees them. */
export interface ModuleLayout {
  readonly module: { readonly name: number; readonly nameSize: number }
  readonly version: { readonly size: number; readonly crc: number; readonly name: number }
}

/** What it knows of a live patch, too. */
export interface Layout extends ModuleLayout {
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
}

/** What every module of Inarch's has. */
export interface ModuleTemplate {
  readonly object: ObjectFile
  readonly layout: ModuleLayout
  /** objtool's arguments for a module of this kernel. */
  readonly objtool: readonly string[]
  /** The compiler's arguments for C files of a module of this name, as they are for most modules. */
  flags(name: string): readonly string[]
}

export interface Template extends ModuleTemplate {
  readonly layout: Layout
  /** The template built with INARCH_CLEARS_RELOCATIONS: for kernels that do not do it themselves (before Linux 6.3). */
  clearing(): Promise<Template>
}

/** True for a section that is only for the one who fills the template in. */
export function isLayout(section: string): boolean {
  return section === layoutSections.module || section === layoutSections.patch
}

const layoutSections = { module: '.inarch.layout.module', patch: '.inarch.layout.patch' }

/** What kernel/livepatch.c writes for something that the kernel does not have. */
const absent = 0xffffffff

/** @param count how many numbers there are */
function numbersIn(object: ObjectFile, name: string, count: number): (index: number) => number {
  const data = object.sections.find((section) => section.name === name)?.data
  if (data === undefined || data.length !== 4 * count)
    throw new Fault('unexpected', 'bad-template', `The compiled ${object.name} has no layout`)
  return (index) => data.readUInt32LE(4 * index)
}

function moduleLayoutOf(object: ObjectFile): ModuleLayout {
  const at = numbersIn(object, layoutSections.module, 5)
  return {
    module: { name: at(0), nameSize: at(1) },
    version: { size: at(2), crc: at(3), name: at(4) },
  }
}

function layoutOf(object: ObjectFile): Layout {
  const at = numbersIn(object, layoutSections.patch, 19)
  return {
    ...moduleLayoutOf(object),
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
  }
}

/** The template of what the engines write themselves, as a fact of a fix. */
export function templateFor(units: Units, job: Job, kernel: Kernel, model: Model): Promise<Template> {
  const macros = model === 'kernel' ? [] : [`INARCH_MODEL=${modelInC(model)}`]
  return compileTemplate(job, kernel, unitOfModules(kernel, units), macros)
}

/**
 * The template of a live patch with a wrapper of its own, which begins and ends it and defines its tables.
 * @throws Fault `environment/no-modules` when the kernel has no modules to learn the flags from
 */
export function openTemplate(job: Job, kernel: Kernel, units: Units): Promise<Template> {
  return compileTemplate(job, kernel, unitOfModules(kernel, units), ['INARCH_OWN_WRAPPER'])
}

/**
 * What a module has that is no live patch.
 * @throws as `openTemplate`
 */
export async function openModuleTemplate(job: Job, kernel: Kernel, units: Units): Promise<ModuleTemplate> {
  const unit = unitOfModules(kernel, units)
  const object = await compileSkeleton(job, kernel, 'kernel/module.c', [], moduleFlags(unit, 'module'))
  return { ...partsOf(unit), object, layout: moduleLayoutOf(object) }
}

function unitOfModules(kernel: Kernel, units: Units): Unit {
  const unit = units.typicalOfModules()
  if (unit !== undefined) return unit
  throw new Fault('environment', 'no-modules', `The kernel ${kernel.release} is built without modules`, {
    remedy: 'A live patch is a module: take a kernel with CONFIG_MODULES and CONFIG_LIVEPATCH',
  })
}

function partsOf(unit: Unit): Pick<ModuleTemplate, 'objtool' | 'flags'> {
  return { objtool: unit.objtool, flags: (name) => moduleFlags(unit, name) }
}

/** @param macros what of kernel/livepatch.c is wanted */
async function compileTemplate(job: Job, kernel: Kernel, unit: Unit, macros: readonly string[]): Promise<Template> {
  const flags = [...moduleFlags(unit, 'livepatch'), ...macros.map((macro) => `-D${macro}`)]
  const headers = ['kernel/module.c', 'kernel/include/inarch-core.h']
  const object = await compileSkeleton(job, kernel, 'kernel/livepatch.c', headers, flags)
  return {
    ...partsOf(unit),
    object,
    layout: layoutOf(object),
    clearing: () => compileTemplate(job, kernel, unit, [...macros, 'INARCH_CLEARS_RELOCATIONS']),
  }
}

async function compileSkeleton(
  job: Job,
  kernel: Kernel,
  file: string,
  headers: readonly string[],
  flags: readonly string[],
): Promise<ObjectFile> {
  const source = { file: shippedFile(file), headers: headers.map(shippedFile), flags }
  const bytes = await compileOwn(job, kernel, source, `Compiling the module skeleton for ${kernel.release}`)
  return readObject(bytes, file)
}
