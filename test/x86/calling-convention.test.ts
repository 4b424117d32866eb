// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, test } from 'vitest'
import {
  argumentIn,
  argumentRegisters,
  callerSaved,
  copiedHome,
  kept,
  loadedHome,
  numberForCall,
  passed,
} from '../../src/x86/calling-convention.ts'
import { saidOf } from './assembled.ts'

/** Which argument a line prepares. */
const argument = (one: Parameters<typeof loadedHome>[0]) => {
  const home = loadedHome(one)
  return home === undefined ? undefined : argumentIn(home)
}

describe('an argument', () => {
  test('is told by the place into which an instruction puts it', () => {
    const forms = {
      'mov $1, %edi': 0,
      'mov $var, %rsi': 1,
      'lea var(%rip), %rdx': 2,
      'mov $1, %ecx': 3,
      'mov $1, %r8d': 4,
      'lea var(%rip), %r9': 5,
      'push $1000': 6,
      'movl $1, (%rsp)': 6,
      'movq $1, 8(%rsp)': 7,
      'mov $1, %eax': -1,
      'mov $1, %r10d': -1,
      'movl $1, 8(%rbx)': undefined,
      'movw $1, 8(%rsp)': undefined,
      'mov %eax, %edi': undefined,
    }
    expect(saidOf(Object.keys(forms), argument)).toEqual(forms)
  })

  test('goes from one register to another by mov', () => {
    const forms = {
      'mov %rbx, %rdi': { from: 3, to: 7 },
      'mov %r12d, %r8d': { from: 12, to: 8 },
      '.byte 0x48, 0x8b, 0xfb': { from: 3, to: 7 },
      'mov (%rbx), %rdi': undefined,
      'add %rbx, %rdi': undefined,
    }
    expect(saidOf(Object.keys(forms), (one) => copiedHome(one))).toEqual(forms)
  })

  test('may be a number of 4 bytes in the instruction', () => {
    const forms = {
      'mov $1, %edi': 4,
      'mov $1, %r9d': 4,
      'movl $1, 8(%rsp)': 4,
      'movq $1, 8(%rsp)': 4,
      'push $1000': 4,
      'mov $1, %eax': undefined,
      'mov $1, %r12d': undefined,
      'movw $1, 8(%rsp)': undefined,
      'add $1000, %edi': undefined,
    }
    const said = saidOf(Object.keys(forms), (one) => {
      const field = numberForCall(one)
      return field < 0 ? undefined : one.end - field
    })
    expect(said).toEqual(forms)
  })
})

test('a register is left alone by a call, or not; those of arguments never are', () => {
  const isKept = (register: number) => ((kept >> register) & 1) === 1
  expect(callerSaved.some(isKept)).toBe(false)
  expect(argumentRegisters.every((register) => callerSaved.includes(register))).toBe(true)
  expect(passed & kept).toBe(0)
  // All but the stack pointer.
  expect(new Set([...callerSaved, ...Array.from({ length: 16 }, (_, n) => n).filter(isKept)]).size).toBe(15)
})
