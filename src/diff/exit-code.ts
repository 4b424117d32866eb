// SPDX-License-Identifier: GPL-3.0-or-later
// What is to be done when the kernel proper ends: nothing is. The kernel's linker script discards the calls of what is
// built in (EXIT_CALL), and nobody else comes to the code (`__exit`), so that a change of it is none to the running
// kernel.

import type { Change } from './change.ts'
import type { Atom } from './object/split-object.ts'

const exitSection = /^\.exit(?:\.|call\.)/

/** @returns the change without such code and data, of which there are notes; for a unit that is no part of a module */
export function withoutExitCode(change: Change): Change {
  const isExit = ({ section }: Atom) => exitSection.test(section.name)
  const { changed, added, addedData, changedData } = change
  const left = [...changed.map(({ after }) => after), ...added, ...addedData, ...changedData].filter(isExit)
  if (left.length === 0) return change
  const names = new Set(left.map(({ name }) => name))
  const functions = new Set(left.filter(({ kind }) => kind === 'function').map(({ name }) => name))
  return {
    ...change,
    changed: changed.filter(({ before, after }) => !isExit(after) || !isExit(before)),
    added: added.filter((atom) => !isExit(atom)),
    addedData: addedData.filter((atom) => !isExit(atom)),
    changedData: changedData.filter((atom) => !isExit(atom)),
    findings: change.findings.flatMap((finding) => {
      const { rule, symbol = '' } = finding
      if (!names.has(symbol) || (rule !== 'init-code' && rule !== 'registration-added')) return [finding]
      // The function is told of, not the pointer to it.
      if (!functions.has(symbol)) return []
      return [
        {
          ...finding,
          severity: 'note' as const,
          message: `${symbol} is exit code of the kernel proper, which never runs: it is left out`,
          hint: 'It matters where this is built as a module',
        },
      ]
    }),
  }
}
