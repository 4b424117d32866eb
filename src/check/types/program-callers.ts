// SPDX-License-Identifier: GPL-3.0-or-later
// Functions that BPF programs call. A program that is loaded was checked against the old parameters and goes on passing
// them; no file of the kernel shows the call.

/**
 * True of a kfunc, by the list in which it is registered or by its mark.
 * @param text the C file that defines it, before the patch
 */
export function isCalledByPrograms(text: string, name: string): boolean {
  const isListed = new RegExp(`\\bBTF_ID(?:_FLAGS)?\\s*\\(\\s*func\\s*,\\s*${name}\\s*[,)]`)
  const isMarked = new RegExp(`\\b__bpf_kfunc\\b[^;{}()]*\\b${name}\\s*\\(`)
  return isListed.test(text) || isMarked.test(text)
}
