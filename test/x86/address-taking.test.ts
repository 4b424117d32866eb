// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, test } from 'vitest'
import { relocationType } from '../../src/elf/format.ts'
import {
  isPointer,
  kernelAddressIn,
  loadedRegister,
  loadsAddress,
  storesAddress,
  useOf,
} from '../../src/x86/address-taking.ts'
import type { Instruction } from '../../src/x86/instruction.ts'
import { instructionsOf, saidOf } from './assembled.ts'

describe('the address in an instruction', () => {
  test('is taken, used, or the begin of a way by a register', () => {
    const forms = {
      'lea var(%rip), %rax': 'address',
      'lea var(,%rax,8), %rax': 'address',
      'mov $var, %rax': 'address',
      'mov $var, %eax': 'address',
      'movabs $var, %r9': 'address',
      'push $var': 'address',
      'cmp $var, %rax': 'address',
      'movq $var, 8(%rsp)': 'address',
      'mov var(%rip), %rax': 'access',
      'movl $1, var(%rip)': 'access',
      'mov var, %ebx': 'access',
      'mov var(,%rax,8), %rcx': 'walk',
      'mov var(%rbx), %rcx': 'walk',
    }
    const lines = Object.keys(forms)
    const all = instructionsOf(lines.join('\n'))
    const found = lines.map((line, index) => {
      const { instruction } = all[index]!
      const { memory, operands, end } = instruction
      const isOperand = !line.includes('$var')
      const width = line.startsWith('movabs') ? 8 : 4
      return [line, useOf(instruction, isOperand ? (memory < 0 ? operands : memory) : end - width)]
    })
    expect(Object.fromEntries(found)).toEqual(forms)
  })

  test('is loaded into a register of 8 bytes, or stored', () => {
    const lines = [
      'mov $var, %rdi',
      'lea var(%rip), %r8',
      'lea 8(%rax), %rdi',
      'movq $var, 8(%rbx)',
      'movq $var, 8(%rsp)',
      'movq $var, 8(%r12)',
      'movl $1, 8(%rbx)',
    ]
    expect(Object.values(saidOf(lines, (one) => loadedRegister(one)))).toEqual([7, 8, ...Array(5).fill(undefined)])
    expect(Object.values(saidOf(lines, (one) => storesAddress(one)))).toEqual([
      ...[false, false, false],
      ...[true, false, true, false],
    ])
    const number = (one: Instruction) => loadsAddress(one, one.end - 4)
    expect(saidOf(['lea var(%rip), %rax', 'push $1000', 'mov $1, %eax', 'movl $1, var(%rip)'], number)).toEqual({
      'lea var(%rip), %rax': true,
      'push $1000': true,
      'mov $1, %eax': true,
      'movl $1, var(%rip)': true,
    })
    expect(saidOf(['mov var(%rip), %rax', 'push %rax', 'cmp $1000, %eax'], number)).toEqual({
      'mov var(%rip), %rax': false,
      'push %rax': false,
      'cmp $1000, %eax': false,
    })
    // Here the address is where the number goes.
    expect(saidOf(['movl $1, var(%rip)'], (one) => loadsAddress(one, one.memory))).toEqual({
      'movl $1, var(%rip)': false,
    })
  })

  test('is one of the kernel when it is negative', () => {
    const said = saidOf(['mov $0xffffffff81000010, %rdi', 'mov $0x1000, %rdi', 'ret'], kernelAddressIn)
    expect(Object.values(said)).toEqual([0x100_0010, undefined, undefined])
  })
})

test('a relocation makes a pointer of an absolute field, and of lea', () => {
  const [lea, load] = instructionsOf('lea var(%rip), %rax; mov var(%rip), %rax')
  const isTaken = (type: number, { code, instruction }: typeof lea & {}) =>
    isPointer(type, true, code, instruction.memory)
  expect(isTaken(relocationType.pc32, lea!)).toBe(true)
  expect(isTaken(relocationType.pc32, load!)).toBe(false)
  expect(isTaken(relocationType.abs32s, load!)).toBe(true)
  expect(isTaken(relocationType.plt32, lea!)).toBe(false)
})
