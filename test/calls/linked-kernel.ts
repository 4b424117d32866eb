// SPDX-License-Identifier: GPL-3.0-or-later
// A kernel of a few functions: compiled and linked at a kernel's own addresses, with its System.map.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { compileBytes, work } from '../objects.ts'

/** What the linker of a kernel is told, with the boundaries that its C code knows. */
const script = `
SECTIONS {
  . = 0xffffffff81000000;
  .text : { _stext = .; *(.text .text.*) __sched_text_start = .; *(.sched.text) __sched_text_end = .; _etext = .; }
  . = ALIGN(4096);
  .rodata : { __start_mcount_loc = .; *(__mcount_loc) __stop_mcount_loc = .; *(.rodata .rodata.*) }
  .data : { *(.data .data.* .bss .bss.*) }
  . = ALIGN(4096);
  .init.text : { _sinittext = .; *(.init.text) _einittext = .; }
}`

/** @returns as much of a kernel as reading its code needs; its directory is its own */
export function linkedKernel(source: string): Kernel {
  const dir = mkdtempSync(path.join(work, 'kernel-'))
  const file = (name: string) => path.join(dir, name)
  writeFileSync(file('unit.o'), compileBytes(source))
  writeFileSync(file('link.ld'), script)
  execFileSync('ld', ['-T', file('link.ld'), '-e', '_stext', '-o', file('vmlinux'), file('unit.o')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  writeFileSync(file('System.map'), execFileSync('nm', ['-n', file('vmlinux')]))
  return {
    dir,
    release: '6.1.0',
    vmlinux: file('vmlinux'),
    systemMap: file('System.map'),
    modulesRoot: dir,
  } as Kernel
}
