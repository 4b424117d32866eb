// SPDX-License-Identifier: GPL-3.0-or-later
// What each file that a patch changes means for the kernel: a unit to compile, something no kernel code
// comes from, or something that can't be live patched this way. In doubt the patch is refused: a change
// that is silently left out would be the worst of outcomes.
import { readdirSync } from 'node:fs'
import path from 'node:path'
import type { Finding } from '../ground/finding.ts'
import type { Job } from '../ground/job.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { FileChange } from '../patch/patch.ts'
import { dependencies } from './compiler/dependencies.ts'
import { readsOutside } from './compiler/outside-reads.ts'
import { generatedFrom } from './headers/generated-from.ts'
import type { Unit, Units } from './kbuild/units.ts'

export interface Affected {
  /** The units that must be compiled again, each once. */
  readonly units: readonly Unit[]
  /** Changed headers, which change other units. */
  readonly headers: readonly FileChange[]
  readonly findings: readonly Finding[]
}

/** Parts of the tree that no code of a running kernel comes from. */
const outside =
  /^(Documentation|samples|tools|scripts|LICENSES|usr|\.[^/]+)(\/|$)|^(MAINTAINERS|CREDITS|COPYING|README)$/

/** Built into the boot image beside the kernel proper, by makefiles of its own. */
const early = /^arch\/[^/]+\/(?:boot|realmode\/rm|purgatory)\/|^drivers\/firmware\/efi\/libstub\//

/** The architecture's directory below arch/, such as `x86`: the one whose generated headers are there. */
function architecture(kernel: Kernel): string | undefined {
  const root = path.join(kernel.source, 'arch')
  return readdirSync(root).find((name) => {
    try {
      return readdirSync(path.join(root, name, 'include', 'generated')).length > 0
    } catch {
      return false
    }
  })
}

function note(file: string, message: string): Finding {
  return { severity: 'note', rule: 'not-in-kernel', message, unit: file }
}

function refusal(file: string, rule: string, message: string, hint: string): Finding {
  return { severity: 'error', rule, message, hint, unit: file }
}

/** Why a unit, one of those that are made of its file, can't be patched wherever its code may change. */
function shapeRefusals(unit: Unit, reachable: readonly Unit[]): Finding[] {
  if (reachable.length > 1 || unit.modules.length > 1)
    return [
      refusal(
        unit.source,
        'unit-in-many-objects',
        `${unit.source} is compiled for several parts of the kernel: ` +
          `${reachable.flatMap((one) => [one.object, ...one.modules]).join(', ')}`,
        'Inarch can’t tell such copies of a unit apart; change the callers of this code',
      ),
    ]
  if (!unit.standard)
    return [
      refusal(
        unit.source,
        'unit-without-unwinding',
        `kbuild does not run objtool on ${unit.source}, so the kernel can't unwind the stack of its functions reliably`,
        'Change the callers of this code instead',
      ),
    ]
  return []
}

/**
 * What there is to say about a unit whose object a changed header really changes.
 * @param all the units that are made of the same C file
 * @param takesEffect whether the header changes code that a live patch reaches, here or elsewhere
 */
export function objections(unit: Unit, all: readonly Unit[], takesEffect: boolean): Finding[] {
  if (unit.home !== 'elsewhere')
    return shapeRefusals(
      unit,
      all.filter((one) => one.home !== 'elsewhere'),
    )
  return takesEffect
    ? [
        {
          severity: 'note',
          rule: 'copy-not-patched',
          message: `${unit.object} changes too, and keeps its old code until the next boot`,
          unit: unit.source,
        },
      ]
    : [
        refusal(
          unit.source,
          'unreachable-code',
          `${unit.source} becomes boot code, vDSO or firmware code (${unit.object}), which no live patch can replace`,
          'This fix needs a reboot',
        ),
      ]
}

/** The units whose text really takes in this C file, as kernel/sched/build_policy.c does with rt.c. */
async function includers(job: Job, kernel: Kernel, units: Units, file: string): Promise<Unit[]> {
  const found: Unit[] = []
  for (const name of units.mayInclude(file))
    for (const unit of units.find(name)) {
      // Only the compiler knows whether the #if around the #include lets it through.
      if (unit.home === 'elsewhere' || (await dependencies(job, kernel, unit))?.has(file) !== false) found.push(unit)
    }
  return found
}

/** The units of a changed C file, or why there are none; and what else there is to say. */
async function classifySource(
  job: Job,
  kernel: Kernel,
  units: Units,
  change: FileChange,
): Promise<{ units: readonly Unit[]; findings: Finding[] }> {
  const file = change.path
  const refuse = (rule: string, message: string, hint: string) => ({
    units: [],
    findings: [refusal(file, rule, message, hint)],
  })
  if (change.before === undefined)
    return refuse(
      'file-added',
      `The patch adds ${file}, and a new file is not built without a change to a makefile`,
      'Put the new functions into a file that is built already',
    )
  const all = [...units.find(file), ...(await includers(job, kernel, units, file))]
  const reachable = all.filter((unit) => unit.home !== 'elsewhere')
  const [unit] = reachable
  if (unit === undefined && all[0] === undefined && early.test(file))
    return refuse(
      'unreachable-code',
      `${file} is code of the boot loader’s side or of the firmware’s, which has run before the kernel did`,
      'This fix needs a reboot',
    )
  if (unit === undefined)
    return all[0] === undefined
      ? {
          units: [],
          findings: [notBuilt(kernel, file)],
        }
      : refuse(
          'unreachable-code',
          `${file} becomes boot code, vDSO or firmware code (${all[0].object}), which no live patch can replace`,
          'This fix needs a reboot',
        )
  if (change.after === undefined)
    return refuse(
      'file-removed',
      `The patch removes ${file}, whose code is in the running kernel`,
      'Keep the file, and change the functions that should do something else',
    )
  // A file that two units include is in the kernel twice: each copy is compared and replaced.
  const refused = reachable.flatMap((one) =>
    shapeRefusals(
      one,
      reachable.filter(({ source }) => source === one.source),
    ),
  )
  if (refused.length > 0) return { units: [], findings: refused }
  const copies = all.filter((one) => one.home === 'elsewhere')
  return {
    units: reachable,
    findings: copies.map((copy) => ({
      severity: 'note',
      rule: 'copy-not-patched',
      message: `${copy.object} is made of ${file} too, and keeps its old code until the next boot`,
      unit: file,
    })),
  }
}

/** What there is to say about a file that is no unit; undefined for a header of the kernel. */
function classifyOther(arch: string | undefined, change: FileChange): Finding[] | undefined {
  const file = change.path
  const name = path.basename(file)
  const otherArch = /^arch\/([^/]+)\//.exec(file)?.[1]
  if (outside.test(file)) return [note(file, `${file} is not part of the kernel`)]
  if (otherArch !== undefined && arch !== undefined && otherArch !== arch)
    return [note(file, `${file} belongs to another architecture`)]
  if (/^(Makefile|Kbuild|Kconfig)/.test(name))
    return [
      refusal(
        file,
        'build-rules-changed',
        `The patch changes how the kernel is configured or built (${file})`,
        'Leave this file out of the patch: a live patch can only change code',
      ),
    ]
  if (/\.dts[io]?$/.test(file))
    return [
      refusal(
        file,
        'device-tree-changed',
        `The patch changes a device tree (${file}), which the kernel reads once, at the start`,
        'Install the fixed device tree, and reboot',
      ),
    ]
  if (/^firmware\/|\.(?:fw|ihex|HEX|hex)$/.test(file))
    return [
      refusal(
        file,
        'firmware-changed',
        `The patch changes firmware (${file}); a device keeps what it was given when its driver started it`,
        'Install the new firmware, and start the device anew (unbind and bind its driver)',
      ),
    ]
  if (/(^|\/)generated\//.test(file))
    return [
      refusal(
        file,
        'header-changed',
        `The patch changes ${file}, which the kernel's build generates`,
        'Change what it is generated from, or the C files that use it',
      ),
    ]
  if (file.endsWith('.h')) return undefined
  if (/\.lds(\.[Sh])?$/.test(file))
    return [
      refusal(file, 'linker-script-changed', `The patch changes a linker script (${file})`, 'This fix needs a reboot'),
    ]
  if (/\.(S|s|asm)$/.test(file))
    return [
      refusal(
        file,
        'assembly-changed',
        `The patch changes assembly code (${file}), which has no function boundaries to patch at`,
        'Change the C code that calls it instead',
      ),
    ]
  return [
    refusal(
      file,
      'unknown-file',
      `Inarch does not know what the kernel makes of ${file}`,
      'Leave the file out of the patch if no kernel code comes from it',
    ),
  ]
}

/** What is said of a file of Rust; a kernel with Rust in it has C that was compiled for its use (rust/helpers). */
function rustFinding(kernel: Kernel, units: Units, file: string): Finding {
  return units.find('rust/exports.c').length === 0
    ? notBuilt(kernel, file)
    : refusal(
        file,
        'rust-changed',
        `The patch changes Rust code (${file}), whose functions have no entry for ftrace`,
        'This fix needs a reboot',
      )
}

/** The note about a file that this configuration leaves out. */
function notBuilt({ release }: Kernel, file: string): Finding {
  return {
    severity: 'note',
    rule: 'not-built',
    message: `${file} is not built in the configuration of ${release}, so nothing of it is in the live patch`,
    unit: file,
  }
}

/**
 * Sorts the changed files into units to compile and findings about the others.
 * A finding of severity `error` means that not all of the patch would take effect.
 */
export async function classifyChanges(
  job: Job,
  kernel: Kernel,
  units: Units,
  changes: readonly FileChange[],
): Promise<Affected> {
  const arch = architecture(kernel)
  const affected = new Map<string, Unit>()
  const headers: FileChange[] = []
  const findings: Finding[] = []
  for (const change of changes) {
    findings.push(...readsOutside(change))
    const ofArch = /^arch\/([^/]+)\//.exec(change.path)?.[1] ?? arch
    // tools/ has a few files that the kernel compiles too.
    const isSource =
      units.find(change.path).length > 0 ||
      (change.path.endsWith('.c') && !outside.test(change.path) && ofArch === arch)
    if (isSource) {
      const one = await classifySource(job, kernel, units, change)
      for (const unit of one.units) affected.set(unit.object, unit)
      findings.push(...one.findings)
    } else {
      const said = change.path.endsWith('.rs') ? [rustFinding(kernel, units, change.path)] : classifyOther(arch, change)
      if (said === undefined) headers.push(change)
      else findings.push(...said)
    }
  }
  if (headers.length > 0) {
    const objects = units.all().map(({ object }) => object)
    findings.push(
      ...generatedFrom(
        kernel.source,
        objects,
        headers.map(({ path: file }) => file),
      ),
    )
  }
  if (affected.size === 0 && headers.length === 0 && !findings.some((finding) => finding.severity === 'error'))
    findings.push({
      severity: 'error',
      rule: 'nothing-to-patch',
      message: `No code of ${kernel.release} comes from what the patch changes`,
    })
  return { units: [...affected.values()], headers, findings }
}
