// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, test } from 'vitest'
import {
  conditionOf,
  controlOf,
  ifNotZero,
  ifZero,
  isAboveNumber,
  isConditional,
  isDistance,
  jump,
  placeOf,
  possibleCalls,
} from '../../src/x86/branch.ts'
import { encoded } from '../../src/x86/encoding.ts'
import { instructionsOf, saidOf } from './assembled.ts'

describe('how control goes on', () => {
  test('is told of each form, whatever prefixes it has', () => {
    const forms = {
      'mov %eax, %ebx': 'next',
      'call var': 'call',
      'jmp .': 'jump',
      'jmp var': 'jump',
      'je .': 'branch',
      'jne var': 'branch',
      'loop .': 'branch',
      'call *%rax': 'indirect-call',
      'call *%r12': 'indirect-call',
      'notrack jmp *%rax': 'indirect-jump',
      'jmp *8(%rax,%rbx,8)': 'indirect-jump',
      'push (%rax)': 'next',
      'incl (%rax)': 'next',
      ret: 'return',
      'rep ret': 'return',
      int3: 'breakpoint',
      ud2: 'trap',
    }
    expect(saidOf(Object.keys(forms), (instruction) => controlOf(instruction))).toEqual(forms)
  })
})

describe('the condition of a direct branch', () => {
  test('is the same for a short and for a long one', () => {
    const [shortJump, longJump, shortIf, longIf] = instructionsOf('jmp .; jmp var; je .; je var')
    expect(conditionOf(shortJump!.instruction)).toBe(jump)
    expect(conditionOf(longJump!.instruction)).toBe(jump)
    expect(conditionOf(shortIf!.instruction)).toBe(ifZero)
    expect(conditionOf(longIf!.instruction)).toBe(ifZero)
  })

  test('says what is asked', () => {
    const conditions = saidOf(['jne .', 'ja .', 'jbe .', 'jg .', 'jle .', 'jae .', 'jl .'], (one) => conditionOf(one))
    expect(conditions['jne .']).toBe(ifNotZero)
    expect(Object.entries(conditions).filter(([, one]) => isAboveNumber(one))).toHaveLength(4)
    expect(Object.values(conditions).every(isConditional)).toBe(true)
    expect(isConditional(jump)).toBe(false)
  })
})

describe('the place', () => {
  test('counts from the end of the instruction, also behind an immediate', () => {
    const [over, operand, back] = instructionsOf('jmp 1f; movl $1, 1f(%rip); 1: je 1b')
    const { instruction } = back!
    expect(placeOf(over!.instruction)).toBe(instruction.start)
    expect(placeOf(instruction)).toBe(instruction.start)
    expect(operand!.instruction.memory).toBeGreaterThan(0)
    expect(placeOf(operand!.instruction)).toBe(instruction.start)
  })

  test('is the operand of a branch where the bytes before are one', () => {
    const fields = saidOf(['nop', 'call var', 'jmp var', 'je var', 'lea var(%rip), %rax', 'push $1000'], (one) =>
      isDistance(encoded(one).code, one.end - 4),
    )
    expect(Object.values(fields)).toEqual([false, true, true, true, false, false])
  })

  test('is one at the very beginning of the code, too', () => {
    for (const first of ['call var', 'jmp var', 'je var', 'lea var(%rip), %rax'])
      expect(saidOf([first], (one) => isDistance(encoded(one).code, one.end - 4))[first]).toBe(!first.startsWith('lea'))
    expect(isDistance(Buffer.alloc(4), 0)).toBe(false)
  })

  test('of all that may be a call is found where no instruction is known to begin', () => {
    expect(possibleCalls(Buffer.from([0x90, 0xe8, 1, 0, 0, 0, 0x90, 0xe8]))).toEqual([7])
  })
})
