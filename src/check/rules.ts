// SPDX-License-Identifier: GPL-3.0-or-later
// All rules, in the order in which their findings are told.
import type { Rule } from './rule.ts'

export const rules: readonly Rule[] = []
