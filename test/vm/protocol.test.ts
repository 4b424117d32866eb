// SPDX-License-Identifier: GPL-3.0-or-later
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Event, parseEvent } from '../../src/vm/protocol.ts'

const encode = (text: string) => Buffer.from(text).toString('base64')

describe('a line of the control channel', () => {
  test.each<[string, Event]>([
    ['inarch 4.07 hello 6.1.0-1-amd64', { at: 4070, kind: 'hello', release: '6.1.0-1-amd64' }],
    ['inarch 4.07 begin a.load\r', { at: 4070, kind: 'begin', step: 'a.load' }],
    ['inarch 5.10 end a.load ok', { at: 5100, kind: 'end', step: 'a.load', ok: true, reason: '' }],
    [
      `inarch 5.10 end a.load failed ${encode('no room\n')}`,
      { at: 5100, kind: 'end', step: 'a.load', ok: false, reason: 'no room' },
    ],
    ['inarch 5.10 sample a.go 3 57', { at: 5100, kind: 'sample', step: 'a.go', left: 3, total: 57 }],
    [
      `inarch 5.05 asleep module-first 60 ${Buffer.from('task 1 (a) S').toString('base64')}`,
      { at: 5050, kind: 'asleep', order: 'module-first', tasks: 60, stacks: 'task 1 (a) S' },
    ],
    [
      'inarch 5.10 replaces vmlinux show_it,2 1',
      { at: 5100, kind: 'replaces', object: 'vmlinux', name: 'show_it', sympos: 2, active: true },
    ],
    [
      'inarch 5.10 replaces ext4 show_it,1 -',
      { at: 5100, kind: 'replaces', object: 'ext4', name: 'show_it', sympos: 1, active: undefined },
    ],
    [
      `inarch 6.00 output a.0 1 ${encode('ä\nb\n')}`,
      { at: 6000, kind: 'output', check: 'a.0', exitCode: 1, text: 'ä\nb\n' },
    ],
    ['inarch 6.00 output a.0 0', { at: 6000, kind: 'output', check: 'a.0', exitCode: 0, text: '' }],
    ['inarch 9.99 taint 45056', { at: 9990, kind: 'taint', bits: 45056 }],
    ['inarch 9.99 done', { at: 9990, kind: 'done' }],
  ])('%s', (line, event) => {
    expect(parseEvent(line)).toEqual(event)
  })

  test.each([
    '',
    'inarch',
    '[    4.070000] inarch 4.07 done',
    'inarch x done',
    'inarch 4.07 unheard of',
    'inarch 4.07 end a.load perhaps',
    'inarch 4.07 sample a -1 5',
    'inarch 4.07 taint 0x10',
    'inarch 4.07 taint 99999999999999999999',
    'inarch 4.07 replaces vmlinux no-position',
    'inarch 4.07 asleep module-first many',
  ])('is no event: %j', (line) => {
    expect(parseEvent(line)).toBeUndefined()
  })

  test('never throws, whatever the guest sends', () => {
    const kind = fc.constantFrom(
      'hello',
      'begin',
      'end',
      'sample',
      'replaces',
      'output',
      'load',
      'stays',
      'taint',
    )
    fc.assert(
      fc.property(kind, fc.string(), (word, rest) => {
        parseEvent(`inarch 1.00 ${word} ${rest}`)
        parseEvent(rest)
      }),
    )
  })
})
