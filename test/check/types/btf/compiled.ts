// SPDX-License-Identifier: GPL-3.0-or-later
// Types of small C texts, as the compilers that can write BTF lay them out.
import { type Btf, readBtf } from '../../../../src/check/types/btf/read.ts'
import { readObject } from '../../../../src/elf/read.ts'
import { compilers, compileWith } from '../../../objects.ts'

/** gcc writes BTF from 12 on; clang only for BPF. */
export const btfCompilers = compilers.filter((name) => /^gcc-/.test(name) && Number(name.slice(4)) >= 12)

const asked = ['-gbtf', '-fno-eliminate-unused-debug-types']

export function btfBytes(source: string, program = btfCompilers[0]!): Buffer {
  const object = readObject(compileWith(program, source, asked), 'unit.o')
  return object.sections.find(({ name }) => name === '.BTF')!.data
}

export function btfOf(source: string, program = btfCompilers[0]!): Btf {
  return readBtf(btfBytes(source, program), 'unit.o')
}
