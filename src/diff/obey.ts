// SPDX-License-Identifier: GPL-3.0-or-later
// Does with a change what its author asks for: leaves out what is to be ignored, takes along what is to be
// included. Comparing finds what differs; this file says what becomes of it.
import { sectionFlag } from '../elf/format.ts'
import type { Finding } from '../ground/finding.ts'
import type { Anatomy, Piece } from './anatomy.ts'
import type { Correlation } from './correlate.ts'
import { type Directives, type Names, namesFunction } from './directives.ts'
import { coldParent, isColdPart } from './names.ts'

/** A function that differs. */
interface Difference {
  readonly before: Piece
  readonly after: Piece
  readonly reasons: readonly string[]
}

/** What a comparison finds before anybody asks what the author wants. */
export interface Found {
  readonly unit: string
  readonly before: Anatomy
  readonly after: Anatomy
  readonly correlation: Correlation
  readonly changed: readonly Difference[]
  readonly findings: readonly Finding[]
}

/** What becomes of it. */
export interface Wanted {
  readonly correlation: Correlation
  readonly changed: readonly Difference[]
  readonly findings: readonly Finding[]
  /** What the author says with the macros of kernel/include. */
  readonly directives: Directives
  /** Existing data of which the author wants a copy; they are without a counterpart, as new data are. */
  readonly copied: ReadonlySet<Piece>
}

/** @returns the change as the author wants it */
export function obey(found: Found, directives: Directives): Wanted {
  const { unit, before, after, correlation } = found
  const { ignored, included } = directives
  const findings = [...directives.findings]
  const say = (severity: Finding['severity'], rule: string, symbol: string, message: string, hint: string) =>
    findings.push({ severity, rule, symbol, unit, message, hint })

  if (isEmpty(ignored) && isEmpty(included) && directives.unsafe.size === 0)
    return {
      correlation,
      changed: found.changed,
      directives,
      copied: new Set(),
      findings: [...findings, ...found.findings],
    }
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

  const changed: Difference[] = []
  const noted = new Set<string>()
  const leave = (name: string, why: string) => {
    if (!noted.has(name))
      say(
        'note',
        'ignored',
        name,
        `The patch asks to leave ${name} as it is: ${why}`,
        'Make sure that the rest of the patch does not need this change',
      )
    noted.add(name)
  }
  for (const one of found.changed)
    if (namesFunction(ignored, one.after)) leave(one.after.name, one.reasons[0] ?? '')
    else changed.push(one)

  const copied = new Set(
    after.data.filter(
      (piece) => included.sections.has(piece.section.name) && correlation.counterpartOf(piece) !== undefined,
    ),
  )
  const include = (piece: Piece, reason: string) => {
    const counterpart = correlation.counterpartOf(piece)
    if (counterpart === undefined || changed.some((one) => one.after === piece)) return
    changed.push({ before: counterpart, after: piece, reasons: [reason] })
  }
  for (const piece of after.functions)
    if (!isColdPart(piece.name) && namesFunction(included, piece)) include(piece, 'the patch asks for it')
  for (const { user, datum } of copied.size === 0 ? [] : usersOf(after, copied)) {
    const whole = isColdPart(user.name)
      ? after.functions.find(({ name }) => name === coldParent(user.name))
      : user
    if (whole?.kind === 'function')
      include(whole, `it uses ${datum.name}, of which the live patch has a copy of its own`)
    else if (whole !== undefined && !copied.has(whole) && correlation.counterpartOf(whole) !== undefined)
      say(
        'warning',
        'copy-not-shared',
        datum.name,
        `${whole.name} goes on pointing to the running kernel's ${datum.name}, while the live patch has a copy of its own`,
        'Include the section of the data that point to it, too, or change the data from a callback',
      )
  }
  for (const { name, section } of copied)
    if ((section.flags & sectionFlag.write) !== 0)
      say(
        'note',
        'copy-starts-anew',
        name,
        `The live patch's copy of ${name} begins with the value that the source gives it, not with the running kernel's`,
        'Take over the running value in a callback, if it matters',
      )
  for (const { symbol } of copied)
    if (symbol !== undefined && symbol.binding !== 'local')
      say(
        'warning',
        'copy-not-shared',
        symbol.name,
        `Other files that use ${symbol.name} go on with the running kernel's, while ${unit} gets a copy of its own`,
        'Change the data from a callback instead, if others use it',
      )

  const settled = new Set([...copied].map(({ name }) => name))
  const leftAlone = new Set(ignored.sections)
  for (const piece of [...after.data, ...after.functions])
    if (ignored.sections.has(piece.section.name)) leftAlone.add(piece.name)
    else if (piece.kind === 'function' && namesFunction(ignored, piece)) leftAlone.add(piece.name)
  for (const finding of found.findings) {
    const name = finding.symbol ?? ''
    if (finding.severity === 'error' && leftAlone.has(name)) leave(name, finding.message)
    else if (!(finding.rule === 'data-changed' && settled.has(name))) findings.push(finding)
  }
  return {
    correlation: {
      ...correlation,
      counterpartOf: (piece) => (copied.has(piece) ? undefined : correlation.counterpartOf(piece)),
    },
    changed,
    directives,
    copied,
    findings,
  }
}

/** Everything that refers to one of `data`. */
function usersOf(anatomy: Anatomy, data: ReadonlySet<Piece>): { user: Piece; datum: Piece }[] {
  return anatomy.pieces.flatMap((user) =>
    anatomy.relocations(user).flatMap((relocation) => {
      const target = anatomy.target(user.section, relocation)
      return target.kind === 'piece' && data.has(target.piece) ? [{ user, datum: target.piece }] : []
    }),
  )
}

function isEmpty({ functions, sections }: Names): boolean {
  return functions.size + sections.size === 0
}

/** What the author names and nothing is called. */
function unknownNames({ ignored, included }: Directives, before: Anatomy, after: Anatomy): string[] {
  const functions = [...before.functions, ...after.functions]
  const sections = new Set(
    [...before.object.sections, ...after.object.sections].map((section) => section.name),
  )
  return [ignored, included].flatMap((names) => [
    ...[...names.functions].filter(
      (name) =>
        !functions.some((piece) => namesFunction({ functions: new Set([name]), sections: new Set() }, piece)),
    ),
    ...[...names.sections].filter((name) => !sections.has(name)),
  ])
}
