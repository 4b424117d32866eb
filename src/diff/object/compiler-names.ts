// SPDX-License-Identifier: GPL-3.0-or-later
// What the compiler makes of a name. gcc numbers static locals (`count.3`), clones
// (`foo.isra.0`, `foo.constprop.1`) and splits (`foo.part.0`, `foo.cold`); clang puts the function in
// front (`foo.count`). The numbers change whenever something else does. A clone has other parameters than its
// function; what link-time optimisation renames (`foo.lto_priv.0`, `foo.llvm.123`) is the thing itself.

/** The name without the compiler's numbers: `count.3` and `count.12` are both `count`. */
export function stem(name: string): string {
  // Nearly every name is as it was written.
  const macro = name.startsWith('__UNIQUE_ID_') || name.startsWith('__initcall__')
  if (!macro && !name.includes('.')) return name
  // What stands in front of a macro's counter may end in digits, too: they go with it.
  return name
    .replace(/(\.(lto_priv|llvm))?\.\d+(?=\.|$)/g, '')
    .replace(/(^|\.)(__UNIQUE_ID_.*?)_?\d+$/, '$1$2')
    .replace(/^(__initcall__kmod_.*?__)\d+_\d+_/, '$1')
}

/** True when the compiler chose a part of the name. */
export function isNumbered(name: string): boolean {
  return stem(name) !== name
}

/** `foo.cold` is a part of `foo` that stands elsewhere; it can't be called. */
export function isColdPart(name: string): boolean {
  return name.includes('.cold') && /\.cold(\.\d+)?$/.test(name)
}

/** The source's name of a function: `foo.isra.0.cold`, `foo.part.1` → `foo`. */
export function sourceName(name: string): string {
  return coldParent(name).replace(/(?<=.)\..*$/, '')
}

/** The source's name of a variable: `count` of `count.3` and of clang's `f.count.1`. */
export function bareName(name: string): string {
  const plain = name.replace(/(\.\d+)+$/, '')
  return plain.slice(plain.lastIndexOf('.') + 1)
}

/** `foo.cold`, `foo.cold.12` → `foo`. */
export function coldParent(name: string): string {
  return name.replace(/\.cold(\.\d+)?$/, '')
}

/**
 * True for a datum's name that is not one of the source as it stands: a static local (`count.3`, clang's `f.count`), or
 * what the compiler makes itself (`CSWTCH.7`, `switch.table.f`).
 */
export function isCompilersName(name: string): boolean {
  return name.includes('.') || isNumbered(name)
}

/**
 * What stands in front of a function and belongs to it: room for a call (`__pfx_f`, made by objtool), or the hash
 * of its type (`__cfi_f`, made by clang's kCFI).
 */
export function isFront(name: string): boolean {
  return /^__(pfx_|cfi_(?!check|slowpath))/.test(name)
}
