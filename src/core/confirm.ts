// SPDX-License-Identifier: GPL-3.0-or-later
// The core calls functions of the kernel that are not exported. Here each is held against what
// the kernel runs: the unit that defines it is compiled as the kernel was, and its code must be what lies at the
// address. So the source whose comments and types the core relies on is the one that runs.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import pLimit from 'p-limit'
import { compileBefore } from '../build/compiler/compile-unit.ts'
import { compilerIdentity } from '../build/compiler/compiler.ts'
import { loadObject, storeObject } from '../build/compiler/object-cache.ts'
import type { Unit, Units } from '../build/kbuild/units.ts'
import { openBuildTrees } from '../build/unpatched-units.ts'
import { type Atom, type SplitObject, splitObject } from '../diff/object/split-object.ts'
import { readObject } from '../elf/read.ts'
import type { Finding } from '../ground/finding.ts'
import { inNumbers } from '../ground/in-numbers.ts'
import type { Job } from '../ground/job.ts'
import { withScratch } from '../ground/scratch.ts'
import { version } from '../ground/version.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { KernelNames } from '../match/names.ts'
import type { Binding } from '../module/bind/bind.ts'
import { type BindingFinding, explainMismatches } from '../module/bind/mismatch.ts'

type Private = Binding & { kind: 'livepatch' }

/**
 * Looks at every private function of vmlinux to which the core is bound.
 * @returns an error for what is not there; notes for functions that nobody could look at
 */
export async function confirmPrivate(
  job: Job,
  kernel: Kernel,
  units: Units,
  names: KernelNames,
  module: string,
  bindings: Iterable<Binding>,
): Promise<Finding[]> {
  // A variable has no code; a name that is there once meant the same to the kernel's linker.
  const code = [...bindings].filter(isPrivate).filter(({ name, sympos }) => isCodeAt(names, name, sympos))
  const wanted = [...new Map(code.map((one) => [one.name, one])).values()]
  if (wanted.length === 0) return []
  const key = await keyOf(kernel, names, module, wanted)
  const kept = key === undefined ? undefined : await loadObject(key)
  if (kept !== undefined) return JSON.parse(kept.toString('utf8'))
  const title = `Comparing what ${module} needs with the kernel ${kernel.release}`
  const findings = await job.journal.step(title, async (step) => {
    const found = await withScratch((dir) => confirm(job, kernel, units, names, module, wanted, dir))
    step.result(`${wanted.length - found.length} of ${inNumbers(wanted.length, 'function')} are what the source says`)
    return await explainMismatches(job, kernel, names, found)
  })
  if (key !== undefined) await storeObject(key, Buffer.from(JSON.stringify(findings)))
  return findings
}

function isPrivate(binding: Binding): binding is Private {
  return binding.kind === 'livepatch' && binding.object === 'vmlinux'
}

/** Undefined for a kernel whose source may change. */
async function keyOf(
  kernel: Kernel,
  names: KernelNames,
  module: string,
  wanted: readonly Private[],
): Promise<string | undefined> {
  if (kernel.origin !== 'debian') return undefined
  const places = wanted.map(({ name, sympos }) => `${name} ${sympos} ${addressOf(names, name, sympos)}`).sort()
  const about = [
    'confirmed',
    version,
    module,
    kernel.source,
    kernel.version,
    await compilerIdentity(kernel.compiler),
    places,
  ]
  return createHash('sha256').update(JSON.stringify(about)).digest('hex')
}

function addressOf(names: KernelNames, name: string, sympos: number): bigint | undefined {
  return names.symbols('vmlinux', name)[Math.max(0, sympos - 1)]?.address
}

function isCodeAt(names: KernelNames, name: string, sympos: number): boolean {
  return /[tw]/i.test(names.symbols('vmlinux', name)[Math.max(0, sympos - 1)]?.type ?? '') && !/^__SC[KT]__/.test(name)
}

async function confirm(
  job: Job,
  kernel: Kernel,
  units: Units,
  names: KernelNames,
  module: string,
  wanted: readonly Private[],
  dir: string,
): Promise<BindingFinding[]> {
  const candidates = await definersOf(kernel, units, new Set(wanted.map(({ name }) => name)))
  const bench = await openBuildTrees(job, kernel, units, dir)
  const limit = pLimit(os.availableParallelism())
  const all = [...new Set([...candidates.values()].flat())]
  const split = new Map(
    await Promise.all(
      all.map((unit) =>
        limit(async (): Promise<readonly [Unit, SplitObject]> => {
          const object = await compileBefore(job, bench, unit)
          return [unit, splitObject(readObject(await readFile(object), unit.source))]
        }),
      ),
    ),
  )
  return wanted.flatMap(({ name, sympos }): BindingFinding[] => {
    const address = addressOf(names, name, sympos)
    const homes = (candidates.get(name) ?? []).flatMap((unit) => {
      const before = split.get(unit)
      const atom = before && definitionOf(before, name)
      return before === undefined || atom === undefined ? [] : [{ unit, before, atom }]
    })
    const told = homes.map(({ before, atom }) => names.matcher('vmlinux', before).confirm(atom, address ?? 0n))
    if (told.includes('confirmed')) return []
    const wrong = homes[told.indexOf('contradicted')]
    if (wrong !== undefined) return [contradiction(names, module, name, address ?? 0n, wrong)]
    return [
      {
        finding: {
          severity: 'note',
          rule: 'unconfirmed-symbol',
          symbol: name,
          message: `${module} refers to ${name}, whose address only its name tells: no unit's code confirms it`,
        },
      },
    ]
  })
}

interface Home {
  readonly unit: Unit
  readonly before: SplitObject
  readonly atom: Atom
}

function contradiction(
  names: KernelNames,
  module: string,
  name: string,
  address: bigint,
  { unit, before, atom }: Home,
): BindingFinding {
  const finding: Finding = {
    severity: 'error',
    rule: 'code-differs',
    symbol: name,
    unit: unit.source,
    message: `What the kernel has at ${name} is not what the compiler makes of ${unit.source}, and ${module} needs it`,
    hint: 'Check that source, configuration and compiler are those of the kernel',
  }
  if (atom.kind !== 'function') return { finding }
  const mismatch = names.matcher('vmlinux', before).compareAt(atom, address)
  return mismatch.matches ? { finding } : { finding, about: { object: 'vmlinux', before, mismatch } }
}

function definitionOf(before: SplitObject, name: string): Atom | undefined {
  const symbol = before.object.symbols.find((one) => one.name === name && one.section !== undefined)
  return symbol && before.atomOf(symbol)
}

/** A line that begins with a function's name or type, and is no declaration. It may find too much; the object tells. */
function definitionPattern(name: string): RegExp {
  const before = String.raw`(?!extern\b|EXPORT|return\b|goto\b|else\b|case\b)(?:[A-Za-z_][^\n;{}()="#]*?)?`
  return new RegExp(String.raw`^${before}\b${name}[ \t]*\((?![^\n]*;[ \t]*$)`, 'm')
}

/** The units of vmlinux whose text may define each name: where it is no mere use, call or declaration. */
async function definersOf(
  kernel: Kernel,
  units: Units,
  wanted: ReadonlySet<string>,
): Promise<ReadonlyMap<string, readonly Unit[]>> {
  const found = new Map<string, Unit[]>()
  const limit = pLimit(32)
  const definition = new Map([...wanted].map((name) => [name, definitionPattern(name)]))
  await Promise.all(
    units
      .all()
      .filter(({ home }) => home === 'vmlinux')
      .map((unit) =>
        limit(async () => {
          const text = await readFile(path.join(kernel.source, unit.source), 'latin1').catch(() => '')
          for (const [name, pattern] of definition)
            if (text.includes(name) && pattern.test(text)) found.set(name, [...(found.get(name) ?? []), unit])
        }),
      ),
  )
  return found
}
