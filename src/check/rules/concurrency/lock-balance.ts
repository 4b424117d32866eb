// SPDX-License-Identifier: GPL-3.0-or-later
// Locks that old and new code do not take alike; what is dangerous about it, `locks/lock-usage.ts` says, and of what
// is written while they are held, `semantics/values/written-together.ts`.

import { lockFindings } from '../../locks/lock-usage.ts'
import { partedFindings } from '../../semantics/values/written-together.ts'
import { ofTexts, warning } from '../../subject/rule.ts'

const rule = warning(
  'lock-balance',
  'Locks, and RCU sections, that a changed function takes, releases, leaves held or orders otherwise ' +
    'than before, and members that were written together in one section of a lock and no longer are',
  'During the transition tasks of the old and of the new code run at the same time, and a lock ' +
    'keeps them apart only if both take it',
  'Make the live patch keep to the old locking as well, and say --allow lock-balance when old and new ' +
    'code can run side by side',
  [
    'Documentation/livepatch/livepatch.rst: ordering of locking in multiple functions at the same time',
    'Documentation/locking/lockdep-design.rst: lock inversion deadlock',
  ],
  ofTexts((functions) => [...lockFindings(functions), ...partedFindings(functions)]),
)

export const lockBalance = { ...rule, ofMixture: true } as const
