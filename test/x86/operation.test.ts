// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, test } from 'vitest'
import { looseText, numbersOf, operationKind, operationOf } from '../../src/x86/operation.ts'
import { asksResult, flagUse, limitOf } from '../../src/x86/question.ts'
import { instructionsOf, saidOf } from './assembled.ts'

const loose = (line: string) => {
  const [only] = instructionsOf(line)
  return looseText(only!.instruction, [])
}
const operation = (line: string) => {
  const [only] = instructionsOf(line)
  return operationOf(only!.instruction)
}

describe('an instruction without its registers', () => {
  test.each([
    ['mov %eax, %ebx', 'mov %ecx, %edx'],
    ['mov %rax, 8(%rbx)', 'mov %r12, 8(%rcx)'],
    ['push %rbx', 'push %r12'],
    ['mov $5, %eax', 'mov $5, %r9d'],
    ['mov %rax, 8(%rsp)', 'mov %rbx, 16(%rsp)'],
    ['je .', 'jne .'],
    ['je .', 'ja var'],
  ])('%s is %s', (one, other) => expect(loose(one)).toBe(loose(other)))

  test.each([
    ['mov %eax, %ebx', 'mov %rax, %rbx'],
    ['mov %rax, 8(%rbx)', 'mov %rax, 16(%rbx)'],
    ['mov %rax, 8(%rbx)', 'mov 8(%rbx), %rax'],
    // Only rsp is the stack, and no register whose number ends like its.
    ['mov %rax, 8(%r12)', 'mov %rax, 16(%r12)'],
    ['mov $5, %eax', 'mov $6, %eax'],
    ['shl $3, %eax', 'shr $3, %eax'],
    ['movzbl %al, %eax', 'movzwl %ax, %eax'],
    ['movbe (%rdi), %ecx', 'crc32l (%rdi), %ecx'],
    ['je .', 'jmp .'],
    ['call var', 'jmp var'],
  ])('%s is not %s', (one, other) => expect(loose(one)).not.toBe(loose(other)))

  test('is the same operation with another number, and by either way of a move', () => {
    expect(operation('add $5, %eax')).toBe(operation('add $6, %ebx'))
    expect(operation('mov %eax, %ebx')).toBe(operation('.byte 0x8b, 0xd8'))
    expect(operation('add $5, %eax')).not.toBe(operation('sub $5, %eax'))
    expect(operation('mov %eax, %ebx')).not.toBe(operation('mov (%rax), %ebx'))
  })
})

test('what an instruction is there for is told', () => {
  const forms = {
    'mov %eax, var(%rip)': 'store',
    'movw $1, var(%rip)': 'store',
    'movb $1, var(%rip)': 'store',
    'movups %xmm0, var(%rip)': 'vector-store',
    'movdqu %xmm0, var(%rip)': 'vector-store',
    'cmpl $0, var(%rip)': 'compare',
    'testb $1, var(%rip)': 'compare',
    'cmp %eax, var(%rip)': 'compare',
    'mov %rax, %rbx': 'copy',
    'push %rbx': 'frame',
    'pop %r12': 'frame',
    'add $8, %rsp': 'frame',
    'sub $0x100, %rsp': 'frame',
    leave: 'frame',
    ret: 'frame',
    nop: 'frame',
    'nopw 0(%rax,%rax,1)': 'frame',
    'add $8, %rbx': 'other',
    'incl var(%rip)': 'other',
    'mov %eax, %gs:var': 'other',
  }
  expect(saidOf(Object.keys(forms), operationKind)).toEqual(forms)
})

test('the numbers of an instruction are no place on the stack, and no size of it', () => {
  const forms = {
    'add $5, %eax': [5],
    'mov 8(%rbx), %rax': [8],
    'mov (%rbx), %rax': [],
    'mov (%rbp), %rax': [],
    'movl $5, 8(%rbx)': [8, 5],
    'mov 8(%rsp), %rax': [],
    'movl $5, 8(%rsp)': [5],
    'mov 8(%r12), %rax': [8],
    'sub $0x100, %rsp': [],
    'movabs $0x123456789abcdef0, %rax': [0x123456789abcdef0n],
    'mov -8(%rbx), %rax': [-8],
    'jmp .': [],
    ret: [],
  }
  expect(saidOf(Object.keys(forms), (one) => numbersOf(one, () => false))).toEqual(forms)
})

describe('a question', () => {
  const limit = (lines: string) => {
    const [asked, next] = instructionsOf(lines)
    return limitOf(asked!.instruction, next?.instruction)?.value
  }

  test('is the same for > 5 and for < 6', () => {
    expect(limit('cmp $5, %ebx; ja .')).toBe(6)
    expect(limit('cmp $5, %ebx; jle .')).toBe(6)
    expect(limit('cmp $6, %ebx; jb .')).toBe(6)
    expect(limit('cmp $6, %ebx; jge .')).toBe(6)
    expect(limit('cmp $1000, %eax; je .')).toBe(1000)
    expect(limit('cmpw $1000, %bx; je .')).toBe(1000)
  })

  test('is none without a branch behind it, or of another instruction', () => {
    expect(limit('cmp $5, %ebx; nop')).toBeUndefined()
    expect(limit('add $5, %ebx; je .')).toBeUndefined()
    expect(limit('cmp %eax, %ebx; je .')).toBeUndefined()
  })

  test('may be what a call has returned', () => {
    const forms = {
      'test %eax, %eax': true,
      'test %al, %al': true,
      'test %rax, %rax': false,
      'test %ebx, %ebx': false,
    }
    expect(saidOf(Object.keys(forms), (one) => asksResult(one))).toEqual(forms)
  })

  test('may be of a flag', () => {
    const forms = {
      'movb $1, var(%rip)': 'sets',
      'movb $0, var(%rip)': undefined,
      'cmpb $0, var(%rip)': 'reads',
      'testb $1, var(%rip)': 'reads',
      'mov var(%rip), %al': 'reads',
      'movzbl var(%rip), %eax': 'reads',
      'orb $1, var(%rip)': undefined,
      'mov var(%rip), %eax': undefined,
    }
    expect(saidOf(Object.keys(forms), flagUse)).toEqual(forms)
  })
})
