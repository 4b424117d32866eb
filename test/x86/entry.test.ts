// SPDX-License-Identifier: GPL-3.0-or-later
// What the kernel makes of the code of a function: at its entry, under a kprobe, at the places that its tables list.
import { describe, expect, test } from 'vitest'
import { loadInstead, loadsVariable } from '../../src/x86/boot-constant.ts'
import { hookAt, hookOf, isLandingPad, isSealedPad, mayHaveHook } from '../../src/x86/entry.ts'
import { direct } from '../../src/x86/global-offset-table.ts'
import { optionBetween } from '../../src/x86/kernel-options.ts'
import { bytesUnderProbe, hasBreakpoint, hasProbeJump, probeJumpTo } from '../../src/x86/kprobe.ts'
import { isNop, isNopOf, isPadding } from '../../src/x86/padding.ts'
import { mayListPlace, rewrittenSize } from '../../src/x86/patched-sites.ts'
import { isCompilersCall, isIndirectThunk, thunkRegister } from '../../src/x86/thunks.ts'
import { assemble, saidOf } from './assembled.ts'

const codeOf = (lines: string) => assemble(lines).text.data

describe('the entry of a function', () => {
  test('begins with a landing pad, which the kernel may close', () => {
    expect(isLandingPad(codeOf('endbr64; ret'))).toBe(true)
    expect(isLandingPad(codeOf('nop; ret'))).toBe(false)
    expect(isLandingPad(undefined)).toBe(false)
    expect(isSealedPad(codeOf('.byte 0x66; nopl (%rax); ret'))).toBe(true)
    expect(isSealedPad(codeOf('nopl -42(%rax); ret'))).toBe(true)
    expect(isSealedPad(codeOf('endbr64; ret'))).toBe(false)
  })

  test('has a hook, behind the landing pad at the most', () => {
    expect(hookAt(codeOf('endbr64; 1: call 1b + 25'), 4)).toBe(29)
    expect(hookAt(codeOf('.nops 5'), 0)).toBe('free')
    expect(hookAt(codeOf('endbr64; ret'), 0)).toBeUndefined()
    expect([0, 4, 5].map((place) => mayHaveHook(0, place))).toEqual([true, true, false])
    expect(hookOf(5)).toBe(4)
  })
})

test('a kprobe hides an instruction, or the first byte of one', () => {
  const code = codeOf('int3; nop')
  expect([hasBreakpoint(code, 0), hasBreakpoint(code, 1)]).toEqual([true, false])
  const jump = codeOf('1: jmp 1b + 0x1000')
  expect(hasProbeJump(jump, 0)).toBe(true)
  expect(probeJumpTo(jump, 0)).toBe(0x1000)
  const hidden = saidOf(['push %rbx', 'call var', 'jmp var', 'je var'], bytesUnderProbe)
  expect(Object.values(hidden)).toEqual([[0x53], [0xe8], [0xe9, 0xeb], [0x0f, 0x74]])
})

describe('what fills up', () => {
  test('is a nop with its prefixes, and no exchange or pause', () => {
    const forms = {
      nop: true,
      'xchg %ax, %ax': true,
      'nopw %cs:0(%rax,%rax,1)': true,
      pause: false,
      'xchg %r8, %rax': false,
      'mov %eax, %eax': false,
    }
    expect(saidOf(Object.keys(forms), isNop)).toEqual(forms)
  })

  test('is padding to the end, also with a jump over it', () => {
    const isAll = (lines: string) => {
      const code = codeOf(lines)
      return isPadding(code, 0, code.length)
    }
    expect(isAll('.nops 7; int3; .byte 0, 0')).toBe(true)
    expect(isAll('jmp 1f; .fill 9, 1, 0x90; 1:')).toBe(true)
    expect(isAll('jmp 1f; .fill 9, 1, 0x90; 1: nop')).toBe(false)
    expect(isAll('nop; ret')).toBe(false)
  })

  test('is one nop in the place of a call or a jump', () => {
    expect(isNopOf(5, codeOf('.nops 5'), 0)).toBe(true)
    expect(isNopOf(2, codeOf('xchg %ax, %ax'), 0)).toBe(true)
    expect(isNopOf(5, codeOf('.fill 5, 1, 0x90'), 0)).toBe(false)
    expect(isNopOf(0, codeOf('nop'), 0)).toBe(false)
  })
})

describe('a place that a table lists', () => {
  test('has an instruction of the form that the table is about', () => {
    const is = (table: string, line: string) => mayListPlace(table, codeOf(`${line}; .nops 8`), 0)
    expect(is('__jump_table', 'jmp var')).toBe(true)
    expect(is('__jump_table', '.nops 5')).toBe(true)
    expect(is('__jump_table', 'ret')).toBe(false)
    expect(is('__bug_table', 'ud2')).toBe(true)
    expect(is('.static_call_sites', 'call var')).toBe(true)
    expect(is('.retpoline_sites', 'cs call var')).toBe(true)
    expect(is('.ibt_endbr_seal', 'endbr64')).toBe(true)
    expect(is('.text', 'ret')).toBe(false)
  })

  test('is rewritten for 5 bytes, but for a short jump label', () => {
    expect(rewrittenSize(codeOf('jmp .'), 0)).toBe(2)
    expect(rewrittenSize(codeOf('xchg %ax, %ax'), 0)).toBe(2)
    expect(rewrittenSize(codeOf('call var'), 0)).toBe(5)
  })
})

describe('an instruction that a module can not have', () => {
  test('is a load of the variable in the place of a constant, by the same register', () => {
    for (const register of ['%rax', '%rsi', '%r9']) {
      const made = codeOf(`movabs $0x123456789abcdef0, ${register}`)
      const { bytes, displacement } = loadInstead(made)!
      expect(bytes).toEqual(codeOf(`mov 0(%rip), ${register}; nopl (%rax)`))
      expect(displacement).toBe(3)
      expect(loadsVariable(made, bytes, 0)).toBe(true)
      expect(loadsVariable(made, made, 0)).toBe(false)
      expect(loadsVariable(made, codeOf('mov 0(%rip), %rbx; nopl (%rax)'), 0)).toBe(false)
    }
    expect(loadInstead(codeOf('mov $1, %eax; .nops 8'))).toBeUndefined()
  })

  test('is direct where it went through a table of addresses', () => {
    const load = codeOf('mov 0(%rip), %rdi')
    expect(direct(load, 3)?.bytes).toEqual(codeOf('lea 0(%rip), %rdi').subarray(1))
    expect(direct(codeOf('call *0(%rip)'), 2)?.bytes).toEqual(codeOf('.byte 0x67; 1: call 1b + 5'))
    expect(direct(codeOf('jmp *0(%rip)'), 2)).toMatchObject({ shift: -1 })
    expect(direct(codeOf('cmp 0(%rip), %rdi'), 3)).toBeUndefined()
  })
})

test('an instruction that only one of two kernels has shows an option', () => {
  const hex = (line: string) => codeOf(line).toString('hex')
  expect(optionBetween(hex('endbr64'), hex('push %rbx'))).toBe('CONFIG_X86_KERNEL_IBT')
  expect(optionBetween(hex('push %rbx'), hex('.nops 5'))).toBe('CONFIG_FUNCTION_TRACER')
  expect(optionBetween(hex('push %rbx'), hex('mov %gs:0x28, %rax'))).toBe('CONFIG_STACKPROTECTOR')
  expect(optionBetween(hex('call *%r12'), hex('push %rbx'))).toBe('CONFIG_RETPOLINE')
  expect(optionBetween(hex('push %rbx'), hex('push %r12'))).toBeUndefined()
})

test('a thunk is known by its name', () => {
  expect(thunkRegister('__x86_indirect_thunk_r11')).toBe('r11')
  expect(thunkRegister('__x86_return_thunk')).toBeUndefined()
  expect(isIndirectThunk('__x86_indirect_call_thunk_rax')).toBe(true)
  expect(['__fentry__', '__x86_return_thunk', 'schedule'].map(isCompilersCall)).toEqual([true, true, false])
})
