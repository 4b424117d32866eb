// SPDX-License-Identifier: GPL-3.0-or-later
// A JSON text that fits, one that does not, and what is no JSON.
import * as v from 'valibot'
import { expect, test } from 'vitest'
import { Fault } from '../../src/ground/fault.ts'
import { fittingJson } from '../../src/ground/schema.ts'

const schema = v.object({ count: v.number() })
const bad = (why: string) => new Fault('usage', 'bad', why)
const read = (text: string) => fittingJson(schema, text, bad)

test('a value that fits is handed out as the schema has it', () => {
  expect(read('{"count": 3, "more": true}')).toEqual({ count: 3 })
})

test('what does not fit is told with its place', () => {
  expect(() => read('{}')).toThrow('count is missing')
  expect(() => read('{"count": "many"}')).toThrow(/^count: /)
  expect(() => read('3')).toThrow(/^its top: /)
})

test('what is no JSON is told as that, in the words that the reader wants', () => {
  expect(() => read('{')).toThrow('it is not JSON')
  expect(() => fittingJson(schema, '{', bad, (why) => bad(`no JSON: ${why}`))).toThrow(/^no JSON: ./)
})
