// SPDX-License-Identifier: GPL-3.0-or-later
// docs/fixes.md, from what was found and what a person says about it.
import type { Choice } from './choice.ts'
import type { Compared, Results, Views } from './results.ts'

export function fixesPage(
  _choice: Choice,
  _results: Results | undefined,
  _views: Views,
  _compared: Compared,
): string {
  return ''
}
