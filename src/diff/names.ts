// SPDX-License-Identifier: GPL-3.0-or-later
// What the compiler makes of a name. gcc numbers static locals (`count.3`), clones
// (`foo.isra.0`, `foo.constprop.1`) and splits (`foo.part.0`, `foo.cold`); clang puts the function in
// front (`foo.count`). The numbers change whenever something else does.

/** The name without the compiler's numbers: `count.3` and `count.12` are both `count`. */
export function stem(name: string): string {
  return name.replace(/\.\d+(?=\.|$)/g, '').replace(/^(__UNIQUE_ID_\D*?)_?\d+$/, '$1')
}

/** True when the compiler chose a part of the name. */
export function isNumbered(name: string): boolean {
  return stem(name) !== name
}

/** `foo.cold` is a part of `foo` that stands elsewhere; it can't be called. */
export function isColdPart(name: string): boolean {
  return /\.cold(\.\d+)?$/.test(name)
}

/** `foo.cold`, `foo.cold.12` → `foo`. */
export function coldParent(name: string): string {
  return name.replace(/\.cold(\.\d+)?$/, '')
}

/**
 * Static data that only serve diagnostics or identify their own place. A function that is replaced gets
 * fresh ones; they never count as a change.
 */
const incidental =
  /(^|\.)(__warned|__already_done|__print_once|__func__|__FUNCTION__|__PRETTY_FUNCTION__|__key|__lock_name|descriptor|_entry|_entry_ptr|___tp_str|tp_str|_rs|__msg|CSWTCH|__compound_literal|C)(\.\d+)*$|^__UNIQUE_ID_/

export function isIncidental(name: string): boolean {
  return incidental.test(name)
}
