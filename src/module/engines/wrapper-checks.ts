// SPDX-License-Identifier: GPL-3.0-or-later
// Holds the tables of a live patch's wrapper against the running kernel: each function that it replaces must be there,
// be the one that the source stands for, and be one that livepatch can replace.
import { isInitOrExit } from '../../diff/object/init-sections.ts'
import type { Atom } from '../../diff/object/split-object.ts'
import { hasEntryHook, isUninstrumented, notTraceable } from '../../extract/roots.ts'
import { type Model, replacesWithoutHook } from '../../kernel/model.ts'
import type { KernelNames } from '../../match/names.ts'
import type { MatchRecord } from '../../match/record.ts'
import { Binder } from '../bind/bind.ts'
import type { BindingFinding } from '../bind/mismatch.ts'
import type { WrappedFunction, Wrapper } from '../structures/wrapper.ts'
import { definitionIn } from './directory-object.ts'
import { candidates } from './livepatch-symbol.ts'
import type { CompiledDirectory, SourceObject } from './source-objects.ts'

/** A replaced function and the file that replaces it. */
export interface TabledFunction extends WrappedFunction {
  readonly object: string
  readonly file: SourceObject
  /** How it was recognised in the kernel's image. */
  readonly match?: MatchRecord
}

export interface CheckedTables {
  readonly functions: readonly TabledFunction[]
  readonly findings: readonly BindingFinding[]
}

/** @param file the wrapper's name, for findings */
export function checkTables(
  { objects }: Wrapper,
  { units }: CompiledDirectory,
  names: KernelNames,
  file: string,
  model: Model,
): CheckedTables {
  const findings: BindingFinding[] = []
  const functions: TabledFunction[] = []
  const refuse = (rule: string, symbol: string, unit: string, message: string, hint: string): undefined => {
    findings.push({ finding: { severity: 'error', rule, symbol, unit, message, hint } })
  }
  const seen = new Set<string>()
  for (const { name: object, functions: list } of objects)
    for (const one of list) {
      const { oldName, replacement, position } = one
      const from = units.find(({ compiled }) =>
        compiled.symbols.some(
          ({ name, binding, section }) => name === replacement && binding !== 'local' && section !== undefined,
        ),
      )
      if (from === undefined) {
        refuse(
          'no-replacement',
          oldName,
          file,
          `${file} replaces ${oldName} by ${replacement}, which no file of a unit defines`,
          'Define it there, and not static',
        )
        continue
      }
      const tabled: TabledFunction = { ...one, object, file: from }
      // The only one of a name is found by 0 and by 1.
      const key = `${object} ${oldName} ${Math.max(position, 1)}`
      if (seen.has(key))
        refuse('duplicate-function', oldName, file, `${file} replaces ${oldName} twice`, 'Leave one of them')
      seen.add(key)
      const atom = definitionIn(from, oldName)
      if (from.object !== object)
        refuse(
          'wrong-object',
          oldName,
          from.unit,
          `${file} replaces ${oldName} of ${object}, but ${from.unit} is part of ${from.object}`,
          `Move it to the list of ${from.object}`,
        )
      else if (atom === undefined || atom.kind !== 'function')
        refuse(
          'not-in-unit',
          oldName,
          from.unit,
          `${from.file} replaces ${oldName}, which ${from.unit} does not have`,
          'Put it into the file of the unit that has it',
        )
      else {
        const known = findings.length
        const checked = checkFunction(tabled, atom)
        if (findings.length === known) functions.push(checked)
      }
    }
  return { functions, findings }

  /** @returns the function with its position as the code tells it */
  function checkFunction(tabled: TabledFunction, atom: Atom): TabledFunction {
    const { oldName, object, position, file: from } = tabled
    const { unit, before } = from
    if (isInitOrExit(atom.section))
      refuse(
        'init-code',
        oldName,
        unit,
        `${oldName} runs only while the kernel or the module starts or ends, so replacing it has no effect`,
        'Do what it should have done in a callback',
      )
    else if (!hasEntryHook({ before }, atom) && (isUninstrumented(atom) || !replacesWithoutHook(model)))
      findings.push({ finding: notTraceable(oldName, unit, 'listed') })
    const binder = new Binder(names)
    const told = binder.replacement(object, atom, { unit, before })
    const which = () => `By position, they are ${candidates(names, object, oldName)}`
    for (const one of binder.findings) {
      const { finding } = one
      const ambiguous = finding.rule === 'ambiguous-symbol'
      findings.push(ambiguous ? { finding: { ...finding, hint: which() } } : one)
    }
    if (told !== undefined && told !== position && !(told === 0 && position === 1))
      refuse(
        'wrong-position',
        oldName,
        unit,
        `.old_sympos of ${oldName} is ${position}, but the code of ${unit} shows that it is ${told}`,
        told === 0 ? 'Leave .old_sympos out' : which(),
      )
    const match = binder.recordOf(atom)
    return { ...tabled, position: told ?? position, ...(match === undefined ? {} : { match }) }
  }
}
