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

/** The events and classes of events that a file defines, by name. */
function eventsIn(text: string): Map<string, string> {
  const found = new Map<string, string>()
  const { rest } = definitionsOf(text)
  for (const [at, { text: word }] of rest.entries()) {
    if (!definer.test(word) || rest[at + 1]?.text !== '(') continue
    const end = closing(rest, at + 1)
    const isInstance = word.startsWith('DEFINE_EVENT')
    const name = rest[at + (isInstance ? 4 : 2)]?.text
    if (name !== undefined) found.set(name, textOf(rest.slice(at, end)))
  }
  return found
}

export function tracepointFindings(changes: readonly FileChange[]): Found[] {
  return kernelFiles(changes)
    .filter(({ before }) => before?.includes('_EVENT'))
    .flatMap(({ path, before, after }) => {
      const [old, young] = [eventsIn(before ?? ''), eventsIn(after ?? '')]
      return [...old]
        .filter(([name, text]) => young.get(name) !== text)
        .map(
          ([name]): Found => ({
            symbol: name,
            unit: path,
            message:
              `The trace event ${name} ${young.has(name) ? 'changes' : 'goes'}; listeners that are attached ` +
              'read its record by the old format',
          }),
        )
    })
}

export const tracepointChanged = warning(
  'tracepoint-changed',
  'A trace event whose arguments, record or text change',
  'The format of an event is registered when the kernel starts or the module is loaded; perf, ' +
    'ftrace and BPF programs read the new record by the old format',
  'Leave the event as it is; say what is new in a message of the kernel’s log',
  ["Documentation/trace/events.rst: Each trace event has a 'format' file"],
  (subject) => tracepointFindings(subject.changes),
)
