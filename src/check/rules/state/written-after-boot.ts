// SPDX-License-Identifier: GPL-3.0-or-later
// New code that writes to what is read-only since the kernel, or the module, has started (`__ro_after_init`).

import { closing } from '../../../c/tokens/lexer.ts'
import { wordsAt } from '../../../c/tokens/names.ts'
import { differenceOf, statementsOf } from '../../../c/tokens/statements.ts'
import { isInitOrExit } from '../../../c/written/functions.ts'
import { variablesOf } from '../../../c/written/local-variables.ts'
import { effectsIn, readerOf } from '../../semantics/effects/effects.ts'
import { type ChangedFunctions, changedFunctionsOf, type Side } from '../../subject/changed-functions.ts'
import { type Doing, type Found, foundInEach, warning } from '../../subject/rule.ts'
import type { Subject } from '../../subject/subject.ts'

/** A variable as the changed files declare it: `static struct x *name[4] __ro_after_init = …`. */
interface Declared {
  /** How many indices lead to something in the variable itself: none of a pointer. */
  readonly dimensions: number
  readonly isReadOnly: boolean
}

function declaredIn({ rest }: Side, name: string): Declared[] {
  return wordsAt(rest, name).flatMap((at): Declared[] => {
    let [end, dimensions] = [at + 1, 0]
    for (; rest[end]?.text === '['; dimensions++) end = closing(rest, end)
    const behind = rest[end]?.text ?? ''
    const isDeclared = /^[*}]$/.test(rest[at - 1]?.text ?? '') || rest[at - 1]?.kind === 'name'
    return isDeclared && /^(?:[=;,]|__\w+)$/.test(behind)
      ? [{ dimensions, isReadOnly: behind === '__ro_after_init' }]
      : []
  })
}

/** True of a place to which the variable only leads: `name->x`, `*name` and `name[1]` of a pointer. */
function leadsElsewhere(side: Side, name: string, place: string): boolean {
  if (place.includes('->')) return true
  const indices = /^(?:\w+)((?:\[[^\]]*\])*)/.exec(place)?.[1]?.match(/\[/g)?.length ?? 0
  const steps = indices + (/^\*+/.exec(place)?.[0].length ?? 0)
  // Of a variable that other files declare, `*name` is one that it leads to, and `name[1]` a part of it.
  const [declared] = declaredIn(side, name)
  return declared === undefined ? place.startsWith('*') : steps > declared.dimensions
}

/**
 * @param isReadOnly whether the running kernel's variable of this name is
 */
export function bootDataFindings(
  functions: ChangedFunctions,
  isReadOnly: (name: string) => boolean = () => false,
): Found[] {
  const reader = readerOf(functions, 'after')
  const found: Doing[] = []
  for (const { name, file, before, after } of functions.all) {
    if (after === undefined || after.kind === 'macro' || isInitOrExit(after)) continue
    const variables = variablesOf(after)
    const { come } = differenceOf(before === undefined ? [] : statementsOf(before.body), statementsOf(after.body))
    for (const { kind, place } of come.flatMap((one) => effectsIn(reader, one, variables))) {
      if (!/^(?:write|lock|count)$/.test(kind) || place === undefined) continue
      const { base, text } = place
      if (variables.has(base) || leadsElsewhere(functions.before, base, text)) continue
      // What the patch brings itself is carried where it stays writable.
      const isDeclaredSo = declaredIn(functions.before, base).some((one) => one.isReadOnly)
      if (!isDeclaredSo && !isReadOnly(base)) continue
      found.push({
        of: { name, file },
        does:
          `now writes to ${base}, which is read-only since the kernel has started (__ro_after_init): ` +
          'the write is a fault',
      })
    }
  }
  return foundInEach(found)
}

function isReadOnlyIn({ names }: Subject): (name: string) => boolean {
  const edge = (name: string) => names.symbols('vmlinux', name)[0]?.address
  const [begin, end] = [edge('__start_ro_after_init'), edge('__end_ro_after_init')]
  return (name) =>
    begin !== undefined &&
    end !== undefined &&
    names.symbols('vmlinux', name).some(({ address }) => address >= begin && address < end)
}

export const writtenAfterBoot = warning(
  'written-after-boot',
  'New code that writes to a variable which is read-only since the kernel, or its module, has started',
  'The memory of __ro_after_init variables is write-protected by then; the first write is a fault in the kernel',
  'Keep what changes in a new variable of the live patch, or in a shadow variable',
  ['init/main.c: mark_readonly', 'include/linux/cache.h: mark_rodata_ro'],
  (subject) => bootDataFindings(changedFunctionsOf(subject), isReadOnlyIn(subject)),
)
