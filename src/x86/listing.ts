// SPDX-License-Identifier: GPL-3.0-or-later
// objdump's listing of x86-64 code (binutils, opcodes/i386-dis.c): how to ask for it, and the addresses in it.

/** Options for a file that holds nothing but code. */
export const objdumpOptions: readonly string[] = ['-D', '-z', '-w', '-b', 'binary', '-m', 'i386:x86-64']

/** The text of an instruction when its code does not begin at 0: addresses that it names move along. */
export function movedText(text: string, by: bigint): string {
  const place = (hex: string) => `0x${BigInt.asUintN(64, BigInt(hex) + by).toString(16)}`
  return text
    .trim()
    .replace(/\s+/g, ' ')
    .replace(
      /^((?:(?:cs|ds|notrack|bnd|data16) )*(?:call|j[a-z]+|loop[a-z]*|xbegin)(?:,p[nt])?) (0x[0-9a-f]+)$/,
      (_, name: string, hex: string) => `${name} ${place(hex)}`,
    )
    .replace(/# (0x[0-9a-f]+)/, (_, hex: string) => `# ${place(hex)}`)
}
