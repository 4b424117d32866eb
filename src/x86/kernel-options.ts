// SPDX-License-Identifier: GPL-3.0-or-later
// Instructions that a kernel has in all its functions, or in none, by an option of its configuration.

/** What an instruction looks like, in hexadecimal, and the option. */
const features: readonly (readonly [pattern: RegExp, option: string])[] = [
  [/^f30f1efa/, 'CONFIG_X86_KERNEL_IBT'],
  [/^(e800000000|0f1f440000)$/, 'CONFIG_FUNCTION_TRACER'],
  [/^65488(b|3)/, 'CONFIG_STACKPROTECTOR'],
  [/^(41)?ff(d|e)/, 'CONFIG_RETPOLINE'],
  [/^(c3|cc)/, 'CONFIG_RETHUNK or CONFIG_SLS'],
]

/** The option by which one of two instructions is there, and the other one is not; both in hexadecimal. */
export function optionBetween(one: string, other: string): string | undefined {
  return features.find(([pattern]) => pattern.test(one) !== pattern.test(other))?.[1]
}
