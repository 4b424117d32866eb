// SPDX-License-Identifier: GPL-3.0-or-later
// What sanitizers add to a unit besides code. None of it has a name that the source knows.

/** Bytes of struct source_location (lib/ubsan.h): a file's name, and behind it the line and the column. */
export const sourcePlace = { size: 16, line: 8 } as const

/**
 * True for the data of one of UBSAN's complaints, which begin with a place in the source, or for a type that it
 * names. They are written to, but only to complain once: a copy is as good.
 */
export function isComplaint({ name }: { readonly name: string }): boolean {
  return /^\.data\.\.L(ubsan_(data|type)|__unnamed_)\d+$/.test(name)
}

/** True for KASAN's list of a unit's variables and the code that registers it, by gcc and clang. */
export function isListOfVariables(sectionName: string): boolean {
  return (
    /^\.(data\.\.LASAN|data\.__unnamed_\d)/.test(sectionName) ||
    /^\.text\.((startup|exit)\._sub_[ID]_\d+_\d+|asan\.module_[cd]tor)$/.test(sectionName)
  )
}
