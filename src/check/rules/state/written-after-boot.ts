// SPDX-License-Identifier: GPL-3.0-or-later
// New code that writes to what is read-only since the kernel, or the module, has started (`__ro_after_init`).

import { differenceOf, statementsOf } from '../../../c/tokens/statements.ts'
import { isInitOrExit } from '../../../c/written/functions.ts'
import { variablesOf } from '../../../c/written/local-variables.ts'
import { effectsIn, readerOf } from '../../semantics/effects/effects.ts'
import { type ChangedFunctions, changedFunctionsOf, type Side } from '../../subject/changed-functions.ts'
import { type Found, foundIn, warning } from '../../subject/rule.ts'
import type { Subject } from '../../subject/subject.ts'

/** True of a variable that the changed files declare so: `static struct x *name __ro_after_init = …`. */
function isDeclaredSo({ rest }: Side, name: string): boolean {
  return rest.some(
    ({ text }, at) =>
      text === name &&
      rest
        .slice(at + 1, at + 8)
        .map((one) => one.text)
        .join(' ')
        .match(/^(?:\[ \w* \] ?)*__ro_after_init\b/) !== null,
  )
}

/**
 * @param isReadOnly whether the running kernel's variable of this name is
 */
export function bootDataFindings(
  functions: ChangedFunctions,
  isReadOnly: (name: string) => boolean = () => false,
): Found[] {
  const reader = readerOf(functions, 'after')
  const found = new Map<string, Found>()
  for (const { name, file, before, after } of functions.all) {
    if (after === undefined || after.kind === 'macro' || isInitOrExit(after)) continue
    const variables = variablesOf(after)
    const { come } = differenceOf(before === undefined ? [] : statementsOf(before.body), statementsOf(after.body))
    for (const { kind, place } of come.flatMap((one) => effectsIn(reader, one, variables))) {
      if (!/^(?:write|lock|count)$/.test(kind) || place === undefined || found.has(place.base)) continue
      const { base, text } = place
      // Where the variable leads, is another place.
      const isItself = !text.includes('->') && !text.startsWith('*') && !text.startsWith(`${base}[`)
      if (!isItself || variables.has(base)) continue
      // What the patch brings itself is carried where it stays writable.
      if (!isDeclaredSo(functions.before, base) && !isReadOnly(base)) continue
      found.set(
        base,
        foundIn(
          { name, file },
          `${name} now writes to ${base}, which is read-only since the kernel has started ` +
            '(__ro_after_init): the write is a fault',
        ),
      )
    }
  }
  return [...found.values()]
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
