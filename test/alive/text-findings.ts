// SPDX-License-Identifier: GPL-3.0-or-later
// What the rules say that need nothing but the texts on both sides: no compiler and no image. For benchmarks and tests.

import { partedFindings } from '../../src/check/alive/parted.ts'
import { takingFindings } from '../../src/check/alive/takings.ts'
import type { ChangedFunctions } from '../../src/check/changed-functions.ts'
import { lockFindings } from '../../src/check/locking.ts'
import type { Found } from '../../src/check/rule.ts'
import { trustedFindings } from '../../src/check/rules/count-trusted.ts'
import { countedFindings } from '../../src/check/rules/counted-otherwise.ts'
import { givenBackFindings } from '../../src/check/rules/given-back-otherwise.ts'
import { heldFindings } from '../../src/check/rules/held-otherwise.ts'
import { elsewhereFindings } from '../../src/check/rules/kept-elsewhere.ts'
import { readerFindings } from '../../src/check/rules/lockless-readers.ts'
import { meantFindings } from '../../src/check/rules/meant-otherwise.ts'
import { nameFindings } from '../../src/check/rules/named-otherwise.ts'
import { placedFindings } from '../../src/check/rules/placed-otherwise.ts'
import { arrivalFindings } from '../../src/check/rules/reaches-only-new.ts'
import { referenceFindings } from '../../src/check/rules/refcount-balance.ts'
import { oldObjectFindings } from '../../src/check/rules/set-up-by-old-code.ts'
import { storedFindings } from '../../src/check/rules/stored-otherwise.ts'
import { wakeFindings } from '../../src/check/rules/wake-up.ts'
import { bootDataFindings } from '../../src/check/rules/written-after-boot.ts'
import type { FileChange } from '../../src/patch/patch.ts'

export function textFindings(
  functions: ChangedFunctions,
  changes: readonly FileChange[],
): (Found & { rule: string })[] {
  const of = (rule: string, list: readonly Found[]) => list.map((one) => ({ rule, ...one }))
  return [
    ...of('lock-balance', [...lockFindings(functions), ...partedFindings(functions)]),
    ...of('refcount-balance', referenceFindings(functions)),
    ...of('wake-up', wakeFindings(functions)),
    ...of('set-up-by-old-code', oldObjectFindings(functions, changes)),
    ...of('given-back-otherwise', [...givenBackFindings(functions), ...takingFindings(functions)]),
    ...of('held-otherwise', heldFindings(functions)),
    ...of('stored-otherwise', storedFindings(functions, changes)),
    ...of('placed-otherwise', placedFindings(functions, changes)),
    ...of('kept-elsewhere', elsewhereFindings(functions, changes)),
    ...of('named-otherwise', nameFindings(functions, changes)),
    ...of('count-trusted', trustedFindings(functions)),
    ...of('counted-otherwise', countedFindings(functions)),
    ...of('meant-otherwise', meantFindings(functions, changes)),
    ...of('lockless-readers', readerFindings(functions)),
    ...of('written-after-boot', bootDataFindings(functions)),
    ...of(
      'reaches-only-new',
      arrivalFindings(functions).map((one) => ({ severity: 'note' as const, ...one })),
    ),
  ]
}
