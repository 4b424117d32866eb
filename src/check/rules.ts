// SPDX-License-Identifier: GPL-3.0-or-later
// All rules, in the order in which their findings are told.
import type { Rule } from './rule.ts'
import { longSleepers, neverFinishes } from './rules/forecast.ts'
import { lockBalance } from './rules/lock-balance.ts'
import { refcountBalance } from './rules/refcount-balance.ts'
import { typeLayout } from './rules/type-layout.ts'

export const rules: readonly Rule[] = [neverFinishes, longSleepers, lockBalance, refcountBalance, typeLayout]
