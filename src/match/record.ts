// SPDX-License-Identifier: GPL-3.0-or-later
// What the manifest says about a replaced function: what its code must be, and how it was recognised in the kernel's
// image. A manifest is hostile until it is checked against this schema.
import * as v from 'valibot'
import { Fault } from '../ground/fault.ts'
import { pack, unpack } from '../ground/packed-json.ts'
import type { Expectation } from './expectation.ts'
import { fieldForms } from './expectation.ts'

/** Bytes; no function is nearly as long. */
const largest = 4 * 1024 * 1024

const offset = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(largest))
const number = v.pipe(v.number(), v.safeInteger())
const bytes = v.pipe(v.string(), v.maxLength(2 * largest), v.base64())
const symbol = v.pipe(v.string(), v.regex(/^[^\s/]{1,512}$/))
const part = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(10_000))

const inside = v.strictObject({ part, plus: v.exactOptional(number) })

const plain = [
  v.strictObject({
    symbol,
    plus: v.exactOptional(number),
    within: v.exactOptional(offset),
    own: v.exactOptional(v.literal(true)),
    empty: v.exactOptional(v.literal(true)),
  }),
  inside,
  v.strictObject({ holds: bytes }),
  v.strictObject({ file: v.pipe(v.string(), v.maxLength(4096)), whole: v.exactOptional(v.literal(true)) }),
  v.strictObject({ value: number }),
  v.strictObject({ unknown: v.pipe(v.string(), v.maxLength(1000)) }),
] as const

const place = { at: offset, form: v.picklist(fieldForms) }
const plainField = v.strictObject({ ...place, to: v.union(plain) })
const entry = v.strictObject({ code: bytes, fields: v.array(plainField) })
const field = v.strictObject({
  ...place,
  to: v.union([...plain, v.strictObject({ entry }), v.strictObject({ complaint: entry })]),
})

const snippet = { code: bytes, fields: v.array(field) }
/** Bytes that a site may have: an alternative's length is one byte. */
const short = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(255))

const site = v.variant('kind', [
  v.strictObject({ kind: v.literal('label'), at: offset, to: v.union([inside, v.literal('unknown')]) }),
  v.strictObject({
    kind: v.literal('alternative'),
    at: offset,
    length: v.pipe(short, v.minValue(1)),
    choices: v.array(v.strictObject(snippet)),
    direct: v.exactOptional(v.literal(true)),
  }),
  v.strictObject({ kind: v.literal('lock'), at: offset }),
  v.strictObject({ kind: v.literal('paravirt'), at: offset, length: v.pipe(short, v.minValue(1)) }),
  v.strictObject({ kind: v.literal('constant'), at: offset, length: v.pipe(short, v.maxValue(8)) }),
])

const onePart = v.strictObject({
  name: v.exactOptional(symbol),
  ...snippet,
  sites: v.array(site),
})

const expectationSchema = v.strictObject({
  parts: v.tupleWithRest([onePart], onePart),
}) satisfies v.GenericSchema<unknown, Expectation>

/**
 * `by`: the name is unique; of several, one has this code; of several alike, what refers to it or lies beside it tells.
 */
export const matchRecordSchema = v.object({
  by: v.picklist(['name', 'code', 'surroundings']),
  /** Where it is in vmlinux as linked, in hexadecimal; absent for a module, which has no address yet. */
  address: v.exactOptional(v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/))),
  /** How many fields lead out of the function, and how many of them lead to something that has no name. */
  fields: offset,
  unconfirmed: offset,
  /** An Expectation, packed: JSON, gzip, base64. */
  expected: bytes,
})

export type MatchRecord = v.InferOutput<typeof matchRecordSchema>

/** Bytes of JSON; that of the kernel's largest functions has some hundred thousand. */
const largestText = 64 * 1024 * 1024

export function packExpectation(expectation: Expectation): string {
  return pack(expectation)
}

/**
 * @param packed from a manifest
 * @throws Fault `usage/bad-manifest`
 */
export function unpackExpectation(packed: string): Expectation {
  const bad = (detail: string) =>
    new Fault('usage', 'bad-manifest', 'What the manifest expects of a function can’t be read', {
      detail,
      remedy: 'Build the live patch again, or get its manifest again',
    })
  let value: unknown
  try {
    value = unpack(packed, largestText)
  } catch (error) {
    throw bad((error as Error).message)
  }
  const result = v.safeParse(expectationSchema, value)
  if (!result.success) throw bad(result.issues[0].message)
  return result.output
}
