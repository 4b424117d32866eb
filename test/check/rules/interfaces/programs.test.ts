// SPDX-License-Identifier: GPL-3.0-or-later
// What the kernel has promised to programs and to listeners: ioctls, headers, trace events.
import { describe, expect, test } from 'vitest'
import { ioctlFindings } from '../../../../src/check/rules/interfaces/ioctl-number.ts'
import { tracepointFindings } from '../../../../src/check/rules/interfaces/tracepoint-changed.ts'
import { uapiFindings } from '../../../../src/check/rules/interfaces/uapi-changed.ts'
import { changeOf } from '../../text.ts'

const uapi = (text: string) => `#ifndef _UAPI_SOME_H\n#define _UAPI_SOME_H\n${text}\n#endif\n`
const inUapi = (before: string, after: string) => [changeOf(uapi(before), uapi(after), 'include/uapi/linux/some.h')]

describe('an ioctl', () => {
  const request = '#define SOME_GET _IOR(0xb7, 1, int)\n'
  test('with another number is a danger', () => {
    const found = ioctlFindings([changeOf(request, request.replace('1, int', '1, long'))])
    expect(found).toMatchObject([{ symbol: 'SOME_GET', message: expect.stringContaining('another number') }])
  })

  test('that goes is one', () => {
    expect(ioctlFindings([changeOf(request, '')])).toHaveLength(1)
  })

  test('that is new, or written in another way, is none', () => {
    const after = `${request.replace('0xb7, 1', '0xb7,\t1')}#define SOME_SET _IOW(0xb7, 2, int)\n`
    expect(ioctlFindings([changeOf(request, after)])).toEqual([])
  })
})

describe('a header for programs', () => {
  test('with another value of a constant is a danger', () => {
    expect(uapiFindings(inUapi('#define SOME_FLAG 1', '#define SOME_FLAG 2'))).toMatchObject([
      { symbol: 'SOME_FLAG', message: expect.stringContaining('SOME_FLAG') },
    ])
  })

  test('with an enumerator that moves is one', () => {
    const found = uapiFindings(inUapi('enum some { SOME_A, SOME_B };', 'enum some { SOME_NEW, SOME_A, SOME_B };'))
    expect(found[0]?.severity).toBeUndefined()
    expect(found[0]?.message).toMatch(/SOME_A and SOME_B/)
  })

  test('with another struct is one', () => {
    const found = uapiFindings(inUapi('struct some { int a; };', 'struct some { int a; int b; };'))
    expect(found).toMatchObject([{ symbol: 'struct some' }])
  })

  test('with something new at the end is only noted', () => {
    const found = uapiFindings(inUapi('enum some { SOME_A, __SOME_MAX };', 'enum some { SOME_A, SOME_B, __SOME_MAX };'))
    expect(found).toMatchObject([{ severity: 'note', symbol: 'SOME_B' }])
  })

  test('with a mark behind the last one, and what is made of it, is only noted', () => {
    const of = (more: string) =>
      inUapi(
        'enum some { SOME_A, __SOME_AFTER_LAST, NUM_SOME = __SOME_AFTER_LAST, SOME_MAX = NUM_SOME - 1 };',
        `enum some { SOME_A,${more} __SOME_AFTER_LAST, NUM_SOME = __SOME_AFTER_LAST, SOME_MAX = NUM_SOME - 1 };`,
      )
    expect(uapiFindings(of(' SOME_B,'))).toMatchObject([{ severity: 'note', symbol: 'SOME_B' }])
    const macro = (last: string) => `enum some { SOME_A, SOME_B };\n#define SOME_MAX ${last}`
    expect(uapiFindings(inUapi(macro('SOME_A'), macro('SOME_B')))).toEqual([])
  })

  test.each([
    ['#define SOME_MAX_NAME 16', '#define SOME_MAX_NAME 32', 'SOME_MAX_NAME'],
    ['#define __NR_some 16', '#define __NR_some 32', '__NR_some'],
    ['enum some { __SOME_A, SOME_B };', 'enum some { SOME_B, __SOME_A };', '__SOME_A'],
    ['enum some { SOME_NUM_A, SOME_B };', 'enum some { SOME_NEW, SOME_NUM_A, SOME_B };', 'SOME_NUM_A'],
  ])('that changes %s is a danger, though it is called like the end of a list', (before, after, symbol) => {
    const found = uapiFindings(inUapi(before, after)).filter(({ severity }) => severity !== 'note')
    expect(found).toMatchObject([{ symbol }])
  })

  test('that changes one thing and has another one anew is told for both', () => {
    const found = uapiFindings(inUapi('#define SOME_A 1', '#define SOME_A 2\n#define SOME_B 3'))
    expect(found.map(({ symbol }) => symbol)).toEqual(['SOME_A', 'SOME_B'])
  })

  test('with another comment is none', () => {
    expect(uapiFindings(inUapi('#define SOME_FLAG 1 /* one */', '#define SOME_FLAG 1 /* the first */'))).toEqual([])
  })

  test('is told from the copies that the tools have', () => {
    const copy = changeOf('#define A 1\n', '#define A 2\n', 'tools/include/uapi/linux/some.h')
    expect(uapiFindings([copy])).toEqual([])
  })

  test('is told from a header of the kernel', () => {
    expect(uapiFindings([changeOf('#define A 1\n', '#define A 2\n', 'include/linux/some.h')])).toEqual([])
  })
})

describe('a trace event', () => {
  const event = (field: string) => `TRACE_EVENT(some_event,
	TP_PROTO(int a),
	TP_ARGS(a),
	TP_STRUCT__entry(__field(int, ${field})),
	TP_fast_assign(__entry->${field} = a;),
	TP_printk("${field}=%d", __entry->${field})
);
DEFINE_EVENT(some_class, some_other, TP_PROTO(int a), TP_ARGS(a));
`
  const file = 'include/trace/events/some.h'
  test('with another record is a danger', () => {
    expect(tracepointFindings([changeOf(event('a'), event('b'), file)])).toMatchObject([{ symbol: 'some_event' }])
  })

  test('without a record, in a file that has no event, is a danger with other arguments', () => {
    const bare = (macro: string, arg: string) => `${macro}(some_tp,\n\tTP_PROTO(int ${arg}),\n\tTP_ARGS(${arg}));\n`
    for (const macro of ['DECLARE_TRACE', 'DEFINE_TRACE'])
      expect(tracepointFindings([changeOf(bare(macro, 'a'), bare(macro, 'b'), file)])).toMatchObject([
        { symbol: 'some_tp', message: expect.stringContaining('tracepoint some_tp changes') },
      ])
    expect(tracepointFindings([changeOf(bare('DECLARE_TRACE', 'a'), '', file)])).toHaveLength(1)
  })

  test('that is new is none for those that are there', () => {
    const more = `${event('a')}DEFINE_EVENT(some_class, some_third, TP_PROTO(int a), TP_ARGS(a));\n`
    expect(tracepointFindings([changeOf(event('a'), more, file)])).toEqual([])
  })
})
