// SPDX-License-Identifier: GPL-3.0-or-later
import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { decodeInstruction } from '../../src/x86/instruction.ts'
import { assemble } from './assembled.ts'

/** One instruction of each form that matters: prefixes, maps, immediates, address forms. */
const forms = `
  nop; ret; ud2; leave; cltq; rep movsb; lock xaddl %eax, (%rdi); lock cmpxchg16b 8(%rsi)
  movb $1, var(%rip); movw $1, var(%rip); movl $1, var(%rip); movq $1, var(%rip)
  cmpb $0, var(%rip); cmpw $300, var(%rip); cmpl $300, var(%rip); cmpq $300, var(%rip); cmpl $3, var(%rip)
  and $0xf, %eax; cmpl $0, var(%rip); shll $3, var(%rip); shll var(%rip); shll %cl, var(%rip)
  testb $1, var(%rip); testl $1, var(%rip); notl var(%rip); negb var(%rip); mull var(%rip); testw $1, var(%rip)
  imul $3, var(%rip), %eax; imul $300, var(%rip), %eax; imul $300, var(%rip), %ax; imul var(%rip), %eax
  btl $3, var(%rip); btsq $3, var(%rip); bt %eax, var(%rip); shld $3, %eax, var(%rip); shrd %cl, %eax, var(%rip)
  movzbl var(%rip), %eax; movsbl 1(%rax), %ecx; movabs $0x123456789abcdef0, %rax; movabs 0x123456789abcdef0, %al
  mov %gs:0x28, %rax; mov %gs:var(%rip), %eax; mov var(,%rax,8), %rcx; lea 0x80(%rsp,%rbx,4), %rdi; lea (%rsp), %rax
  lea var(%rip), %rax; push $1; push $1000; pushq var(%rip); call 1f; jmp 1f; 1: je 1b; jne 2f; .skip 200; 2: loop 2b; jrcxz 2b
  call *%rax; call *var(%rip); jmp *8(%rax,%rbx,8); in (%dx), %al; out %al, $3; int3; int $0x80; iretq; wrmsr; cpuid
  mov %cr3, %rax; mov %rax, %db7; swapgs; rdtscp; clac; verw var(%rip); invlpg (%rdi); fxsave (%rdi); lfence; pause
  enter $16, $0; ret $8; popcnt %eax, %ebx; crc32b (%rsi), %eax; pshufd $3, %xmm0, %xmm1; movdqu var(%rip), %xmm0
  aesenc var(%rip), %xmm1; pclmulqdq $0, var(%rip), %xmm1; palignr $4, var(%rip), %xmm2; cmpltps var(%rip), %xmm3
  vpxor var(%rip), %ymm1, %ymm2; vpshufb var(%rip), %ymm1, %ymm2; vperm2i128 $1, var(%rip), %ymm1, %ymm2; vzeroupper
  vpclmulqdq $1, %xmm1, %xmm2, %xmm3; vpsrldq $4, %ymm1, %ymm2; movbe (%rdi), %eax; sarx %eax, (%rdi), %ecx
  xchg %ax, %ax; .byte 0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0; nopl 0(%rax,%rax,1); endbr64; bswap %rax; cmova %eax, %ebx; sete var(%rip)
  vmovdqu64 var(%rip), %zmm1; vpternlogd $150, %zmm1, %zmm2, %zmm3; sysretq; invpcid (%rdi), %rax; stac; xsave64 (%rdi)
`

describe('the end of an instruction', () => {
  test('is where objdump sees it, for every form', () => {
    const { text, file } = assemble(forms.replaceAll('.skip 200', '.fill 200, 1, 0x90'))
    const listing = execFileSync('objdump', ['-dw', '--no-show-raw-insn', file], { encoding: 'utf8' })
    const starts = [...listing.matchAll(/^\s*([0-9a-f]+):\t/gm)].map(([, hex]) => Number.parseInt(hex!, 16))
    expect(starts.length).toBeGreaterThan(300)
    const ends = starts.map((start) => decodeInstruction(text.data, start)?.end)
    expect(ends).toEqual([...starts.slice(1), text.size])
  })

  test('is not known where bytes are missing or mean nothing', () => {
    expect(decodeInstruction(Buffer.from([0xe8, 0, 0]), 0)).toBeUndefined()
    expect(decodeInstruction(Buffer.from([0x48]), 0)).toBeUndefined()
    expect(decodeInstruction(Buffer.from([0x06]), 0)).toBeUndefined()
    expect(decodeInstruction(Buffer.alloc(0), 0)).toBeUndefined()
  })

  test('tells where a branch holds its distance', () => {
    expect(decodeInstruction(Buffer.from([0xe8, 1, 2, 3, 4]), 0)).toMatchObject({
      start: 0,
      end: 5,
      branch: 1,
    })
    expect(decodeInstruction(Buffer.from([0x0f, 0x84, 1, 2, 3, 4]), 0)).toMatchObject({ end: 6, branch: 2 })
    expect(decodeInstruction(Buffer.from([0x74, 1]), 0)).toMatchObject({ end: 2, branch: 1 })
    expect(decodeInstruction(Buffer.from([0xff, 0xd0]), 0)).toMatchObject({ end: 2, branch: -1 })
  })
})
