// SPDX-License-Identifier: GPL-3.0-or-later
// The names of what the compiler calls because of its flags: thunks in the place of indirect branches and returns
// (`-mindirect-branch=thunk-extern`, `-mfunction-return=thunk-extern`), and the hook at the entry.
// Sources: the kernel's arch/x86/lib/retpoline.S and arch/x86/include/asm/nospec-branch.h.

/** A call of this one is an indirect call. */
export function isIndirectThunk(name: string): boolean {
  return /^__x86_indirect_(?:call_)?thunk_/.test(name)
}

/** The register through which a thunk leads; undefined for any other name. */
export function thunkRegister(name: string): string | undefined {
  return /^__x86_indirect_thunk_(\w+)$/.exec(name)?.[1]
}

/** The thunk that the compiler writes for a return. */
export const returnThunk = '__x86_return_thunk'

/** The functions through which the kernel lets functions return, for one processor's fault or another's. */
export const returnThunks: readonly string[] = [
  returnThunk,
  'srso_return_thunk',
  'srso_alias_return_thunk',
  'retbleed_return_thunk',
  'call_depth_return_thunk',
  'its_return_thunk',
  '__x86_return_skl',
  'zen_return_thunk',
]

/** What a kernel may lead to in the place of the indirect thunk of a register. */
export function otherThunks(register: string): string[] {
  return ['call', 'jump', 'its'].map((kind) => `__x86_indirect_${kind}_thunk_${register}`)
}

/** True for what the compiler calls because of its flags, and not because of the source. */
export function isCompilersCall(name: string): boolean {
  return /^__x86_(indirect|return)_thunk|^__fentry__$/.test(name)
}
