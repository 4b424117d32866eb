// SPDX-License-Identifier: GPL-3.0-or-later
// `inarch verify` of a live patch that has no manifest, such as one that the kernel's own builder made. What the code
// must be that it replaces nobody says, so nothing is compared. What its tables name must still be one place each, at
// which the kernel can hook in, and what it refers to must be there.
import type { Finding } from '../ground/finding.ts'
import type { Job } from '../ground/job.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { findModule } from '../kernel/modules.ts'
import { type KernelNames, kernelNames } from '../match/names.ts'
import type { ReplacedName } from '../transition/sleeping-tasks.ts'
import { listedOf, type Subject } from '../vm/plan/subject.ts'
import { fentry, hookAt, hookSize, landingPadSize } from '../x86/entry.ts'
import { isNoPosition, positionFindings } from './function-positions.ts'
import { type LiveReference, requirementsOf, wordsOf } from './references.ts'
import { missing } from './verify-image.ts'

/** One function that the live patch replaces, as far as the kernel that was looked at tells. */
export interface ListedPlace extends ReplacedName {
  /** How many symbols the kernel object has of this name. */
  readonly namesakes: number
  /** `unclear`: no symbol has this position, or several could be meant; `closed`: ftrace can't hook in there. */
  readonly place: 'there' | 'absent' | 'unclear' | 'closed'
  /** In vmlinux as linked, hexadecimal. */
  readonly address?: string
}

export interface ListedReport {
  readonly format: 'inarch-verify-listed-1'
  /** `unknown`: nothing stands against it, and nobody knows whether the code is what it was made for. */
  readonly verdict: 'unknown' | 'refused'
  readonly module: { readonly name: string; readonly file: string; readonly sha256: string }
  readonly builtFor: { readonly release: string }
  readonly kernel: { readonly release: string; readonly version: string }
  readonly functions: readonly ListedPlace[]
  /** What the module refers to in the kernel by name and position, and how much of it is there. */
  readonly references: { readonly all: number; readonly found: number; readonly to: readonly string[] }
  readonly findings: readonly Finding[]
}

/** What is said of each live patch without a manifest. */
export function unknownCode({ name, file }: Pick<Subject, 'name' | 'file'>): Finding {
  return {
    severity: 'warning',
    rule: 'no-manifest',
    message: `What the code must be that ${name} replaces is not known, as it has no manifest: it was not compared`,
    hint: `Put the manifest beside ${file}; if another tool made it, only that tool knows for which code`,
  }
}

/**
 * Looks a live patch's tables up in a kernel.
 * @throws Fault `usage/manifest-needed` when the module does not tell what it replaces
 */
export async function verifyListed(job: Job, kernel: Kernel, subject: Subject): Promise<ListedReport> {
  const listed = listedOf(subject)
  const { references } = requirementsOf(subject.bytes, subject.file)
  const present = new Set<string>(['vmlinux'])
  for (const { object } of [...listed, ...references])
    if (!present.has(object) && (await findModule(kernel, object)) !== undefined) present.add(object)
  const names = await kernelNames(kernel, present)
  try {
    return await job.journal.step(`Looking it up in ${kernel.release}`, async (step) => {
      const functions = listed.map((one) => placeOf(names, present, one))
      const there = functions.filter(({ place }) => place === 'there').length
      step.result(`${there} of ${functions.length} functions are there`)
      const unresolved = references.flatMap((one) => missing(names, present, one, kernel))
      const findings = [
        ...kernelFindings(kernel, subject),
        ...functions.flatMap((one) => findingOf(one, kernel)),
        ...positionFindings(functions.map((one) => ({ ...one, places: placesOf(names, present, one) }))),
        ...unresolved,
        unknownCode(subject),
      ]
      return {
        format: 'inarch-verify-listed-1',
        verdict: findings.some(({ severity }) => severity === 'error') ? 'refused' : 'unknown',
        module: { name: subject.name, file: subject.file, sha256: subject.sha256 },
        builtFor: { release: subject.release },
        kernel: { release: kernel.release, version: kernel.version },
        functions,
        references: summary(references, unresolved.length),
        findings,
      }
    })
  } finally {
    names.close()
  }
}

function summary(references: readonly LiveReference[], missed: number): ListedReport['references'] {
  return { all: references.length, found: references.length - missed, to: references.map(wordsOf) }
}

function placesOf(names: KernelNames, present: ReadonlySet<string>, { object, name }: ReplacedName): bigint[] {
  return present.has(object) ? names.symbols(object, name).map(({ address }) => address) : []
}

function placeOf(names: KernelNames, present: ReadonlySet<string>, one: ReplacedName): ListedPlace {
  const { object, name, sympos } = one
  const places = placesOf(names, present, one)
  const known = { object, name, sympos, namesakes: places.length }
  const address = places[Math.max(0, sympos - 1)]
  if (places.length === 0) return { ...known, place: 'absent' }
  if (address === undefined || isNoPosition(sympos, places.length)) return { ...known, place: 'unclear' }
  return {
    ...known,
    place: isOpen(names, object, address) ? 'there' : 'closed',
    ...(object === 'vmlinux' ? { address: address.toString(16) } : {}),
  }
}

/** Whether the function begins with the place at which ftrace hooks in, behind a landing pad at the most. */
function isOpen(names: KernelNames, object: string, address: bigint): boolean {
  const running = names.running(object)
  return [0, landingPadSize].some((offset) => {
    const place = address + BigInt(offset)
    const bytes = running.read(place, hookSize)
    const leads = bytes && hookAt(bytes, 0)
    if (leads === undefined || leads === 'free') return leads === 'free'
    return running.addressesOf(fentry).includes(place + BigInt(leads))
  })
}

function findingOf({ place, object, name }: ListedPlace, { release }: Kernel): Finding[] {
  const error = (rule: string, message: string): Finding[] => [{ severity: 'error', rule, symbol: name, message }]
  if (place === 'absent') return error('no-symbol', `${release} has no function ${name} in ${object}`)
  if (place === 'closed')
    return error('no-hook', `${name} of ${object} can’t be replaced: ftrace has no place in it where it could hook in`)
  return []
}

function kernelFindings({ release }: Kernel, subject: Subject): Finding[] {
  if (release === subject.release) return []
  return [
    {
      severity: 'error',
      rule: 'other-kernel',
      message: `The live patch was built for ${subject.release}, and ${release} does not take it`,
      hint: 'Build it for that kernel, with the tool that made it',
    },
  ]
}
