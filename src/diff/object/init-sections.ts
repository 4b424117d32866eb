// SPDX-License-Identifier: GPL-3.0-or-later
// What a live patch carries must be there as long as the live patch is. The kernel frees a module's `.init` sections
// when its init function has returned, and makes `.data..ro_after_init` read-only; but replaced code runs, and
// callbacks of modules that come later write, after that.

/** @returns the name of the section in which what came from section `name` stays as it is */
export function lastingSection(name: string): string {
  if (name.startsWith('.data..ro_after_init')) return '.data'
  const [, kind] = /^\.(?:init|exit|meminit)\.(text|data|rodata)/.exec(name) ?? []
  return kind === undefined ? name : `.${kind}`
}

/**
 * True for a section of what is there only while the kernel, or the module, starts or ends: `__init`, `__exit`, and
 * `__meminit`, `__cpuinit`, `__devinit` of older kernels (include/linux/init.h).
 */
export function isInitOrExit(section: { readonly name: string }): boolean {
  return /^\.(init|exit|meminit|cpuinit|devinit)/.test(section.name)
}
