// SPDX-License-Identifier: GPL-3.0-or-later
// The same fix built by both engines, and compared: do they replace the same functions, and by the same machine code?
// Each finds out its own way what changes, and makes its code its own way. What they share, agreement does not check:
// docs/source-engine.md lists it.
import { withConsent } from '../../check/consent.ts'
import { coldParent, sourceName } from '../../diff/object/compiler-names.ts'
import type { SplitObject } from '../../diff/object/split-object.ts'
import { Fault } from '../../ground/fault.ts'
import type { Finding } from '../../ground/finding.ts'
import type { Job } from '../../ground/job.ts'
import type { SourceChange } from '../../source/change/source-change.ts'
import type { Manifest } from '../manifest/manifest.ts'
import type { BuiltModule } from '../manifest/output.ts'
import type { StudiedFix } from './draft.ts'
import { makeSource, type SourceModule } from './source.ts'
import { likenessKey, unchangedByThemselves } from './source-likeness.ts'

type Engines = NonNullable<Manifest['engines']>
type Compared = Engines['functions'][number]

/**
 * Builds the fix from source, too, and compares the results.
 * @param first the binary engine's module, which is delivered
 * @throws Fault `refused/engines-differ` with a finding for each difference, unless the request allows it
 */
export async function makeBoth(job: Job, fix: StudiedFix, first: BuiltModule): Promise<BuiltModule> {
  const { request } = fix
  const second = await attempt(() => makeSource(job, fix))
  const engines =
    second instanceof Fault
      ? failed(first.manifest, second)
      : await job.journal.step('Comparing the engines', async (step) => {
          const { changes, tree } = second.source
          const unchanged = new Set<string>()
          for (const unit of new Set(changes.map((one) => one.unit))) {
            const alone = onlyIn(first.manifest, second.manifest).filter((one) => one.unit === unit)
            const names = alone.map(({ name }) => name)
            for (const name of await unchangedByThemselves(job, fix, unit, names, tree))
              unchanged.add(`${unit} ${name}`)
          }
          const found = compareEngines(first.manifest, second, unchanged)
          const same = found.functions.filter(({ code }) => code === 'identical').length
          step.result(`${same} of ${found.functions.length} replaced functions are identical`)
          return found
        })
  const findings = withConsent(differences(engines), new Set(request.allow))
  if (!engines.agree && request.allow?.includes('engines-differ') !== true)
    throw new Fault('refused', 'engines-differ', 'The two engines make different live patches of the fix', {
      findings: [
        ...findings.map(
          (finding): Finding => (finding.severity === 'note' ? finding : { ...finding, severity: 'error' }),
        ),
        ...(second instanceof Fault ? second.findings : []),
      ],
      ...(second instanceof Fault && second.detail !== undefined ? { detail: second.detail } : {}),
      remedy:
        'Look at the differences; when they are harmless, deliver the binary engine’s module with ' +
        '--allow engines-differ',
    })
  return {
    ...first,
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

function keyOf({ object, unit, name, sympos }: ReturnType<typeof functionsOf>[number]): string {
  return `${object} ${unit} ${name} ${sympos}`
}

/** What one engine replaces and the other does not. */
function onlyIn(manifest: Manifest, other: Manifest) {
  const theirs = new Set(functionsOf(other).map(keyOf))
  return functionsOf(manifest).filter((one) => !theirs.has(keyOf(one)))
}

/** @param unchanged functions that the fix does not change when each is compiled by itself, by `unit name` */
function compareEngines(binary: Manifest, source: SourceModule, unchanged: ReadonlySet<string>): Engines {
  const ours = functionsOf(binary)
  const theirs = functionsOf(source.manifest)
  const inSource = new Set(theirs.map(keyOf))
  const codeOf = ({ unit, name }: (typeof ours)[number]): Pick<Compared, 'code' | 'explanation'> =>
    source.likeness.get(likenessKey({ unit, oldName: name })) ?? { code: 'unknown' }
  const changeOf = (unit: string) => source.source.changes.find((candidate) => candidate.unit === unit)
  const functions: Compared[] = [
    ...ours.map((one): Compared => {
      const { object, unit, name } = one
      if (inSource.has(keyOf(one))) return { object, name, unit, replacedBy: 'both', ...codeOf(one) }
      const { explanation, instead } = onlyBinary(one, theirs, changeOf(unit))
      // A form of a function goes with those that the source engine replaces in its place.
      const code = unchanged.has(`${unit} ${name}`) || instead.length > 0 ? { code: 'same-by-source' } : {}
      return { object, name, unit, replacedBy: 'binary', ...code, explanation }
    }),
    ...onlyIn(source.manifest, binary).map((one): Compared => {
      const { object, unit, name } = one
      const { code = 'unknown', explanation: why } = codeOf(one)
      const seen = onlySource(one, changeOf(unit))
      return isSame(code)
        ? { object, name, unit, replacedBy: 'source', code: 'same-by-source', explanation: seen }
        : { object, name, unit, replacedBy: 'source', code, explanation: why === undefined ? seen : `${seen}; ${why}` }
    }),
  ]
  return { agree: functions.every(({ code }) => isSame(code)), functions }
}

/** Whether a difference between the engines is one of the compiler's choices only. */
function isSame(code: string | undefined): boolean {
  return code === 'identical' || code === 'same-by-source'
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
): { explanation: string; instead: readonly string[] } {
  const seen = `The binary engine replaces it because ${reasons[0] ?? 'its code differs'}`
  const written = sourceName(name)
  if (written === name && change?.embedded.has(name) !== true)
    return {
      explanation: `${seen}; in its text nothing changes, but the compiler puts other code into it than before`,
      instead: [],
    }
  const users = new Set(change?.embedded.get(name))
  const symbols = new Set(change?.functions.flatMap((one) => (users.has(one.name) ? one.symbol : [])))
  const around = theirs.filter((one) => symbols.has(one.name))
  const meant = around.length > 0 ? around : theirs.filter((one) => sourceName(one.name) === written)
  // A caller that goes on as it is would go on to the form that the fix changes.
  const names =
    change === undefined || isOnlyUsedBy(change.compared.before, name, new Set(theirs.map((one) => one.name)))
      ? meant.map((one) => one.name)
      : []
  const instead = names.length === 0 ? '' : `, but replaces ${names.join(', ')} instead`
  return {
    explanation:
      `${seen}; it is a form of ${written} that the compiler made and C has no name for, so the ` +
      `source engine can't replace it${instead}`,
    instead: names,
  }
}

/**
 * Whether all that refers to a form of a function is replaced, or is a form that is used by nothing but what is
 * replaced.
 */
function isOnlyUsedBy(unit: SplitObject, form: string, replaced: ReadonlySet<string>): boolean {
  const seen = new Set<string>([form])
  for (const name of seen)
    for (const atom of [...unit.functions, ...unit.data]) {
      const isUser = unit
        .relocations(atom)
        .map((relocation) => unit.target(atom.section, relocation))
        .some((target) => target.kind === 'atom' && target.atom.name === name)
      const user = coldParent(atom.name)
      if (!isUser || seen.has(user) || replaced.has(user)) continue
      if (atom.kind !== 'function' || sourceName(user) === user) return false
      seen.add(user)
    }
  return true
}

/** Why the binary engine does without a function that the source one replaces. */
function onlySource({ name, reasons }: Seen, change: SourceChange | undefined): string {
  const seen = `The source engine replaces it because ${reasons[0] ?? 'its text changes'}`
  if (change === undefined) return seen
  const { before, correlation, changed } = change.compared
  const atom = before.functions.find((one) => [one.symbol, ...one.aliases].some((symbol) => symbol?.name === name))
  const after = atom && correlation.pairs.find((pair) => pair.before === atom)?.after
  if (after === undefined)
    return (
      `${seen}; with the fix the compiler puts all of it into the functions that use it, and the ` +
      'binary engine replaces those'
    )
  if (!changed.some((one) => one.after === after))
    return `${seen}; the compiler makes the same code of it with and without the fix`
  const parent = coldParent(name)
  return `${seen}; the binary engine replaces a part of ${parent} only`
}

function differences({ functions, failure }: Engines): Finding[] {
  if (failure !== undefined)
    return [
      {
        severity: 'warning',
        rule: 'engines-differ',
        message: `Only the binary engine makes a live patch: ${failure}`,
      },
    ]
  return functions
    .filter(({ code, replacedBy }) => replacedBy !== 'both' || code !== 'identical')
    .map(
      ({ name, unit, replacedBy, code, explanation }): Finding => ({
        severity: isSame(code) ? 'note' : 'warning',
        rule: isSame(code) ? 'same-by-source' : 'engines-differ',
        symbol: name,
        unit,
        message:
          replacedBy === 'both'
            ? `The engines make different code of ${name} (${code}): ${explanation ?? 'no cause is known'}`
            : `Only the ${replacedBy} engine replaces ${name}. ${explanation}`,
      }),
    )
}
