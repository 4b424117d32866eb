// SPDX-License-Identifier: GPL-3.0-or-later
// Where the parts of a well-formed object lie, so that the fuzzer can aim. This is a second, naive
// reading of the format, on purpose: the reader under test must not decide what it is tested with.
// Format: System V gABI, chapter 4 (Object Files).

export interface Field {
  readonly name: string
  readonly at: number
  readonly width: 1 | 2 | 4 | 8
}

/** Entries of one size, each with the same fields. */
export interface Table {
  readonly name: string
  readonly at: number
  readonly count: number
  readonly stride: number
  readonly fields: readonly Field[]
}

export interface Range {
  readonly at: number
  readonly size: number
}

export interface Shape {
  readonly header: Table
  readonly sections: Table
  readonly symbols: Table
  readonly relocations: readonly Table[]
  readonly strings: readonly Range[]
  /** What sections hold, whatever it is. */
  readonly contents: readonly Range[]
}

function fields(...parts: readonly (readonly [string, 1 | 2 | 4 | 8])[]): Field[] {
  let at = 0
  return parts.map(([name, width]) => {
    const field = { name, at, width }
    at += width
    return field
  })
}

const header = [
  ...fields(['class', 1], ['encoding', 1], ['version', 1]).map((field) => ({ ...field, at: field.at + 4 })),
  ...fields(
    ['e_type', 2],
    ['e_machine', 2],
    ['e_version', 4],
    ['e_entry', 8],
    ['e_phoff', 8],
    ['e_shoff', 8],
    ['e_flags', 4],
    ['e_ehsize', 2],
    ['e_phentsize', 2],
    ['e_phnum', 2],
    ['e_shentsize', 2],
    ['e_shnum', 2],
    ['e_shstrndx', 2],
  ).map((field) => ({ ...field, at: field.at + 16 })),
]
const section = fields(
  ['sh_name', 4],
  ['sh_type', 4],
  ['sh_flags', 8],
  ['sh_addr', 8],
  ['sh_offset', 8],
  ['sh_size', 8],
  ['sh_link', 4],
  ['sh_info', 4],
  ['sh_addralign', 8],
  ['sh_entsize', 8],
)
const symbol = fields(['st_name', 4], ['st_info', 1], ['st_other', 1], ['st_shndx', 2], ['st_value', 8], ['st_size', 8])
const relocation = fields(['r_offset', 8], ['r_type', 4], ['r_symbol', 4], ['r_addend', 8])

/** @param bytes a well-formed object */
export function shapeOf(bytes: Buffer): Shape {
  const at = Number(bytes.readBigUInt64LE(40))
  const count = bytes.readUInt16LE(60) || Number(bytes.readBigUInt64LE(at + 32))
  const of = (type: number): Range[] =>
    Array.from({ length: count }, (_, index) => at + 64 * index)
      .filter((entry) => bytes.readUInt32LE(entry + 4) === type)
      .map((entry) => ({
        at: Number(bytes.readBigUInt64LE(entry + 24)),
        size: Number(bytes.readBigUInt64LE(entry + 32)),
      }))
      .filter(({ size }) => size > 0)
  const table = (name: string, range: Range, stride: number, list: readonly Field[]): Table => ({
    name,
    at: range.at,
    count: Math.floor(range.size / stride),
    stride,
    fields: list,
  })
  return {
    header: table('header', { at: 0, size: 64 }, 64, header),
    sections: table('section', { at, size: 64 * count }, 64, section),
    symbols: table('symbol', of(2)[0] ?? { at: 0, size: 0 }, 24, symbol),
    relocations: of(4).map((range) => table('relocation', range, 24, relocation)),
    strings: of(3),
    contents: [1, 7, 17, 18].flatMap(of),
  }
}
