// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a relocated field of the running code holds what it must: the address of the symbol that it names, the way to
// the string that it means.
import type { Instruction } from '../x86/instruction.ts'
import type { Destination, Field, FieldForm, PlainDestination } from './expectation.ts'
import type { Running } from './running.ts'

/** What a field must name, and where it leads in the running kernel. */
export interface ResolvedField {
  readonly to: PlainDestination
  readonly address: bigint
}

/** Bytes. */
export function fieldSize(form: FieldForm): number {
  if (form === 'short') return 1
  return form === 'wide' || form === 'far' ? 8 : 4
}

/**
 * Where a field of the running code leads.
 * @param field its offset in `code`, which lies at `base`
 */
export function readField(
  code: Buffer,
  field: number,
  form: FieldForm,
  { end }: Pick<Instruction, 'end'>,
  base: bigint,
): bigint {
  switch (form) {
    case 'wide':
      return code.readBigUInt64LE(field)
    case 'unsigned':
      return BigInt(code.readUInt32LE(field))
    case 'signed':
      return BigInt.asUintN(64, BigInt(code.readInt32LE(field)))
    case 'short':
      return BigInt.asUintN(64, base + BigInt(end) + BigInt(code.readInt8(field)))
    case 'near':
      return BigInt.asUintN(64, base + BigInt(end) + BigInt(code.readInt32LE(field)))
    case 'far':
      return BigInt.asUintN(64, base + BigInt(field) + code.readBigInt64LE(field))
  }
}

/** Bytes; a path can't be longer. */
const longestName = 4096

/** The text at an address, without the zero at its end; undefined when there is none. */
function textAt(running: Running, address: bigint): string | undefined {
  const bytes: number[] = []
  while (bytes.length < longestName) {
    const byte = running.read(address + BigInt(bytes.length), 1)?.[0]
    if (byte === undefined) return undefined
    if (byte === 0) return Buffer.from(bytes).toString('latin1')
    bytes.push(byte)
  }
  return undefined
}

/** Whether a field leads where it must; `unknown` when nothing tells. */
export function judge(running: Running, to: PlainDestination, address: bigint): 'right' | 'wrong' | 'unknown' {
  if ('symbol' in to) {
    const known = running.addressesOf(to.symbol)
    if (known.length === 0) return 'unknown'
    const fits = (symbol: bigint) => {
      if (to.within !== undefined) return address >= symbol && address < symbol + BigInt(to.within)
      return BigInt.asUintN(64, symbol + BigInt(to.plus ?? 0)) === address
    }
    return known.some(fits) ? 'right' : 'wrong'
  }
  if ('holds' in to) {
    const wanted = Buffer.from(to.holds, 'base64')
    return running.read(address, wanted.length)?.equals(wanted) === true ? 'right' : 'wrong'
  }
  if ('file' in to) {
    const name = textAt(running, address)
    const below = to.whole === true && name?.startsWith('/') === true && name.endsWith(`/${to.file}`)
    return below || name === to.file || name === `./${to.file}` ? 'right' : 'wrong'
  }
  if ('value' in to) return BigInt.asUintN(64, BigInt(to.value)) === address ? 'right' : 'wrong'
  return 'unknown'
}

/** The destination of an absolute number, as `readField` sees it: a distance counts from its own field. */
export function adjusted({ at, form, to }: Field, instruction: Instruction): Destination {
  if (!('value' in to) || form !== 'near') return to
  return { value: to.value + instruction.end - at }
}
