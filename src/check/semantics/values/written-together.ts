// SPDX-License-Identifier: GPL-3.0-or-later
// Members of one object that are written in one section of a lock belong together: whoever takes the lock finds all of
// them or none. Where the new code writes them in two sections, code that is not replaced, or still runs the old code,
// finds one without the other.

import { callsIn } from '../../../c/tokens/calls.ts'
import { type Statement, statementsOf } from '../../../c/tokens/statements.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { type Variable, variablesOf } from '../../../c/written/local-variables.ts'
import { listed } from '../../../ground/listed.ts'
import { withHelpers } from '../../locks/operations.ts'
import { guardOf, primitiveOf } from '../../locks/primitives.ts'
import type { ChangedFunction, ChangedFunctions, Side } from '../../subject/changed-functions.ts'
import type { Found } from '../../subject/rule.ts'
import { effectsIn, type Reader, readerOf } from '../effects/effects.ts'
import { type AccessPath, accessPathOf, liveMember } from '../reading/access-paths.ts'

/** One taking of a lock, up to its release, and the members of its own object that are written meanwhile. */
interface Section {
  /** `struct psi_group.rtpoll_trigger_lock`. */
  readonly lock: string
  readonly members: Set<string>
}

/** The lock that a statement takes or gives, as a member of a struct. */
function lockIn(
  { tokens }: Statement,
  variables: ReadonlyMap<string, Variable>,
  side: Side,
): { readonly lock: string; readonly role: 'take' | 'give' | 'scope' } | undefined {
  for (const { name, values } of callsIn(tokens)) {
    const isScope = name === 'scoped_guard'
    const primitive = isScope ? guardOf(values[0]?.[0]?.text ?? '') : primitiveOf(name, (word) => side.mentions(word))
    const argument = isScope ? 1 : primitive?.argument
    if (primitive?.kind !== 'lock' || argument === undefined) continue
    const lock = liveMember(accessPathOf(values[argument] ?? [], variables))
    if (lock !== undefined && /^(?:struct|union) /.test(lock)) return { lock, role: isScope ? 'scope' : primitive.role }
  }
  return undefined
}

function sectionsIn(reader: Reader, definition: Definition): Section[] {
  const variables = variablesOf(definition)
  const found: Section[] = []
  const open: { readonly section: Section; readonly scope: Statement | undefined }[] = []
  for (const statement of statementsOf(definition.body)) {
    for (let at = open.length - 1; at >= 0; at--) {
      const { scope } = open[at]!
      if (scope !== undefined && !statement.under.includes(scope)) open.splice(at, 1)
    }
    const lock = lockIn(statement, variables, reader.side)
    if (lock?.role === 'give') {
      const at = open.findIndex(({ section }) => section.lock === lock.lock)
      // On a way out the others go on with the lock held.
      if (at >= 0 && !statement.leaves) open.splice(at, 1)
      continue
    }
    if (lock !== undefined) {
      const section: Section = { lock: lock.lock, members: new Set() }
      found.push(section)
      open.push({ section, scope: lock.role === 'scope' ? statement : undefined })
      continue
    }
    if (open.length === 0) continue
    const written = [
      ...effectsIn(reader, statement, variables).filter(({ kind }) => kind === 'write'),
      ...listsIn(statement, variables),
    ]
    for (const { object, member } of written)
      for (const { section } of open)
        if (member !== '' && section.lock.startsWith(`${object}.`)) section.members.add(member)
  }
  return found
}

/** The lists to which a statement adds. */
function listsIn({ tokens }: Statement, variables: ReadonlyMap<string, Variable>): AccessPath[] {
  return callsIn(tokens, /^h?list_(?:bl_)?add(?:_tail|_head)?(?:_rcu)?$/).flatMap(({ values }) => {
    const place = accessPathOf(values[1] ?? [], variables)
    return place?.isLive === true ? [place] : []
  })
}

/** Of which function each section is. */
type Owned = Section & { readonly of: ChangedFunction }

function sectionsOf(functions: ChangedFunctions, side: 'before' | 'after'): Owned[] {
  const reader = readerOf(functions, side)
  const other = functions[side === 'before' ? 'after' : 'before']
  return functions.all.flatMap((of) => {
    const own = of[side]
    if (own === undefined || own.kind === 'macro' || of.before === undefined || of.after === undefined) return []
    return withHelpers(reader.side, own, other)
      .flatMap((one) => sectionsIn(reader, one))
      .map((section) => ({ ...section, of }))
  })
}

/** Members of one part that a message names. */
const mostNamed = 3

/** Members that were written together and are not any more, although both still are; the first two of each section. */
export function partedFindings(functions: ChangedFunctions): Found[] {
  const [old, young] = [sectionsOf(functions, 'before'), sectionsOf(functions, 'after')]
  const said = new Set<string>()
  return old.flatMap(({ lock, members, of }): Found[] => {
    const now = young.filter((one) => one.lock === lock)
    const isWhole = ({ members: its }: Section) => [...members].every((member) => its.has(member))
    if (members.size < 2 || now.length < 2 || now.some(isWhole)) return []
    const parts = now.filter((one) => [...members].some((member) => one.members.has(member)))
    const isWritten = (member: string) => parts.some((one) => one.members.has(member))
    const list = [...members].filter(isWritten)
    const areTogether = (one: string, other: string) => parts.some(({ members: its }) => its.has(one) && its.has(other))
    for (const one of list)
      for (const other of list) {
        if (one >= other || areTogether(one, other)) continue
        // Another function that always wrote only one of them shows that they do not belong together.
        const isAlone = old.some((its) => its.lock === lock && its.members.has(one) !== its.members.has(other))
        if (isAlone) continue
        const some = list.filter((its) => its === one || areTogether(one, its))
        const rest = list.filter((its) => !some.includes(its))
        const parting = [lock, ...some, '', ...rest].join('\n')
        if (said.has(parting)) return []
        said.add(parting)
        return [
          {
            symbol: of.name,
            unit: of.file,
            message:
              `${of.name} set ${listed(some.slice(0, mostNamed))} together with ` +
              `${listed(rest.slice(0, mostNamed))}, in one section of ${lock}; now the lock is free in ` +
              'between, and old code, and all that is not replaced, can find the one without the other',
            hint: 'See whether all that takes the lock can do with the one alone',
          },
        ]
      }
    return []
  })
}
