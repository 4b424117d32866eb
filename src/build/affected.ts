// SPDX-License-Identifier: GPL-3.0-or-later
// What each file that a patch changes means for the kernel: a unit to compile, something no kernel code
// comes from, or something that can't be live patched this way. In doubt the patch is refused: a change
// that is silently left out would be the worst of outcomes.
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { Finding } from '../ground/finding.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { FileChange } from '../patch/patch.ts'
import type { Unit, Units } from './units.ts'

/** A unit that must be compiled again, and the change to its file. */
export interface AffectedUnit {
  readonly unit: Unit
  readonly change: FileChange
}

export interface Affected {
  readonly units: readonly AffectedUnit[]
  readonly findings: readonly Finding[]
}

/** Parts of the tree that no code of a running kernel comes from. */
const outside =
  /^(Documentation|samples|tools|scripts|LICENSES|usr|\.[^/]+)(\/|$)|^(MAINTAINERS|CREDITS|COPYING|README)$/

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

/** The units in the same directory that include this C file, as kernel/sched/ does. */
function includers(kernel: Kernel, units: Units, file: string): string[] {
  const dir = path.dirname(file)
  const includes = (name: string): boolean => {
    const text = readFileSync(path.join(kernel.source, name), 'latin1')
    for (const match of text.matchAll(/^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"/gm))
      if (match[1] === path.basename(file)) return true
    return false
  }
  return readdirSync(path.join(kernel.source, dir))
    .filter((name) => name.endsWith('.c'))
    .map((name) => path.join(dir, name))
    .filter((name) => units.find(name).length > 0 && includes(name))
}

function classifySource(kernel: Kernel, units: Units, change: FileChange): AffectedUnit | Finding[] {
  const file = change.path
  const all = units.find(file)
  const reachable = all.filter((unit) => unit.home !== 'elsewhere')
  const unit = reachable[0]
  if (change.before === undefined)
    return [
      refusal(
        file,
        'file-added',
        `The patch adds ${file}, and a new file is not built without a change to a makefile`,
        'Put the new functions into a file that is built already',
      ),
    ]
  if (unit === undefined) {
    if (all.length > 0)
      return [
        refusal(
          file,
          'unreachable-code',
          `${file} becomes boot code, vDSO or firmware code (${all[0]!.object}), which no live patch can replace`,
          'This fix needs a reboot',
        ),
      ]
    const users = includers(kernel, units, file)
    if (users.length > 0)
      return [
        refusal(
          file,
          'source-included',
          `${file} is not compiled by itself: ${users.join(', ')} includes it`,
          'Inarch does not follow includes yet',
        ),
      ]
    return [
      refusal(
        file,
        'not-built',
        `${file} is not built in the configuration of ${kernel.release}`,
        'This kernel does not have the code; leave the file out of the patch if the rest is what you need',
      ),
    ]
  }
  if (change.after === undefined)
    return [
      refusal(
        file,
        'file-removed',
        `The patch removes ${file}, whose code is in the running kernel`,
        'Keep the file, and change the functions that should do something else',
      ),
    ]
  if (reachable.length > 1 || unit.modules.length > 1)
    return [
      refusal(
        file,
        'unit-in-many-objects',
        `${file} is built into several parts of the kernel: ${reachable.flatMap((one) => [one.object, ...one.modules]).join(', ')}`,
        'Inarch patches one copy of a unit only',
      ),
    ]
  if (!unit.standard)
    return [
      refusal(
        file,
        'unit-without-unwinding',
        `kbuild does not run objtool on ${file}, so the kernel can't unwind the stack of its functions reliably`,
        'Change the callers of this code instead',
      ),
    ]
  return { unit, change }
}

function classifyOther(arch: string | undefined, change: FileChange): Finding[] {
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
  if (file.endsWith('.h'))
    return [
      refusal(
        file,
        'header-changed',
        `The patch changes the header ${file}, and Inarch does not look for all units that include it yet`,
        'Write the change into the C files that need it, for instance as static functions',
      ),
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
  if (/\.lds(\.[Sh])?$/.test(file))
    return [
      refusal(
        file,
        'linker-script-changed',
        `The patch changes a linker script (${file})`,
        'This fix needs a reboot',
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

/**
 * Sorts the changed files into units to compile and findings about the others.
 * A finding of severity `error` means that not all of the patch would take effect.
 */
export function classifyChanges(kernel: Kernel, units: Units, changes: readonly FileChange[]): Affected {
  const arch = architecture(kernel)
  const affected: AffectedUnit[] = []
  const findings: Finding[] = []
  for (const change of changes) {
    const isUnit = units.find(change.path).length > 0
    // tools/ has a few files that the kernel compiles too.
    const isSource = change.path.endsWith('.c') && !outside.test(change.path)
    const ofArch = /^arch\/([^/]+)\//.exec(change.path)?.[1] ?? arch
    const one =
      isUnit || (isSource && ofArch === arch)
        ? classifySource(kernel, units, change)
        : classifyOther(arch, change)
    if (Array.isArray(one)) findings.push(...one)
    else affected.push(one)
    for (const unit of isUnit && !Array.isArray(one) ? units.find(change.path) : [])
      if (unit.home === 'elsewhere')
        findings.push({
          severity: 'warning',
          rule: 'copy-not-patched',
          message: `${unit.object} is made of ${change.path} too, and keeps its old code until the next boot`,
          unit: change.path,
        })
  }
  if (affected.length === 0 && !findings.some((finding) => finding.severity === 'error'))
    findings.push({
      severity: 'error',
      rule: 'nothing-to-patch',
      message: `No code of ${kernel.release} comes from what the patch changes`,
    })
  return { units: affected, findings }
}
