// SPDX-License-Identifier: GPL-3.0-or-later
// Spoils input of any format: bytes with numbers in them, texts of lines and words, JSON.
import type { Random } from './random.ts'

const numbers: readonly bigint[] = [
  ...[0n, 1n, 2n, 3n, 7n, 8n, 16n, 255n, 256n, 0x7fffn, 0xffffn, 0x10000n, 0x7fff_ffffn, 0x8000_0000n],
  ...[0xffff_fff0n, 0xffff_ffffn, 1n << 32n, (1n << 53n) + 1n, 1n << 63n, (1n << 64n) - 1n],
]

/** A number in the bytes takes another value, one of those at which readers stumble. */
function lie(random: Random, bytes: Buffer): void {
  const width = random.pick([1, 2, 4, 4, 8, 8])
  if (bytes.length < width) return
  const places = Math.floor(bytes.length / width)
  // The beginning of most formats says where all else is.
  const at = width * random.below(random.oneIn(3) ? Math.min(places, 16) : places)
  const near = BigInt(bytes.length - random.below(3))
  const value = BigInt.asUintN(8 * width, random.oneIn(4) ? near : random.pick(numbers))
  for (let i = 0; i < width; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 255n)
}

/** @returns the bytes, spoilt in one to six ways */
export function spoilBytes(random: Random, good: Buffer): Buffer {
  let bytes = Buffer.from(good)
  for (let times = 1 + random.below(6); times > 0 && bytes.length > 0; times--) {
    const at = random.below(bytes.length)
    const length = 1 + random.below(random.oneIn(4) ? bytes.length : 64)
    switch (random.below(10)) {
      case 0:
        bytes = bytes.subarray(0, at)
        break
      case 1:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
        break
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)])
        break
      case 3:
        bytes.copy(bytes, random.below(bytes.length), at, at + length)
        break
      case 4:
        bytes.fill(random.pick([0, 0x20, 0x30, 0x80, 0xff]), at, Math.min(at + length, bytes.length))
        break
      case 5:
      case 6:
        bytes[at]! ^= 1 << random.below(8)
        break
      default:
        lie(random, bytes)
    }
  }
  return bytes
}

const words = [
  ...[
    '',
    ' ',
    '\t',
    '\0',
    '\r',
    '\n\n',
    '-',
    '--',
    '/',
    '..',
    '../../x',
    ':',
    '=',
    ',',
    '"',
    "'",
    '\\',
    '#',
    '(',
    '[',
    '{',
  ],
  ...['%', '\x1b[8m', '\u202e', '\xff', '__proto__', 'constructor', '-1', '0', '1e308', '0x', '.*', '$(x)'],
  ...['9'.repeat(15), '9'.repeat(400), 'a'.repeat(5000), ' '.repeat(5000), '~', 'é'],
]

/** @returns the text, with lines and words spoilt in one to six ways */
export function spoilText(random: Random, good: string): string {
  let lines = good.split('\n')
  for (let times = 1 + random.below(6); times > 0; times--) {
    const at = random.below(lines.length)
    const line = lines[at] ?? ''
    switch (random.below(8)) {
      case 0:
        lines[at] = line.slice(0, random.below(line.length))
        break
      case 1:
        lines = lines.slice(0, at)
        break
      case 2:
        lines.splice(at, 1)
        break
      case 3:
        lines.splice(random.below(lines.length), 0, line)
        break
      case 4:
        // Much of the same.
        lines.splice(at, 0, ...new Array<string>(random.oneIn(10) ? 5000 : 10).fill(line))
        break
      default: {
        const parts = line.split(/([\s:=,]+)/)
        parts[random.below(parts.length)] = random.pick(words)
        lines[at] = parts.join('')
      }
    }
  }
  return lines.join('\n')
}

/** In the place of `old`: something of its kind, or anything. */
function oddValue(random: Random, old: unknown): unknown {
  if (typeof old === 'number' && !random.oneIn(3)) return random.below(100_000)
  if (typeof old === 'string' && !random.oneIn(3)) return old + random.pick(words)
  return random.pick<unknown>([
    ...[null, true, 0, -1, 1.5, 1e308, 2 ** 53, [], {}, [[]], '', '\0', '../x', 'x'.repeat(5000)],
    ...[new Array(5000).fill(0), { __proto__: null, constructor: 1 }, '\x1b[8m', '\u202e'],
  ])
}

/** @returns the JSON, with values replaced, left out, or repeated; now and then what is no JSON any more */
export function spoilJson(random: Random, good: string): string {
  if (random.oneIn(8)) return spoilText(random, good)
  const root = { top: JSON.parse(good) as unknown }
  // Most leaves nothing of it valid.
  for (let times = random.oneIn(3) ? 1 + random.below(4) : 1; times > 0; times--) {
    let holder: Record<string, unknown> = root
    let key = 'top'
    while (!random.oneIn(5)) {
      const inside = holder[key]
      if (typeof inside !== 'object' || inside === null || Object.keys(inside).length === 0) break
      holder = inside as Record<string, unknown>
      key = random.pick(Object.keys(holder))
    }
    const what = random.below(4)
    if (what === 0) delete holder[key]
    else if (what === 1) holder[key] = [holder[key], holder[key]]
    else holder[key] = oddValue(random, holder[key])
  }
  return JSON.stringify(root.top) ?? ''
}
