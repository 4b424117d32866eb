// SPDX-License-Identifier: GPL-3.0-or-later
// What is to be said about data that a patch changes: the running kernel has its own, made with the old values, and no
// replaced function changes that.
import type { Change } from '../../diff/change.ts'
import { stem } from '../../diff/object/compiler-names.ts'
import type { Finding } from '../../ground/finding.ts'
import type { TextChange } from './changed-items.ts'

/** Errors for existing data whose first value or shape the patch changes, unless the author has seen to it. */
export function dataFindings(unit: string, text: TextChange, compared: Change): Finding[] {
  const { before, changedData, copied, directives } = compared
  const isCopied = (name: string) => [...copied].some((atom) => stem(atom.name) === name)
  return text.data.flatMap(({ name, change, isConstant }): Finding[] => {
    const own = name.slice(name.indexOf('.') + 1)
    const isLocal = own !== name
    if (change !== 'changed' || isCopied(own)) return []
    // Each use of a constant inside a function has its own copy.
    if (isLocal && isConstant) return []
    const atom = before.data.find((candidate) => stem(candidate.name) === own)
    // The same value may be written in another way.
    if (!changedData.some((candidate) => stem(candidate.name) === own)) return []
    if (atom === undefined || directives.ignored.sections.has(atom.section.name)) return []
    return [
      {
        severity: 'error',
        rule: 'data-changed',
        symbol: atom.name,
        unit,
        message:
          `The patch changes the initial value or the shape of existing data (${name}); the running ` +
          `kernel's copy would keep its old value`,
        hint:
          'Set the new value from a callback (INARCH_PRE_PATCH), keep new state in a shadow variable, ' +
          'or let the patched code have a copy of its own (INARCH_INCLUDE_SECTION)',
      },
    ]
  })
}

/** Assembly that does no more than EXPORT_SYMBOL() does: the comparison of the objects tells of it. */
function isExport(words: string): boolean {
  const sections = [...words.matchAll(/\.section\s+\\"([^"\\]+)\\"/g)].map(([, name]) => name ?? '')
  return (
    /^_*asm/.test(words) &&
    sections.length > 0 &&
    sections.every((name) => /^(?:___?ksymtab|___?kcrctab|\.export_symbol$)/.test(name)) &&
    !/\.(?:text|data|bss|subsection|pushsection|popsection|macro|incbin|include|org|set)\b/.test(words)
  )
}

/** Errors for what stands beside functions and data, such as assembly, and can't be followed. */
export function otherFindings(unit: string, text: TextChange): Finding[] {
  return text.others
    .filter((words) => !isExport(words))
    .map(
      (words): Finding => ({
        severity: 'error',
        rule: 'top-level-changed',
        unit,
        message:
          `The patch changes something in ${unit} that is neither a function nor a datum: ` +
          `${words.length > 60 ? `${words.slice(0, 60)}…` : words}`,
        hint: 'Leave it as it is, or build this fix with --engine binary',
      }),
    )
}
