// SPDX-License-Identifier: GPL-3.0-or-later
// The same fix built by both engines, and compared: do they replace the same functions, and by the same machine code?
// Two ways that know nothing of each other and come to the same result make each other credible.
import { readFileSync } from 'node:fs'
import type { CompiledPairs } from '../build/compile.ts'
import { withConsent } from '../check/consent.ts'
import { coldParent, sourceName, stem } from '../diff/names.ts'
import { readObject } from '../elf/read.ts'
import { Fault } from '../ground/fault.ts'
import type { Finding } from '../ground/finding.ts'
import type { Job } from '../ground/job.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { type CarriedDifference, compareFunctions } from '../source/agreement.ts'
import type { SourceChange } from '../source/unit-change.ts'
import { hasLandingPad, withoutLandingPads } from './landing-pads.ts'
import type { MadeModule } from './made.ts'
import type { Manifest } from './manifest.ts'
import type { CompiledFix } from './request.ts'
import { makeSource, type SourceModule } from './source-engine.ts'

type Engines = NonNullable<Manifest['engines']>
type Compared = Engines['functions'][number]

/**
 * Builds the fix from source, too, and compares the results.
 * @param first the binary engine's module, which is delivered
 * @throws Fault `refused/engines-differ` with a finding for each difference, unless the request allows it
 */
export async function makeBoth(
  job: Job,
  kernel: Kernel,
  fix: CompiledFix,
  first: MadeModule,
): Promise<MadeModule> {
  const { request, compiled } = fix
  const second = await attempt(() => makeSource(job, kernel, fix))
  const engines =
    second instanceof Fault
      ? failed(first.manifest, second)
      : await job.journal.step('Comparing the engines', async (step) => {
          const found = compareEngines(first.manifest, second, compiled)
          const same = found.functions.filter(({ code }) => code === 'identical').length
          step.result(`${same} of ${found.functions.length} replaced functions are identical`)
          return found
        })
  const findings = withConsent(differences(engines), new Set(request.allow))
  if (!engines.agree && request.allow?.includes('engines-differ') !== true)
    throw new Fault('refused', 'engines-differ', 'The two engines make different live patches of the fix', {
      findings: [
        ...findings.map((finding): Finding => ({ ...finding, severity: 'error' })),
        ...(second instanceof Fault ? second.findings : []),
      ],
      ...(second instanceof Fault && second.detail !== undefined ? { detail: second.detail } : {}),
      remedy:
        'Look at the differences; when they are harmless, deliver the binary engine’s module with --allow engines-differ',
    })
  return {
    bytes: first.bytes,
    manifest: { ...first.manifest, engines, findings: [...first.manifest.findings, ...findings] },
    ...(second instanceof Fault ? {} : { directory: second.directory }),
  }
}

async function attempt<T>(work: () => Promise<T>): Promise<T | Fault> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Fault && (error.kind === 'refused' || error.kind === 'patch')) return error
    throw error
  }
}

function functionsOf({ objects }: Manifest) {
  return objects.flatMap(({ name: object, functions }) => functions.map((one) => ({ ...one, object })))
}

function failed(binary: Manifest, fault: Fault): Engines {
  return {
    agree: false,
    failure: [
      fault.message,
      ...fault.findings.filter(({ severity }) => severity === 'error').map(({ message }) => message),
    ].join(': '),
    functions: functionsOf(binary).map(({ object, name, unit }) => ({
      object,
      name,
      unit,
      replacedBy: 'binary',
    })),
  }
}

/** @param compiled the units that the binary engine compared */
export function compareEngines(binary: Manifest, source: SourceModule, { pairs }: CompiledPairs): Engines {
  const ours = functionsOf(binary)
  const theirs = functionsOf(source.manifest)
  const key = ({ object, unit, name, sympos }: (typeof ours)[number]) => `${object} ${unit} ${name} ${sympos}`
  const inSource = new Map(theirs.map((one) => [key(one), one]))
  const inBinary = new Map(ours.map((one) => [key(one), one]))
  const code = new Map<string, Pick<Compared, 'code' | 'explanation'>>()
  for (const { unit, object, compiled } of source.objects) {
    const pair = pairs.find((one) => one.unit === unit)
    const plan = source.source.replacements.filter((one) => one.unit === unit)
    const both = plan.filter(({ oldName, position }) =>
      inBinary.has(key({ object, unit, name: oldName, sympos: position, reasons: [] })),
    )
    if (pair === undefined || both.length === 0) continue
    const names = new Map(
      source.source.replacements.map(({ oldName, replacement }) => [replacement, oldName]),
    )
    const after = readObject(readFileSync(pair.after), `${unit} (after)`)
    const onlyHere = both.filter(
      ({ oldName, replacement }) => hasLandingPad(compiled, replacement) && !hasLandingPad(after, oldName),
    )
    const agreements = compareFunctions(
      after,
      withoutLandingPads(compiled, new Set(onlyHere.map(({ replacement }) => replacement))),
      both.map(({ oldName, replacement }) => ({ name: oldName, as: replacement })),
      (symbol) => names.get(symbol) ?? symbol,
    )
    const own = source.source.provenance.own.get(unit)
    const isOwn = ({ class: what, name }: CarriedDifference) => what === 'second-copy' && own?.has(stem(name))
    for (const { oldName, position } of both) {
      const agreement = agreements.get(oldName)
      if (agreement === undefined) continue
      const [carried] = agreement.carried.filter((one) => !isOwn(one))
      code.set(
        key({ object, unit, name: oldName, sympos: position, reasons: [] }),
        agreement.identical
          ? carried === undefined
            ? { code: 'identical' }
            : { code: carried.class, explanation: carried.message }
          : { code: agreement.class, explanation: agreement.message },
      )
    }
  }
  const changeOf = (unit: string) => source.source.changes.find((candidate) => candidate.unit === unit)
  const functions: Compared[] = [
    ...ours.map((one): Compared => {
      const { object, unit, name } = one
      if (inSource.has(key(one)))
        return { object, name, unit, replacedBy: 'both', ...(code.get(key(one)) ?? { code: 'unknown' }) }
      return {
        object,
        name,
        unit,
        replacedBy: 'binary',
        explanation: onlyBinary(one, theirs, changeOf(unit)),
      }
    }),
    ...theirs
      .filter((one) => !inBinary.has(key(one)))
      .map((one): Compared => {
        const { object, unit, name } = one
        return { object, name, unit, replacedBy: 'source', explanation: onlySource(one, changeOf(unit)) }
      }),
  ]
  return { agree: functions.every(({ code: same }) => same === 'identical'), functions }
}

interface Seen {
  readonly name: string
  readonly reasons: readonly string[]
}

/** Why the source engine does without a function that the binary one replaces. */
function onlyBinary(
  { name, reasons }: Seen,
  theirs: readonly Seen[],
  change: SourceChange | undefined,
): string {
  const seen = `The binary engine replaces it because ${reasons[0] ?? 'its code differs'}`
  const written = sourceName(name)
  if (written === name && change?.embedded.includes(name) !== true)
    return `${seen}; in its text nothing changes, but the compiler puts other code into it than before`
  const around = theirs.filter((one) => one.reasons.some((reason) => reason.includes(`${name},`)))
  const meant = around.length > 0 ? around : theirs.filter((one) => sourceName(one.name) === written)
  const names = meant.map((one) => one.name)
  const instead = names.length === 0 ? '' : `, but replaces ${names.join(', ')} instead`
  return `${seen}; it is a form of ${written} that the compiler made and C has no name for, so the source engine can't replace it${instead}`
}

/** Why the binary engine does without a function that the source one replaces. */
function onlySource({ name, reasons }: Seen, change: SourceChange | undefined): string {
  const seen = `The source engine replaces it because ${reasons[0] ?? 'its text changes'}`
  if (change === undefined) return seen
  const { before, correlation, changed } = change.compared
  const piece = before.functions.find((one) =>
    [one.symbol, ...one.aliases].some((symbol) => symbol?.name === name),
  )
  const after = piece && correlation.pairs.find((pair) => pair.before === piece)?.after
  if (after === undefined)
    return `${seen}; with the fix the compiler puts all of it into the functions that use it, and the binary engine replaces those`
  if (!changed.some((one) => one.after === after))
    return `${seen}; the compiler makes the same code of it with and without the fix`
  const parent = coldParent(name)
  return `${seen}; the binary engine replaces a part of ${parent} only`
}

function differences({ functions, failure }: Engines): Finding[] {
  const found = functions.filter(
    ({ code, replacedBy }) => failure === undefined && (replacedBy !== 'both' || code !== 'identical'),
  )
  return [
    ...(failure === undefined
      ? []
      : [
          {
            severity: 'warning',
            rule: 'engines-differ',
            message: `Only the binary engine makes a live patch: ${failure}`,
          } as const,
        ]),
    ...found.map(
      ({ name, unit, replacedBy, code, explanation }): Finding => ({
        severity: 'warning',
        rule: 'engines-differ',
        symbol: name,
        unit,
        message:
          replacedBy === 'both'
            ? `The engines make different code of ${name} (${code}): ${explanation ?? 'it can not be said why'}`
            : `Only the ${replacedBy} engine replaces ${name}. ${explanation}`,
      }),
    ),
  ]
}
