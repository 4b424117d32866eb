// SPDX-License-Identifier: GPL-3.0-or-later
// How a kernel was configured, as kbuild reads it.

export interface Config {
  /** Whether the option is `y`. `name` is without `CONFIG_`. */
  has(name: string): boolean
  /** The option's value: `y`, `m`, a number, a string without its quotes; undefined when it is not set. */
  value(name: string): string | undefined
}

/** Reads the text of a `.config`. */
export function parseConfig(text: string): Config {
  const values = new Map<string, string>()
  for (const match of text.matchAll(/^CONFIG_(\w+)=(.*)$/gm)) {
    const raw = match[2]!.trim()
    values.set(match[1]!, /^".*"$/.test(raw) ? raw.slice(1, -1).replace(/\\(.)/g, '$1') : raw)
  }
  return {
    has: (name) => values.get(name) === 'y',
    value: (name) => values.get(name),
  }
}
