// SPDX-License-Identifier: GPL-3.0-or-later
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Event, parseEvent } from '../../../src/vm/guest/protocol.ts'

/** A line as the guest writes it. */
const told = (text: string) => `inarch 4 ${text.length} ${text}`

const encode = (text: string) => Buffer.from(text).toString('base64')

describe('a line of the control channel', () => {
  test.each<[string, Event]>([
    ['hello 6.1.0-1-amd64', { number: 4, kind: 'hello', release: '6.1.0-1-amd64' }],
    ['begin a.load', { number: 4, kind: 'begin', step: 'a.load' }],
    ['end a.load done', { number: 4, kind: 'end', step: 'a.load', outcome: 'done', reason: '' }],
    [
      `end a.load failed ${encode('no room\n')}`,
      { number: 4, kind: 'end', step: 'a.load', outcome: 'failed', reason: 'no room' },
    ],
    ['sample a.go 3 57', { number: 4, kind: 'sample', step: 'a.go', left: 3, total: 57 }],
    [
      `asleep module-first 60 ${Buffer.from('task 1 (a) S').toString('base64')}`,
      { number: 4, kind: 'asleep', order: 'module-first', tasks: 60, stacks: 'task 1 (a) S' },
    ],
    [
      'replaces vmlinux show_it,2 1',
      { number: 4, kind: 'replaces', object: 'vmlinux', name: 'show_it', sympos: 2, active: true },
    ],
    [
      'replaces ext4 show_it,1 -',
      { number: 4, kind: 'replaces', object: 'ext4', name: 'show_it', sympos: 1, active: undefined },
    ],
    [`output a.0 1 ${encode('ä\nb\n')}`, { number: 4, kind: 'output', check: 'a.0', exitCode: 1, text: 'ä\nb\n' }],
    ['output a.0 0', { number: 4, kind: 'output', check: 'a.0', exitCode: 0, text: '' }],
    ['taint 45056', { number: 4, kind: 'taint', bits: 45056 }],
    ['done', { number: 4, kind: 'done' }],
    ['end a.reload refused', { number: 4, kind: 'end', step: 'a.reload', outcome: 'refused', reason: '' }],
  ])('%s', (text, event) => {
    expect(parseEvent(told(text))).toEqual(event)
    expect(parseEvent(`${told(text)}\r`)).toEqual(event)
  })

  test.each(['end a.load failed bm8gcm9vbQ==', 'begin a.load', 'taint 45056'])(
    'of which a part is missing is no event: %s',
    (text) => {
      const line = told(text)
      for (let length = 0; length < line.length; length++)
        expect(parseEvent(line.slice(0, length)), line.slice(0, length)).toBeUndefined()
      expect(parseEvent(line.replace(' a', ' ').replace('4505', '450'))).toBeUndefined()
    },
  )

  test.each(['', 'inarch', '[    4.070000] inarch 4 4 done', 'inarch x 4 done', 'inarch 4.07 done', 'inarch 4 done'])(
    'is no event: %j',
    (line) => {
      expect(parseEvent(line)).toBeUndefined()
    },
  )

  test.each([
    'unheard of',
    'end a.load perhaps',
    'sample a -1 5',
    'taint 0x10',
    'taint 99999999999999999999',
    'replaces vmlinux no-position',
    'asleep module-first many',
    'load 4294967294 1',
  ])('tells nothing that can be understood: %j', (text) => {
    expect(parseEvent(told(text))).toBeUndefined()
  })

  test('never throws, whatever the guest sends', () => {
    const kind = fc.constantFrom('hello', 'begin', 'end', 'sample', 'replaces', 'output', 'load', 'stays', 'taint')
    fc.assert(
      fc.property(kind, fc.string(), (word, rest) => {
        parseEvent(told(`${word} ${rest}`))
        parseEvent(rest)
      }),
    )
  })
})
