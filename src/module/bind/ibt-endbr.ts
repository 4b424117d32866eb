// SPDX-License-Identifier: GPL-3.0-or-later
// Refuses code that takes the address of a function to which the running kernel lets no indirect call lead:
// where the processor checks that (IBT), the first such call would stop the kernel.
import type { SplitObject } from '../../diff/object/split-object.ts'
import { sectionFlag } from '../../elf/format.ts'
import type { SymbolDraft } from '../../elf/write.ts'
import type { Extraction } from '../../extract/extraction.ts'
import type { Finding } from '../../ground/finding.ts'
import type { KernelNames } from '../../match/names.ts'
import { isPointer } from '../../x86/address-taking.ts'
import type { Binding } from './bind.ts'

/** Whether the unit takes the address of `name` already: then the kernel was built to let calls land there. */
function takesAlready(unit: SplitObject, name: string): boolean {
  return unit.atoms.some((atom) => {
    const { section } = atom
    if ((section.flags & sectionFlag.alloc) === 0) return false
    const executable = (section.flags & sectionFlag.exec) !== 0
    return unit.relocations(atom).some((one) => {
      if (!isPointer(one.type, executable, section.data, one.offset)) return false
      const target = unit.target(section, one)
      return target.kind === 'external' ? target.name === name : target.kind === 'atom' && target.atom.name === name
    })
  })
}

/** @returns a finding for each function that the patch newly takes the address of and that can't be reached so */
export function missingEndbr(
  {
    draft,
    references,
    bindings,
  }: Pick<Extraction, 'draft' | 'references'> & { readonly bindings: ReadonlyMap<SymbolDraft, Binding> },
  names: Pick<KernelNames, 'landing'>,
): Finding[] {
  const findings = new Map<SymbolDraft, Finding>()
  for (const { flags, data, relocations } of draft.sections) {
    if ((flags & sectionFlag.alloc) === 0 || typeof data === 'number') continue
    const executable = (flags & sectionFlag.exec) !== 0
    for (const { type, offset, symbol } of relocations) {
      const reference = references.get(symbol)
      const binding = bindings.get(symbol)
      if (reference === undefined || binding === undefined || findings.has(symbol)) continue
      if (!isPointer(type, executable, data, offset)) continue
      // What the patch brings itself was compiled with its pointers in sight.
      if (binding.kind !== 'exported' && binding.kind !== 'livepatch') continue
      const { name } = binding
      const object = binding.kind === 'exported' ? 'vmlinux' : binding.object
      const position = binding.kind === 'exported' ? 0 : binding.sympos
      if (names.landing(object, name, position) !== false) continue
      if (takesAlready(reference.change.before, reference.name)) continue
      findings.set(symbol, {
        severity: 'error',
        rule: 'no-landing-pad',
        symbol: name,
        unit: reference.unit,
        message:
          `The patched code takes the address of ${name}, and an indirect call to ${name} would fault: ` +
          'the kernel has no ENDBR there (IBT)',
        hint: `Add a function to the patch that calls ${name}, and take the address of that one`,
      })
    }
  }
  return [...findings.values()]
}
