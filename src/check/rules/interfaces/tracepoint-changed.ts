// SPDX-License-Identifier: GPL-3.0-or-later
// Events that ftrace, perf and BPF programs listen to. What an event's record looks like was told to them when the
// kernel started, and a listener that is attached now reads the record by it.

import { closing } from '../../../c/tokens/lexer.ts'
import { definitionsOf } from '../../../c/written/functions.ts'
import type { FileChange } from '../../../patch/patch.ts'
import { textOf } from '../../subject/changed-functions.ts'
import { kernelFiles } from '../../subject/kernel-files.ts'
import { type Found, warning } from '../../subject/rule.ts'

const definer = /^(?:TRACE_EVENT|DECLARE_EVENT_CLASS|DEFINE_EVENT|DECLARE_TRACE|DEFINE_TRACE)(?:_\w+)?$/

interface Tracepoint {
  readonly text: string
  /** True for a trace event, which has a record; a bare tracepoint only has arguments. */
  readonly isEvent: boolean
}

/** The events, classes of events and bare tracepoints that a file defines, by name. */
function tracepointsIn(text: string): Map<string, Tracepoint> {
  const found = new Map<string, Tracepoint>()
  const { rest } = definitionsOf(text)
  for (const [at, { text: word }] of rest.entries()) {
    if (!definer.test(word) || rest[at + 1]?.text !== '(') continue
    const end = closing(rest, at + 1)
    const isInstance = word.startsWith('DEFINE_EVENT')
    const name = rest[at + (isInstance ? 4 : 2)]?.text
    if (name !== undefined)
      found.set(name, { text: textOf(rest.slice(at, end)), isEvent: !/^(?:DECLARE|DEFINE)_TRACE(?!_EVENT)/.test(word) })
  }
  return found
}

export function tracepointFindings(changes: readonly FileChange[]): Found[] {
  return kernelFiles(changes).flatMap(({ path, before, after }) => {
    const [old, young] = [tracepointsIn(before ?? ''), tracepointsIn(after ?? '')]
    return [...old]
      .filter(([name, { text }]) => young.get(name)?.text !== text)
      .map(([name, { isEvent }]): Found => {
        const does = young.has(name) ? 'changes' : 'goes'
        return {
          symbol: name,
          unit: path,
          message: isEvent
            ? `The trace event ${name} ${does}; listeners that are attached read its record by the old format`
            : `The tracepoint ${name} ${does}; probes that are attached take its arguments in the old way`,
        }
      })
  })
}

export const tracepointChanged = warning(
  'tracepoint-changed',
  'A trace event whose arguments, record or text change, and a bare tracepoint whose arguments do',
  'The format of an event is registered when the kernel starts or the module is loaded; perf, ' +
    'ftrace and BPF programs read the new record by the old format',
  'Leave the event as it is; say what is new in a message of the kernel’s log',
  ["Documentation/trace/events.rst: Each trace event has a 'format' file"],
  (subject) => tracepointFindings(subject.changes),
)
