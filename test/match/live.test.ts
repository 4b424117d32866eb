// SPDX-License-Identifier: GPL-3.0-or-later
// What the kernel itself writes into its code, done here to a program that plays the kernel: each of it is accepted in
// memory, none of it in an image, and nothing else at the same place. The texts are those of the kernel's own macros
// (arch/x86/include/asm/{alternative,jump_label,nospec-branch,static_call}.h).
import { describe, expect, test } from 'vitest'
import { splitObject } from '../../src/diff/object/split-object.ts'
import { compare } from '../../src/match/compare.ts'
import { expectationOf } from '../../src/match/expect.ts'
import type { Running } from '../../src/match/running.ts'
import { compile } from '../objects.ts'
import { atomOf, link, rewritten } from './small-image.ts'

const alternative = (old: string, replacement: string) => `asm volatile(
  "661: ${old}\\n662: .skip -(((665f-664f)-(662b-661b)) > 0) * ((665f-664f)-(662b-661b)), 0x90\\n663:\\n"
  ".pushsection .altinstructions, \\"a\\"\\n.long 661b - .\\n.long 664f - .\\n.4byte 7\\n.byte 663b-661b\\n.byte 665f-664f\\n.popsection\\n"
  ".pushsection .altinstr_replacement, \\"ax\\"\\n664: ${replacement}\\n665:\\n.popsection")`

const source = `
int value; void fast(void);
int barrier(int a) { ${alternative('lfence', '')}; value = a; return a + 1; }
int smap(int a) { ${alternative('', 'stac')}; value = a; return a + 2; }
int copy(int a) { ${alternative('call smap', 'call fast')}; value = a; return a + 3; }
int locked(int a) { asm volatile(".pushsection .smp_locks, \\"a\\"\\n.long 671f - .\\n.popsection\\n671: lock; incl value(%%rip)" ::: "memory"); return a + 4; }
int labelled(int a) { asm goto("1: .byte 0x0f, 0x1f, 0x44, 0x00, 0x00\\n.pushsection __jump_table, \\"aw\\"\\n.balign 8\\n.long 1b - .\\n.long %l[yes] - .\\n.quad value + 1 - .\\n.popsection" :::: yes);
  value = a; return 5; yes: return 6; }
int through(int a) { asm volatile("call __x86_indirect_thunk_rax\\n.byte 0x2e; call __x86_indirect_thunk_r11" ::: "memory"); return a + 7; }
int fixed(int a) { asm volatile("call __SCT__call" ::: "memory"); return a + 8; }
int warned(int a) { asm volatile("call __SCT__WARN_trap" ::: "memory"); return a + 10; }
int constant(int a) { asm volatile("movabs $0x0123456789abcdef, %%rcx\\n1:\\n.pushsection runtime_ptr_table, \\"a\\"\\n.long 1b - 8 - .\\n.popsection" ::: "rcx"); return a + 9; }
asm(".text; .globl ended; .type ended, @function; ended: nop; jmp __x86_return_thunk; int3; .size ended, . - ended");
asm(".text; .globl sealed; .type sealed, @function; sealed: endbr64; mov %edi, value(%rip); ret; .size sealed, . - sealed");`

const kernel = link(source)
const unit = splitObject(compile(source))

/** Where a function of the running kernel has these bytes. */
function placeOf(name: string, hex: string): bigint {
  const address = kernel.addressesOf(name)[0]!
  const code = kernel.read(address, kernel.sizeOf(name))!
  // Behind ftrace's hook, where there is one.
  const from = code[0] === 0xe8 && code.toString('hex', 0, 5) !== hex ? 5 : 0
  const offset = code.indexOf(Buffer.from(hex.replaceAll(' ', ''), 'hex'), from)
  if (offset < 0) throw new Error(`${name} has no ${hex}: ${code.toString('hex')}`)
  return address + BigInt(offset)
}

/** A call or a jump from an address to a symbol. */
function branch(opcode: string, from: bigint, to: bigint): string {
  const distance = Buffer.alloc(4)
  const size = opcode.length / 2 + 4
  distance.writeInt32LE(Number(BigInt.asIntN(64, to - from - BigInt(size))))
  return opcode + distance.toString('hex')
}

function matches(name: string, running: Running): boolean {
  const address = kernel.addressesOf(name)[0]!
  return compare(expectationOf(unit, atomOf(unit, name)), running, address).matches
}

const address = (name: string) => kernel.addressesOf(name)[0]!

test('as it was linked, everything matches, in an image and in memory', () => {
  for (const { name } of unit.functions) {
    expect(matches(name, kernel), name).toBe(true)
    expect(matches(name, { ...kernel, live: true }), name).toBe(true)
  }
})

interface Case {
  readonly what: string
  readonly name: string
  /** What stands there, in hexadecimal; the rewriting begins with its first byte. */
  readonly old: string
  /** What the kernel makes of it. */
  readonly made: (from: bigint) => string
  /** What it would never make of it. */
  readonly never: (from: bigint) => string
}

const cases: readonly Case[] = [
  {
    what: 'an alternative that is nothing',
    name: 'barrier',
    old: '0f ae e8',
    made: () => '0f 1f 00',
    never: () => '0f ae f0',
  },
  {
    what: 'an alternative in the place of nops',
    name: 'smap',
    old: '90 90 90',
    made: () => '0f 01 cb',
    never: () => '0f 01 ca',
  },
  {
    what: 'nops that were joined',
    name: 'smap',
    old: '90 90 90',
    made: () => '0f 1f 00',
    never: () => '0f 1f 01',
  },
  {
    what: 'an alternative that calls another function',
    name: 'copy',
    old: 'e8',
    made: (from) => branch('e8', from, address('fast')),
    never: (from) => branch('e8', from, address('barrier')),
  },
  { what: 'a lock prefix on one processor', name: 'locked', old: 'f0', made: () => '3e', never: () => '3f' },
  {
    what: 'a branch that was switched on',
    name: 'labelled',
    old: '0f 1f 44 00 00',
    made: (from) => branch('e9', from, placeOf('labelled', 'b8 06 00 00 00')),
    never: (from) => branch('e9', from, placeOf('labelled', 'b8 05 00 00 00')),
  },
  {
    what: 'a call without retpoline',
    name: 'through',
    old: 'e8',
    made: () => 'ff d0 0f 1f 00',
    never: () => 'ff d1 0f 1f 00',
  },
  {
    what: 'a call without retpoline, with a barrier',
    name: 'through',
    old: '2e e8',
    made: () => '0f ae e8 41 ff d3',
    never: () => '0f ae e8 41 ff d2',
  },
  {
    what: 'a call through another thunk',
    name: 'through',
    old: '2e e8',
    made: (from) => `2e${branch('e8', from + 1n, address('__x86_indirect_thunk_r11'))}`,
    never: (from) => `2e${branch('e8', from + 1n, address('__x86_indirect_thunk_rax'))}`,
  },
  {
    what: 'a static call that has its target',
    name: 'fixed',
    old: 'e8',
    made: (from) => branch('e8', from, address('fast')),
    never: (from) => branch('e9', from, address('fast')),
  },
  {
    what: 'a static call that returns 0',
    name: 'fixed',
    old: 'e8',
    made: () => '2e 2e 2e 31 c0',
    never: () => '2e 2e 2e 31 c9',
  },
  {
    what: 'a static call that warns',
    name: 'warned',
    old: 'e8',
    made: () => '67 48 0f b9 3a',
    never: () => '67 48 0f b9 3b',
  },
  {
    what: 'a number that is known at boot',
    name: 'constant',
    old: 'ef cd ab 89 67 45 23 01',
    made: () => '00 10 20 30 81 88 ff ff',
    never: () => 'ef cd ab 89 67 45 23 01 90 ff',
  },
  {
    what: 'a return without thunk',
    name: 'ended',
    old: 'e9',
    made: () => 'c3 cc cc cc cc',
    never: () => 'cb cc cc cc cc',
  },
  {
    what: 'a return through another thunk',
    name: 'ended',
    old: 'e9',
    made: (from) => branch('e9', from, address('srso_return_thunk')),
    never: (from) => branch('e9', from, address('fast')),
  },
  {
    what: 'a landing pad that was sealed',
    name: 'sealed',
    old: 'f3 0f 1e fa',
    made: () => '66 0f 1f 00',
    never: () => '0f 1f 40 d5',
  },
  {
    what: 'ftrace’s hook, in use',
    name: 'fixed',
    old: branchToFentry(),
    made: (from) => branch('e8', from, 0xffffffffc0001000n),
    never: (from) => branch('e9', from, 0xffffffffc0001000n),
  },
]

/** The hook as it was linked. */
function branchToFentry(): string {
  const from = kernel.addressesOf('fixed')[0]!
  return kernel.read(from, 5)!.toString('hex')
}

describe.each(cases)('$what', ({ name, old, made, never }) => {
  test('is accepted in memory only', () => {
    const from = placeOf(name, old)
    const running = rewritten(kernel, from, made(from))
    expect(matches(name, running)).toBe(true)
    const linked = { ...running, live: false }
    const isItself = kernel.read(from, made(from).replaceAll(' ', '').length / 2)!.toString('hex')
    // What is linked may be one of the two itself, and joined nops do what single ones do.
    if (isItself !== made(from).replaceAll(' ', '') && made(from) !== '0f 1f 00')
      expect(matches(name, linked)).toBe(name === 'labelled')
  })

  test('is refused when it is something else', () => {
    const from = placeOf(name, old)
    expect(matches(name, rewritten(kernel, from, never(from)))).toBe(false)
  })
})

describe('a kprobe', () => {
  const place = () => placeOf('barrier', '0f ae e8') + 3n
  const breakpoint = (probed: (at: bigint) => boolean) => rewritten(kernel, place(), 'cc', { live: true, probed })

  test('is accepted where there is one', () => {
    expect(
      matches(
        'barrier',
        breakpoint((at) => at === place()),
      ),
    ).toBe(true)
  })

  test('is a difference where nobody knows of one', () => {
    expect(
      matches(
        'barrier',
        breakpoint(() => false),
      ),
    ).toBe(false)
    expect(
      matches(
        'barrier',
        breakpoint((at) => at === place() + 1n),
      ),
    ).toBe(false)
  })

  test('may be a jump of five bytes', () => {
    const jump = branch('e9', place(), 0xffffffffc0002000n)
    const running = rewritten(kernel, place(), jump, { live: true, probed: (at) => at === place() })
    expect(matches('barrier', running)).toBe(true)
    expect(matches('barrier', { ...running, probed: () => false })).toBe(false)
  })
})
