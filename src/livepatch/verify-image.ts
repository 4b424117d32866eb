// SPDX-License-Identifier: GPL-3.0-or-later
// `inarch verify`: whether the code that a live patch would replace is what a kernel's image and its modules' files
// hold, and whether what it refers to is there. Nothing is compiled: what is expected stands in the manifest.

import { auditModule } from '../audit/audit.ts'
import { Fault } from '../ground/fault.ts'
import type { Finding } from '../ground/finding.ts'
import type { Job } from '../ground/job.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { findModule } from '../kernel/modules.ts'
import { readBanner } from '../match/cause.ts'
import { closestOf, compare, type Mismatch } from '../match/compare.ts'
import { describe, instructionsOf } from '../match/difference-text.ts'
import { type Expectation, sizeOf } from '../match/expectation.ts'
import { type Identity, identityOf, imageDifference } from '../match/identity.ts'
import { type KernelNames, kernelNames } from '../match/names.ts'
import { type MatchRecord, unpackExpectation } from '../match/record.ts'
import { anchor } from '../module/bind/distance.ts'
import type { Manifest } from '../module/manifest/manifest.ts'
import { manifestOf, type Subject } from '../vm/plan/subject.ts'
import { isNoPosition, positionFindings } from './function-positions.ts'
import {
  type DistantReference,
  imageFindings,
  type LiveReference,
  nameOf,
  requirementsOf,
  wordsOf,
} from './references.ts'

type FunctionEntry = Manifest['objects'][number]['functions'][number]

/** One function that the live patch replaces, in the kernel that was looked at. */
export interface ImageFunction {
  readonly object: string
  readonly name: string
  readonly unit: string
  readonly sympos: number
  /** How many symbols the kernel object has of this name. */
  readonly namesakes: number
  /** Bytes that the code had in the kernel for which the live patch was made. */
  readonly size: number
  readonly code: 'matches' | 'differs' | 'absent' | 'elsewhere'
  /** In vmlinux as linked, hexadecimal. */
  readonly address?: string
  /** Fields that lead out of the function, and those that lead to what has no name. */
  readonly fields?: number
  readonly unconfirmed?: number
  /** How it was recognised when the live patch was built. */
  readonly by: MatchRecord['by']
  /** The first instruction that differs. */
  readonly difference?: {
    readonly offset: number
    readonly part: number
    readonly expected: string
    readonly found: string
    /** A clause. */
    readonly text: string
  }
}

export interface ImageReport {
  readonly format: 'inarch-verify-1'
  readonly verdict: 'matches' | 'differs'
  readonly module: { readonly name: string; readonly file: string; readonly sha256: string }
  readonly builtFor: { readonly release: string; readonly version: string }
  readonly kernel: { readonly release: string; readonly version: string; readonly banner?: string }
  readonly functions: readonly ImageFunction[]
  /** What the module refers to in the kernel and is not exported, and how much of it is there. */
  readonly references: { readonly all: number; readonly found: number; readonly to: readonly string[] }
  readonly findings: readonly Finding[]
}

/**
 * Compares a live patch with a kernel.
 * @param subject from `readSubject`, which compares the module with its manifest
 * @throws Fault `usage/manifest-needed`, `usage/no-expectation`, `usage/bad-manifest`
 */
export async function verifyImage(job: Job, kernel: Kernel, subject: Subject): Promise<ImageReport> {
  const manifest = manifestOf(subject)
  const { image, references } = requirementsOf(subject.bytes, subject.file)
  const wanted = new Set(
    [...manifest.objects, ...references.map(({ object }) => ({ name: object }))].map(({ name }) => name),
  )
  const present = new Set<string>(['vmlinux'])
  for (const name of wanted) if (name !== 'vmlinux' && (await findModule(kernel, name)) !== undefined) present.add(name)
  const names = await kernelNames(kernel, present)
  try {
    return await job.journal.step(`Comparing with ${kernel.release}`, async (step) => {
      const compared = manifest.objects.flatMap(({ name, functions }) =>
        functions.map((one) => compareOne(names, present, name, one)),
      )
      const functions = await worded(job, compared)
      const matching = functions.filter(({ code }) => code === 'matches').length
      step.result(`${matching} of ${functions.length} functions match`)
      const banner = readBanner(names.running('vmlinux'))
      const unresolved = references.flatMap((one) => missing(names, present, one, kernel))
      const findings = [
        ...kernelFindings(kernel, manifest, image, names),
        ...imageFindings(image),
        ...functions.flatMap((one) => findingOf(one, kernel)),
        ...positionFindings(
          functions.map((one) => ({
            ...one,
            places: present.has(one.object) ? names.symbols(one.object, one.name).map(({ address }) => address) : [],
          })),
        ),
        ...unresolved,
        ...(await audited(kernel, manifest, subject)),
      ]
      return {
        format: 'inarch-verify-1',
        verdict: findings.some(({ severity }) => severity === 'error') ? 'differs' : 'matches',
        module: { name: subject.name, file: subject.file, sha256: subject.sha256 },
        builtFor: { release: manifest.kernel.release, version: manifest.kernel.version },
        kernel: {
          release: kernel.release,
          version: kernel.version,
          ...(banner === undefined ? {} : { banner: `${banner.release} (${banner.tools}) ${banner.build}` }),
        },
        functions,
        references: {
          all: references.length,
          found: references.length - unresolved.length,
          to: references.map(wordsOf),
        },
        findings,
      }
    })
  } finally {
    names.close()
  }
}

/** What the audit says of the module itself, for the kernel that it was built for; of another one enough is told. */
async function audited(
  kernel: Kernel,
  { kernel: { release, version } }: Manifest,
  { bytes, file }: Subject,
): Promise<Finding[]> {
  if (kernel.release !== release || kernel.version !== version) return []
  return await auditModule(kernel, bytes, file)
}

interface Compared {
  readonly about: Omit<ImageFunction, 'difference'>
  readonly mismatch?: Mismatch
}

function compareOne(names: KernelNames, present: ReadonlySet<string>, object: string, entry: FunctionEntry): Compared {
  const { name, unit, sympos, match } = entry
  if (match === undefined)
    throw new Fault('usage', 'no-expectation', `The manifest does not say what the code of ${name} must be`, {
      remedy: 'Build the live patch again with `inarch build`',
    })
  const expected: Expectation = unpackExpectation(match.expected)
  const symbols = present.has(object) ? names.symbols(object, name) : []
  const about = {
    object,
    name,
    unit,
    sympos,
    namesakes: symbols.length,
    size: sizeOf(expected),
    by: match.by,
  }
  const running = names.running(object)
  const results = symbols.map(({ address }) => compare(expected, running, address))
  const own = sympos === 0 && symbols.length > 1 ? undefined : results[Math.max(0, sympos - 1)]
  const address = symbols[Math.max(0, sympos - 1)]?.address
  const place = object === 'vmlinux' && address !== undefined ? { address: address.toString(16) } : {}
  if (own?.matches === true)
    return {
      about: { ...about, ...place, code: 'matches', fields: own.fixed.length, unconfirmed: own.unconfirmed },
    }
  if (results.some(({ matches }) => matches)) return { about: { ...about, code: 'elsewhere' } }
  const mismatch = own ?? closestOf(results)
  return mismatch === undefined
    ? { about: { ...about, code: 'absent' } }
    : { about: { ...about, ...place, code: 'differs' }, mismatch }
}

/** Adds what differs in words, with one run of the disassembler. */
async function worded(job: Job, compared: readonly Compared[]): Promise<ImageFunction[]> {
  const texts = await instructionsOf(
    job,
    compared.flatMap(({ mismatch }) => mismatch ?? []),
  )
  let next = 0
  return compared.map(({ about, mismatch }) => {
    if (mismatch === undefined) return about
    const text = texts[next++]!
    const difference = {
      offset: mismatch.at,
      part: mismatch.part,
      expected: text.ours,
      found: text.theirs,
      text: describe(mismatch, text),
    }
    return { ...about, difference }
  })
}

function findingOf(one: ImageFunction, { release }: Kernel): Finding[] {
  const { code, name, object, unit, sympos } = one
  const error = (message: string): Finding[] => [
    {
      severity: 'error',
      rule: 'code-differs',
      symbol: name,
      unit,
      message,
      hint: `Build the live patch for this kernel: \`inarch build --kernel ${release}\``,
    },
  ]
  if (code === 'absent') return error(`${release} has no function ${name} in ${object}`)
  // Which one is meant is not said at all, or a number that there is not: that is told of its place.
  if (isNoPosition(sympos, one.namesakes)) return []
  if (code === 'elsewhere')
    return error(
      `The function that is meant is another one of the ${one.namesakes} that ${object} has called ` +
        `${name}, not number ${Math.max(1, sympos)}`,
    )
  if (code === 'differs')
    return error(`The code of ${name} in ${release} is another: ${one.difference?.text ?? 'it is shorter'}`)
  return []
}

function kernelFindings(
  kernel: Kernel,
  { kernel: { release, version } }: Manifest,
  image: Identity | undefined,
  names: KernelNames,
): Finding[] {
  const error = (rule: string, message: string): Finding[] => [
    {
      severity: 'error',
      rule,
      message,
      hint: `Build it for that kernel: \`inarch build --kernel ${kernel.release}\``,
    },
  ]
  if (kernel.release !== release)
    return error('other-kernel', `The live patch was built for ${release}, and refuses ${kernel.release}`)
  const difference = image && imageDifference(image, identityOf(kernel, names.running('vmlinux')))
  if (difference !== undefined)
    return error('other-image', `The live patch refuses this build of ${release}: ${difference}`)
  if (kernel.version === version || image !== undefined) return []
  return [
    {
      severity: 'note',
      rule: 'other-version',
      message: `The live patch was built for ${release} of version ${version}, and this is version ${kernel.version}`,
    },
  ]
}

/** What the kernel would say when it can't resolve a reference. */
export function missing(
  names: KernelNames,
  present: ReadonlySet<string>,
  reference: LiveReference,
  { release }: Kernel,
): Finding[] {
  if (!('name' in reference)) return misplaced(names, reference, release)
  const { object, name, sympos } = reference
  const count = present.has(object) ? names.symbols(object, name).length : 0
  if (count > 0 && (sympos === 0 ? count === 1 : sympos <= count)) return []
  const message =
    count === 0
      ? `The live patch refers to ${name} of ${object}, which ${release} does not have`
      : sympos === 0
        ? `The live patch refers to ${name} of ${object} as if there was only one, and ${release} has ${count}`
        : `The live patch refers to number ${sympos} of the symbols ${name} of ${object}, and ${release} has ${count}`
  return [{ severity: 'error', rule: 'no-symbol', symbol: name, message }]
}

/** What is not where it should lie, by its distance. */
function misplaced(names: KernelNames, reference: DistantReference, release: string): Finding[] {
  const [from] = names.symbols('vmlinux', anchor)
  const there = from === undefined ? [] : names.at('vmlinux', from.address + BigInt(reference.distance))
  if (there.some(({ name }) => reference.names.includes(name))) return []
  const symbol = nameOf(reference)
  const message = `The live patch expects ${symbol} at a place where ${release} has ${there[0]?.name ?? 'no symbol'}`
  return [{ severity: 'error', rule: 'no-symbol', symbol, message }]
}
