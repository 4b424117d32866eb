// SPDX-License-Identifier: GPL-3.0-or-later
// What the compiler makes of a name. gcc numbers static locals (`count.3`), clones
// (`foo.isra.0`, `foo.constprop.1`) and splits (`foo.part.0`, `foo.cold`); clang puts the function in
// front (`foo.count`). The numbers change whenever something else does.

/** The name without the compiler's numbers: `count.3` and `count.12` are both `count`. */
export function stem(name: string): string {
  return name
    .replace(/\.\d+(?=\.|$)/g, '')
    .replace(/^(__UNIQUE_ID_\D*?)_?\d+$/, '$1')
    .replace(/^(__initcall__kmod_.*?__)\d+_\d+_/, '$1')
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
