// SPDX-License-Identifier: GPL-3.0-or-later
// `inarch verify --running`: whether the code that a live patch would replace on this host is the code that it was made
// for, who hooks it already, and what the kernel would say when the live patch is loaded. It only looks.
import { Fault } from '../ground/fault.ts'
import type { Finding } from '../ground/finding.ts'
import type { Job } from '../ground/job.ts'
import { grouped } from '../ground/values/grouped.ts'
import type { Model } from '../kernel/model.ts'
import { type Identity, imageDifference } from '../match/identity.ts'
import { taintNames } from '../vm/guest/log.ts'
import { listedOf, type Subject } from '../vm/plan/subject.ts'
import { type Core, openCore } from './core.ts'
import { functionFindings } from './function-findings.ts'
import { type NamedFunction, positionFindings } from './function-positions.ts'
import { type KnownFunction, type Sight, type VerifiedFunction, verifyObject } from './functions.ts'
import { readHooks } from './hooks.ts'
import type { Host } from './host.ts'
import { type HostState, readHostState } from './host-state.ts'
import { blindSpots, obstaclesOf } from './obstacles.ts'
import { imageFindings, type LiveReference, nameOf, problemOf, requirementsOf, wordsOf } from './references.ts'
import { type RunningSymbols, readRunningSymbols } from './symbols.ts'
import { unknownCode } from './verify-listed.ts'

/** `ready`: nothing stands against loading it; `at-work`: it is loaded. */
export type Verdict = 'ready' | 'at-work' | 'forbidden' | 'differs' | 'unseen'

/** All that was found; serialisable. */
export interface RunningReport {
  readonly format: 'inarch-running-1'
  readonly verdict: Verdict
  readonly module: { readonly name: string; readonly sha256: string; readonly release: string }
  readonly host: {
    readonly release: string
    readonly build: string
    readonly taint: readonly string[]
    readonly lockdown: string
    readonly patches: readonly {
      readonly name: string
      readonly enabled: boolean
      readonly moving: boolean
      readonly model: Model
    }[]
  }
  readonly functions: readonly VerifiedFunction[]
  /** What it refers to in the kernel and is not exported, all of which was looked up. */
  readonly references: number
  /** Each of them, for a person. */
  readonly lookedUp: readonly string[]
  readonly findings: readonly Finding[]
}

/**
 * Compares what a live patch was made for with what the host runs.
 * @throws Fault `usage/manifest-needed`, `usage/no-expectation`; `environment/*` when the kernel's names can't be seen
 */
export async function verifyRunning(job: Job, host: Host, subject: Subject): Promise<RunningReport> {
  const { objects, replace } = wantedOf(subject)
  const condition = readHostState(host)
  if (condition.release !== subject.release) return ofAnotherKernel(subject, condition)
  const symbols = readRunningSymbols(host)
  const { image, references } = requirementsOf(subject.bytes, subject.file)
  const findings: Finding[] = [
    ...obstaclesOf(condition, subject, { objects, replace }),
    ...otherImage(image, condition),
    ...(subject.manifest === undefined ? [unknownCode(subject)] : imageFindings(image)),
  ]
  let core: Core | undefined
  try {
    core = openCore(host)
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    findings.push({
      severity: 'warning',
      rule: 'memory-unseen',
      message: error.message,
      ...(error.remedy === undefined ? {} : { hint: error.remedy }),
    })
  }
  try {
    const hooks = readHooks(host)
    findings.push(...blindSpots(hooks, condition))
    const sight: Sight = { host, condition, hooks, symbols, core }
    const functions = await job.journal.step('Comparing with the running kernel', async (step) => {
      const all: VerifiedFunction[] = []
      for (const { name, functions: replaced } of objects) {
        job.signal.throwIfAborted()
        all.push(...(await verifyObject(job, sight, name, replaced)))
      }
      step.result(`${all.filter(({ code }) => code === 'matches').length} of ${all.length} match`)
      return all
    })
    findings.push(...functions.flatMap((one) => functionFindings(one, subject.name)), ...notLoaded(functions))
    findings.push(...positionFindings(inMemory(functions, symbols)), ...missing(references, sight))
    return {
      format: 'inarch-running-1',
      verdict: verdictOf(functions, findings, condition, subject),
      module: moduleOf(subject),
      host: hostOf(condition),
      functions,
      references: references.length,
      lookedUp: references.map(wordsOf),
      findings,
    }
  } finally {
    core?.close()
  }
}

/** What the live patch is to replace, by its manifest; without one, by its own tables. */
function wantedOf(subject: Subject): {
  readonly objects: readonly { readonly name: string; readonly functions: readonly KnownFunction[] }[]
  readonly replace: boolean | undefined
} {
  const { manifest } = subject
  if (manifest !== undefined) return { objects: manifest.objects, replace: manifest.replace }
  const byObject = grouped(listedOf(subject), ({ object }) => object)
  return { objects: [...byObject].map(([name, functions]) => ({ name, functions })), replace: undefined }
}

const moduleOf = ({ name, sha256, release }: Subject) => ({ name, sha256, release })

const hostOf = ({ release, build, taint, lockdown, patches = [] }: HostState) => ({
  release,
  build,
  taint: taintNames(taint),
  lockdown,
  patches: patches.map(({ name, enabled, moving, model }) => ({ name, enabled, moving, model })),
})

function ofAnotherKernel(subject: Subject, condition: HostState): RunningReport {
  return {
    format: 'inarch-running-1',
    verdict: 'forbidden',
    module: moduleOf(subject),
    host: hostOf(condition),
    functions: [],
    references: 0,
    lookedUp: [],
    findings: [
      {
        severity: 'error',
        rule: 'other-kernel',
        message: `The live patch was built for ${subject.release}, and this host runs ${condition.release}`,
        hint: `Build it for this kernel: \`inarch build --kernel ${condition.release}\``,
      },
    ],
  }
}

/** The live patch refuses every image but one. */
function otherImage(image: Identity | undefined, { release, build, buildId }: HostState): Finding[] {
  const difference = image && imageDifference(image, { release, version: build, buildId })
  if (difference === undefined) return []
  return [
    {
      severity: 'error',
      rule: 'other-image',
      message: `The live patch refuses this build of ${release}: ${difference}`,
      hint: 'Build it again for the kernel that runs',
    },
  ]
}

/** Those that are there now, with all places that have their names. */
function inMemory(functions: readonly VerifiedFunction[], symbols: RunningSymbols): NamedFunction[] {
  return functions
    .filter(({ comparedWith, code }) => comparedWith === 'memory' && code !== 'missing')
    .map((one) => ({ ...one, places: symbols.lookup(one.object, one.name).map(({ address }) => address) }))
}

/** Which modules are not there yet, and what was done about them. */
function notLoaded(functions: readonly VerifiedFunction[]): Finding[] {
  const modules = new Map<string, VerifiedFunction>()
  for (const one of functions) if (one.comparedWith === 'file') modules.set(one.object, one)
  return [...modules].map(([module, { problem, code }]) => ({
    severity: 'note',
    rule: 'module-not-loaded',
    message:
      code === 'absent'
        ? `The module ${module} is not loaded, and nothing was compared: ${problem}`
        : `The module ${module} is not loaded; its file was compared, and the kernel patches it when it comes`,
  }))
}

/** The references that the kernel could not resolve now; those into modules that are not loaded are resolved later. */
function missing(references: readonly LiveReference[], { symbols, condition }: Sight): Finding[] {
  return references.flatMap((reference): Finding[] => {
    const { object } = reference
    if (object !== 'vmlinux' && !condition.modules.includes(object)) return []
    const problem = problemOf(reference, symbols)
    if (problem === undefined) return []
    return [
      {
        severity: 'error',
        rule: 'no-symbol',
        symbol: nameOf(reference),
        message: `The live patch refers to ${nameOf(reference)}, but ${problem}`,
        hint: 'The kernel is not the one that the live patch was made for: build it again',
      },
    ]
  })
}

function verdictOf(
  functions: readonly VerifiedFunction[],
  findings: readonly Finding[],
  { patches = [] }: HostState,
  { name }: Subject,
): Verdict {
  if (functions.some(({ code }) => code === 'differs')) return 'differs'
  if (findings.some(({ severity }) => severity === 'error')) return 'forbidden'
  if (functions.some(({ code }) => code === 'unseen')) return 'unseen'
  return patches.some((patch) => patch.name === name && patch.enabled) ? 'at-work' : 'ready'
}
