// SPDX-License-Identifier: GPL-3.0-or-later
// What is new in its file need not be new in the kernel: the patch may move a function or a variable from one file to
// another, or give a function of its own in place of a `__weak` one. The linker that makes a kernel has one of each
// global name; a live patch would bring a second one, which only the patched files use.

import { isState } from '../../../diff/lost-state.ts'
import { bareName } from '../../../diff/object/compiler-names.ts'
import { isInitOrExit } from '../../../diff/object/init-sections.ts'
import { sectionFlag } from '../../../elf/format.ts'
import type { ElfSymbol } from '../../../elf/read.ts'
import { error, type Found } from '../../subject/rule.ts'
import type { StudiedUnit, Subject } from '../../subject/subject.ts'

/** Marks of an export, which the rules for exports look at. */
const ofExport = /^__(?:ksymtab|kstrtab|kstrtabns|crc|export_symbol)_/

/** Global symbols that a unit defines after the patch and did not before. */
function newGlobals({ change: { before, after } }: StudiedUnit): ElfSymbol[] {
  const known = new Set(before.object.symbols.filter(({ section }) => section).map(({ name }) => name))
  return after.object.symbols.filter(
    ({ name, binding, section }) =>
      section !== undefined &&
      (section.flags & sectionFlag.alloc) !== 0 &&
      binding !== 'local' &&
      !isInitOrExit(section) &&
      !known.has(name) &&
      !ofExport.test(name),
  )
}

/** Variables that a unit has no more after the patch, by their names in the source. */
function lostVariables({ change: { before, after } }: StudiedUnit): Set<string> {
  const left = new Set(after.data.map(({ name }) => name))
  return new Set(before.data.filter((one) => isState(one) && !left.has(one.name)).map(({ name }) => name))
}

/** Units of the same kernel object that give up a variable which this one brings. */
function movedVariables(unit: StudiedUnit, others: readonly StudiedUnit[]): Found[] {
  return unit.change.addedData.filter(isState).flatMap(({ name }): Found[] => {
    const from = others.find((one) => lostVariables(one).has(name))
    if (from === undefined || bareName(name) !== name) return []
    return [
      {
        symbol: name,
        unit: unit.unit.source,
        severity: 'warning',
        message:
          `The patch moves ${name} from ${from.unit.source} to ${unit.unit.source}: the new one ` +
          `begins with the source's value, and what the running kernel has in the old one is lost to the new code`,
        hint: 'Leave the variable where it is, or take its value over in a callback (INARCH_PRE_PATCH)',
      },
    ]
  })
}

function inUnit(unit: StudiedUnit, { names, units }: Subject): Found[] {
  const others = units.filter((one) => one !== unit && one.object === unit.object)
  const there = newGlobals(unit).filter(({ name }) =>
    names.symbols(unit.object, name).some((symbol) => /[A-Z]/.test(symbol.type)),
  )
  const found = there.map(({ name, type }): Found => {
    const from = others.find(({ change }) =>
      change.before.object.symbols.some((symbol) => symbol.name === name && symbol.section !== undefined),
    )
    const what = type === 'function' ? 'code' : 'variable'
    return {
      symbol: name,
      unit: unit.unit.source,
      message:
        `${name} is new in ${unit.unit.source}, and the running kernel has it already, from ` +
        `${from?.unit.source ?? 'another file'}: all other code would go on with that ${what}, and only what is ` +
        'patched would use the new one',
    }
  })
  return [...found, ...movedVariables(unit, others).filter(({ symbol }) => there.every(({ name }) => name !== symbol))]
}

export const definedElsewhere = error(
  'defined-elsewhere',
  'A global function or variable that is new in its file, and that the running kernel has already: it ' +
    'moves from another file, or takes the place of a `__weak` one; or a private variable that moves to another file',
  'A kernel has one of each global name. The live patch would bring a second one: what is not ' +
    'patched goes on with the old code, and a variable would exist twice, with two values',
  'Change the function or variable in the file where the kernel has it, and leave the move out of the ' +
    'patch; a `__weak` function is changed where it is defined',
  ['kernel/module/main.c: simplify_symbols', 'kernel/module/main.c: exports duplicate symbol'],
  (subject) => subject.units.flatMap((unit) => inUnit(unit, subject)),
)
