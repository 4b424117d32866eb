// SPDX-License-Identifier: GPL-3.0-or-later
// What the rules say that need nothing but the texts on both sides: no compiler and no image. For benchmarks and tests.

import { lockFindings } from '../../src/check/locks/lock-usage.ts'
import { readerFindings } from '../../src/check/rules/concurrency/lockless-readers.ts'
import { referenceFindings } from '../../src/check/rules/concurrency/refcount-balance.ts'
import { wakeFindings } from '../../src/check/rules/concurrency/wake-up.ts'
import { trustedFindings } from '../../src/check/rules/state/count-trusted.ts'
import { countedFindings } from '../../src/check/rules/state/counted-otherwise.ts'
import { givenBackFindings } from '../../src/check/rules/state/given-back-otherwise.ts'
import { heldFindings } from '../../src/check/rules/state/held-otherwise.ts'
import { elsewhereFindings } from '../../src/check/rules/state/kept-elsewhere.ts'
import { meantFindings } from '../../src/check/rules/state/meant-otherwise.ts'
import { nameFindings } from '../../src/check/rules/state/named-otherwise.ts'
import { placedFindings } from '../../src/check/rules/state/placed-otherwise.ts'
import { arrivalFindings } from '../../src/check/rules/state/reaches-only-new.ts'
import { oldObjectFindings } from '../../src/check/rules/state/set-up-by-old-code.ts'
import { storedFindings } from '../../src/check/rules/state/stored-otherwise.ts'
import { bootDataFindings } from '../../src/check/rules/state/written-after-boot.ts'
import { acquisitionFindings } from '../../src/check/semantics/effects/acquisitions.ts'
import { partedFindings } from '../../src/check/semantics/values/written-together.ts'
import type { ChangedFunctions } from '../../src/check/subject/changed-functions.ts'
import type { Found } from '../../src/check/subject/rule.ts'
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
    ...of('given-back-otherwise', [...givenBackFindings(functions), ...acquisitionFindings(functions)]),
    ...of('held-otherwise', heldFindings(functions)),
    ...of('stored-otherwise', storedFindings(functions)),
    ...of('placed-otherwise', placedFindings(functions)),
    ...of('kept-elsewhere', elsewhereFindings(functions, changes)),
    ...of('named-otherwise', nameFindings(functions, changes)),
    ...of('count-trusted', trustedFindings(functions)),
    ...of('counted-otherwise', countedFindings(functions)),
    ...of('meant-otherwise', meantFindings(functions)),
    ...of('lockless-readers', readerFindings(functions)),
    ...of('written-after-boot', bootDataFindings(functions)),
    ...of(
      'reaches-only-new',
      arrivalFindings(functions).map((one) => ({ severity: 'note' as const, ...one })),
    ),
  ]
}
