// SPDX-License-Identifier: GPL-3.0-or-later
// A call of a replaced function leads to the new one, whoever calls. A caller that was compiled for the old parameters
// puts other things into the registers than the new function takes out of them.

import { toldFirst } from '../../../ground/listed.ts'
import { error, type Found } from '../../subject/rule.ts'
import type { StudiedUnit } from '../../subject/subject.ts'
import { isCalledByPrograms } from '../../types/program-callers.ts'
import { changedSignatures } from '../../types/signatures.ts'
import { typeUnits } from '../../types/type-units.ts'
import { unitTypes } from '../../types/unit-types.ts'
import { callersLeft } from '../../types/unseen-callers.ts'

/** What macros make to say something about a function; nobody calls it through them. */
const bookkeeping =
  /^(?:__ksymtab_|__UNIQUE_ID_|__addressable_|__export_symbol_|_kbl_addr_|_eil_addr_|__func_stack_frame)/

/** Data that hold the address of a function before the patch, and still do after it. */
function holdersOf({ change }: StudiedUnit, name: string): string[] {
  return change.after.data
    .filter((atom) => !bookkeeping.test(atom.name) && change.correlation.counterpartOf(atom) !== undefined)
    .filter((atom) =>
      change.after.relocations(atom).some((relocation) => {
        const target = change.after.target(atom.section, relocation)
        return target.kind === 'atom' && target.atom.kind === 'function' && target.atom.name === name
      }),
    )
    .map((atom) => atom.name)
}

export const signature = error(
  'signature',
  'A function is called in another way (parameters, what it returns) while code that is not replaced calls it',
  'Every call leads to the new function, and a caller that stays passes what the old one took',
  'Keep the function as it is called, and give what is new to a second function that the changed callers call',
  ['arch/x86/entry/calling.h: x86 function call convention', 'kernel/livepatch/patch.c: klp_ftrace_handler'],
  async (subject, job) => {
    const { units } = await typeUnits(job, subject)
    const found: Found[] = []
    for (const studied of units) {
      const types = await unitTypes(job, subject, studied)
      if (types === undefined) continue
      const unit = studied.unit.source
      for (const { name, before, after, difference, isPrivate } of changedSignatures(studied, types)) {
        // What it returns now is in a register of which a caller expects nothing.
        if (difference === 'returns') continue
        const what = `${name} is ${after} instead of ${before}`
        const callers = isPrivate ? [] : await callersLeft(job, subject, name)
        if (callers.length > 0)
          found.push({
            symbol: name,
            unit,
            message:
              `${what}, and ${toldFirst(callers)} ` +
              'would go on calling it in the old way, as the header that changes is not included there',
          })
        const text = subject.changes.find(({ path }) => path === unit)?.before ?? ''
        if (isCalledByPrograms(text, name))
          found.push({
            symbol: name,
            unit,
            message: `${what}, and BPF programs that are loaded would go on calling it in the old way`,
          })
        const holders = holdersOf(studied, name)
        if (holders.length > 0)
          found.push({
            severity: 'warning',
            symbol: name,
            unit,
            message:
              `${what}, and ${holders[0]}, which is not replaced, holds its address: an indirect call may ` +
              'still pass the old parameters',
            hint: 'Look at the callers through the pointer: they must be replaced as well, or cast what they pass',
          })
      }
    }
    return found
  },
)
