// SPDX-License-Identifier: GPL-3.0-or-later
// Does with a change what its author asks for: leaves out what is to be ignored, takes along what is to be
// included. Comparing finds what differs; this file says what becomes of it.
import { sectionFlag } from '../elf/format.ts'
import type { Finding } from '../ground/finding.ts'
import { type Correlation, withoutCounterparts } from './correlation/correlate.ts'
import { type Directives, type DirectiveTargets, namesFunction } from './directives.ts'
import { coldParent, isColdPart } from './object/compiler-names.ts'
import type { Atom, SplitObject } from './object/split-object.ts'

/** A function that differs. */
export interface FunctionChange {
  readonly before: Atom
  readonly after: Atom
  /** Each says one difference, such as `it refers to "b" instead of "a"`. */
  readonly reasons: readonly string[]
}

/** What a comparison finds before anybody asks what the author wants. */
export interface ComparedObjects {
  readonly unit: string
  readonly before: SplitObject
  readonly after: SplitObject
  readonly correlation: Correlation
  readonly changed: readonly FunctionChange[]
  readonly findings: readonly Finding[]
}

/** What becomes of it. */
export interface AppliedDirectives {
  readonly correlation: Correlation
  readonly changed: readonly FunctionChange[]
  readonly findings: readonly Finding[]
  /** What the author says with the macros of kernel/include. */
  readonly directives: Directives
  /** Existing data of which the author wants a copy; they are without a counterpart, as new data are. */
  readonly copied: ReadonlySet<Atom>
}

type Say = (severity: Finding['severity'], rule: string, symbol: string, message: string, hint: string) => void

/** @returns the change as the author wants it */
export function applyDirectives(found: ComparedObjects, directives: Directives): AppliedDirectives {
  const { unit, after, correlation } = found
  const findings = [...directives.findings]
  const say: Say = (severity, rule, symbol, message, hint) =>
    findings.push({ severity, rule, symbol, unit, message, hint })
  const { ignored, included, unsafe } = directives
  if (isEmpty(ignored) && isEmpty(included) && unsafe.size === 0) {
    const { changed } = found
    findings.push(...found.findings)
    return { correlation, changed, directives, copied: new Set(), findings }
  }
  tellWithoutEffect(found, directives, say)
  const left = leaveOut(found, ignored, say)
  const copied = new Set(
    after.data.filter(
      (atom) => included.sections.has(atom.section.name) && correlation.counterpartOf(atom) !== undefined,
    ),
  )
  const changed = [...left.changed]
  const include = (atom: Atom, reason: string) => {
    const counterpart = correlation.counterpartOf(atom)
    if (counterpart === undefined || changed.some((one) => one.after === atom)) return
    changed.push({ before: counterpart, after: atom, reasons: [reason] })
  }
  for (const atom of after.functions)
    if (!isColdPart(atom.name) && namesFunction(included, atom)) include(atom, 'the patch asks for it')
  if (copied.size > 0) switchTo(copied, found, include, say)
  const copies = new Set([...copied].map(({ name }) => name))
  findings.push(...left.findings.filter(({ rule, symbol }) => rule !== 'data-changed' || !copies.has(symbol ?? '')))
  return {
    correlation: withoutCounterparts(correlation, copied),
    changed,
    directives,
    copied,
    findings,
  }
}

function tellWithoutEffect({ unit, before, after }: ComparedObjects, directives: Directives, say: Say): void {
  for (const name of unknownNames(directives, before, after))
    say(
      'warning',
      'directive-without-effect',
      name,
      `The patch asks to ignore or to include ${name}, but ${unit} has nothing of this name`,
      'Look for the name with nm or objdump -h: functions and sections are meant as the compiler names them',
    )
  for (const name of directives.unsafe)
    say(
      'note',
      'force-unsafe',
      name,
      `The patch asks to replace ${name} without a safety check (KPATCH_FORCE_UNSAFE), which the kernel can't do`,
      'Nothing has to be done: each task is switched as soon as it is safe',
    )
}

/** Takes away what is to be ignored, and what was found wrong with it; each thing is told once. */
function leaveOut(
  { after, changed, findings }: ComparedObjects,
  ignored: DirectiveTargets,
  say: Say,
): Pick<AppliedDirectives, 'changed' | 'findings'> {
  const told = new Set<string>()
  const leave = (name: string, why: string) => {
    if (told.has(name)) return
    told.add(name)
    say(
      'note',
      'ignored',
      name,
      `The patch asks to leave ${name} as it is: ${why}`,
      'Make sure that the rest of the patch does not need this change',
    )
  }
  // A finding names a function, a datum or a section.
  const names = new Set(ignored.sections)
  for (const atom of [...after.data, ...after.functions])
    if (ignored.sections.has(atom.section.name)) names.add(atom.name)
    else if (atom.kind === 'function' && namesFunction(ignored, atom)) names.add(atom.name)
  const isLeft = ({ name }: Atom) => names.has(name)
  for (const { after: atom, reasons } of changed) if (isLeft(atom)) leave(atom.name, reasons[0] ?? '')
  const isLeftFinding = ({ severity, symbol }: Finding) =>
    severity === 'error' && symbol !== undefined && names.has(symbol)
  for (const finding of findings) if (isLeftFinding(finding)) leave(finding.symbol ?? '', finding.message)
  return {
    changed: changed.filter((one) => !isLeft(one.after)),
    findings: findings.filter((finding) => !isLeftFinding(finding)),
  }
}

/** Replaces the functions that use data of which there is a copy, and tells who goes on without it. */
function switchTo(
  copied: ReadonlySet<Atom>,
  { unit, after, correlation }: ComparedObjects,
  include: (atom: Atom, reason: string) => void,
  say: Say,
): void {
  for (const { user, datum } of usersOf(after, copied)) {
    const whole = isColdPart(user.name) ? after.functions.find(({ name }) => name === coldParent(user.name)) : user
    if (whole?.kind === 'function')
      include(whole, `it uses ${datum.name}, of which the live patch has a copy of its own`)
    else if (whole !== undefined && !copied.has(whole) && correlation.counterpartOf(whole) !== undefined)
      say(
        'warning',
        'copy-not-shared',
        datum.name,
        `${whole.name} goes on pointing to the running kernel's ${datum.name}, while the live patch has ` +
          'a copy of its own',
        'Include the section of the data that point to it, too, or change the data from a callback',
      )
  }
  for (const { name, section, symbol } of copied) {
    if ((section.flags & sectionFlag.write) !== 0)
      say(
        'note',
        'copy-starts-anew',
        name,
        `The live patch's copy of ${name} begins with the value that the source gives it, not with the ` +
          `running kernel's`,
        'Take over the running value in a callback, if it matters',
      )
    if (symbol !== undefined && symbol.binding !== 'local')
      say(
        'warning',
        'copy-not-shared',
        name,
        `Other files that use ${name} go on with the running kernel's, while ${unit} gets a copy of its own`,
        'Change the data from a callback instead, if others use it',
      )
  }
}

/** Every reference to one of `data`, by who refers. */
function usersOf(split: SplitObject, data: ReadonlySet<Atom>): { user: Atom; datum: Atom }[] {
  const marks = split.marksOf([...data].map(({ section }) => section))
  return split.atoms.flatMap((user) =>
    split.referredAtoms(user, marks).flatMap((datum) => (data.has(datum) ? [{ user, datum }] : [])),
  )
}

function isEmpty({ functions, sections }: DirectiveTargets): boolean {
  return functions.size + sections.size === 0
}

/** What the author names and nothing is called. */
function unknownNames({ ignored, included }: Directives, before: SplitObject, after: SplitObject): string[] {
  const functions = [...before.functions, ...after.functions]
  const sections = new Set([...before.object.sections, ...after.object.sections].map((section) => section.name))
  return [ignored, included].flatMap((names) => [
    ...[...names.functions].filter(
      (name) => !functions.some((atom) => namesFunction({ functions: new Set([name]), sections: new Set() }, atom)),
    ),
    ...[...names.sections].filter((name) => !sections.has(name)),
  ])
}
