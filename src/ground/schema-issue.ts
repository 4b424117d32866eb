// SPDX-License-Identifier: GPL-3.0-or-later
// What is wrong with a value that does not fit its schema, in words.
import * as v from 'valibot'

/** Characters; a message may quote what it found. */
const longest = 300

/** @returns the place and what is wrong there, in a line without a full stop */
export function issueText(issue: v.BaseIssue<unknown>): string {
  const place = v.getDotPath(issue) ?? 'its top'
  const text = issue.received === 'undefined' ? `${place} is missing` : `${place}: ${issue.message}`
  return text.length > longest ? `${text.slice(0, longest)}…` : text
}
