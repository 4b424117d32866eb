// SPDX-License-Identifier: GPL-3.0-or-later
// Values that are held against a schema, and what is wrong with one that does not fit, in words.
import * as v from 'valibot'
import type { Fault } from './fault.ts'

/** Characters; a message may quote what it found. */
const longest = 300

/** @returns the place and what is wrong there, in a line without a full stop */
function issueText(issue: v.BaseIssue<unknown>): string {
  const place = v.getDotPath(issue) ?? 'its top'
  const text = issue.received === 'undefined' ? `${place} is missing` : `${place}: ${issue.message}`
  return text.length > longest ? `${text.slice(0, longest)}…` : text
}

/**
 * @param bad makes the fault of what does not fit, given the place and what is wrong there
 * @returns the value as the schema gives it
 */
export function fitting<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  bad: (why: string) => Fault,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value, { abortEarly: true })
  if (result.success) return result.output
  throw bad(issueText(result.issues[0]))
}

/** The value of a JSON text. @param notJson makes the fault of a text that is none, given the parser's words */
export function fittingJson<Schema extends v.GenericSchema>(
  schema: Schema,
  text: string,
  bad: (why: string) => Fault,
  notJson = (_: string) => bad('it is not JSON'),
): v.InferOutput<Schema> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw notJson((error as Error).message)
  }
  return fitting(schema, value, bad)
}
