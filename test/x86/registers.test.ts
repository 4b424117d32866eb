// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, test } from 'vitest'
import { RegisterValues } from '../../src/x86/register-values.ts'
import { assignedRegister, effectOf } from '../../src/x86/registers.ts'
import { instructionsOf, saidOf } from './assembled.ts'

const names = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di', '8', '9', '10', '11', '12', '13', '14', '15']
const listed = (mask: number) => names.filter((_, register) => ((mask >> register) & 1) === 1).join(' ')

describe('the registers of an instruction', () => {
  test('are read and written, and the flags with them', () => {
    const forms = {
      'mov %rbx, %rdi': 'bx > di keeps',
      'mov 8(%rbx,%r12,4), %rdi': 'bx 12 > di keeps',
      'mov %rax, 8(%rsp)': 'ax >  keeps',
      'mov var(%rip), %r9d': ' > 9 keeps',
      'mov $1, %r10d': ' > 10 keeps',
      'lea 8(%rax,%rcx), %rdx': 'ax cx > dx keeps',
      'add %ecx, %edx': 'cx dx > dx sets',
      'xor %eax, %eax': ' > ax sets',
      'cmp %ecx, %edx': 'cx dx >  sets',
      'cmpl $1, (%rdi)': 'di >  sets',
      'test %eax, %eax': 'ax >  sets',
      'and $0x1234, %eax': 'ax > ax sets',
      'imul $3, (%rdi), %eax': 'di > ax sets',
      'mul %rcx': 'ax cx > ax dx sets',
      'neg %rcx': 'cx > cx sets',
      'shl %cl, %edx': 'cx dx > dx sets',
      'incl (%rdi)': 'di >  sets',
      'push %r12': '12 >  keeps',
      'pop %rbx': ' > bx keeps',
      'xchg %rax, %rbx': 'ax bx > ax bx keeps',
      cltq: 'ax > ax keeps',
      cltd: 'ax > dx keeps',
      'movzbl (%rsi), %ecx': 'si > cx keeps',
      'cmova %eax, %ebx': 'ax bx > bx uses',
      'sete %al': ' > ax uses',
      'lock cmpxchg %ecx, (%rdi)': 'ax cx di > ax sets',
      'bts $3, %ecx': 'cx > cx sets',
      'movbe (%rdi), %ecx': 'cx di > cx sets',
      'nopl (%rax)': ' >  keeps',
      rdtsc: ' > ax dx keeps',
      cpuid: 'ax cx > ax cx dx bx keeps',
      'bswap %r9d': '9 > 9 keeps',
      'rep stosq': 'ax cx di > cx di keeps',
      leave: 'bp > bp keeps',
      'vpxor var(%rip), %ymm1, %ymm2': ' >  keeps',
    }
    const said = saidOf(Object.keys(forms), (one) => {
      const { reads, writes, flags } = effectOf(one)
      return `${listed(reads)} > ${listed(writes)} ${flags}`
    })
    expect(said).toEqual(forms)
  })

  test('get another value by mov, lea, pop, and xor', () => {
    const forms = {
      'mov %rbx, %rdi': 7,
      'mov (%rbx), %rdi': 7,
      'lea var(%rip), %r9': 9,
      'mov $1, %r10d': 10,
      'mov $1, %rdi': 7,
      'xor %esi, %esi': 6,
      'pop %r12': 12,
      'mov %rdi, (%rbx)': undefined,
      'movl $1, (%rbx)': undefined,
      'add %ecx, %edx': undefined,
    }
    expect(saidOf(Object.keys(forms), (one) => assignedRegister(one))).toEqual(forms)
  })
})

describe('the values of registers', () => {
  const after = (lines: string, base = 0) => {
    const values = new RegisterValues()
    for (const { instruction } of instructionsOf(lines)) values.step(instruction, base)
    return values
  }

  test('are the parameters at first, and then what is put there', () => {
    expect(after('nop').passed()).toEqual([0, 1, 2, 3].map((parameter) => ({ parameter })))
    expect(after('mov $7, %edi; xor %esi, %esi; mov %rdi, %rdx; mov (%rax), %rcx').passed()).toEqual([
      { constant: 7 },
      { constant: 0 },
      { constant: 7 },
      undefined,
    ])
  })

  test('are lost where an instruction writes them without naming them', () => {
    expect(after('rdtsc').passed()).toEqual([{ parameter: 0 }, { parameter: 1 }, undefined, { parameter: 3 }])
    expect(after('cpuid; nop').passed()).toEqual([{ parameter: 0 }, { parameter: 1 }, undefined, undefined])
    expect(after('rep stosq').passed()).toEqual([undefined, { parameter: 1 }, { parameter: 2 }, undefined])
    expect(after('bswap %esi; cltq').passed()[1]).toBeUndefined()
  })

  test('are kept where an instruction names none, whatever byte follows', () => {
    // The byte behind each could be read as one that names rdi.
    expect(after('cltq; .byte 0xf8; cld; .byte 0xf8').passed()).toEqual(
      [0, 1, 2, 3].map((parameter) => ({ parameter })),
    )
  })

  test('are not known behind a call', () => {
    expect(after('call *%rax').passed()).toEqual(Array(4).fill(undefined))
    const values = after('mov $7, %edi; mov $8, %ebx')
    values.call()
    expect(values.passed()[0]).toBeUndefined()
  })

  test('are stored at a distance', () => {
    expect(after('movl $5, 8(%rbx); mov $6, %eax; mov %eax, 0x100(%rbx); mov %rcx, 1(%rbx)').stores).toEqual([
      { displacement: 8, value: 5 },
      { displacement: 0x100, value: 6 },
    ])
  })
})
