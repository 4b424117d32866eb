// SPDX-License-Identifier: GPL-3.0-or-later
// Looks from inside the guest at where the calls of a loaded live patch really lead. With call depth
// tracking the kernel turns each call that `.call_sites` lists to the padding in front of the called
// function, in which it puts the code that counts (arch/x86/kernel/callthunks.c).
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { readObject } from '../../src/elf/read.ts'
import type { Subject } from '../../src/vm/plan/subject.ts'
import { compiler } from '../objects.ts'

// Prints ten bytes at the target of each call, given the function's address and the calls' offsets.
const source = `
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int core;
static Elf64_Ehdr header;
static void read_at(unsigned long address, void *to, unsigned long length) {
  for (int i = 0; i < header.e_phnum; i++) {
    Elf64_Phdr part;
    if (pread(core, &part, sizeof part, header.e_phoff + i * sizeof part) != sizeof part) exit(2);
    if (part.p_type != PT_LOAD || address < part.p_vaddr || address - part.p_vaddr >= part.p_memsz) continue;
    if (pread(core, to, length, part.p_offset + (address - part.p_vaddr)) != (long)length) exit(3);
    return;
  }
  exit(4);
}
int main(int count, char **words) {
  core = open("/proc/kcore", O_RDONLY);
  if (count < 2 || pread(core, &header, sizeof header, 0) != sizeof header) return 1;
  unsigned long start = strtoul(words[1], 0, 16);
  for (int i = 2; i < count; i++) {
    unsigned long at = start + strtoul(words[i], 0, 10);
    unsigned char call[5], code[10];
    int distance;
    read_at(at, call, 5);
    if (call[0] != 0xe8) { printf("no call at +%s\\n", words[i]); continue; }
    memcpy(&distance, call + 1, 4);
    read_at(at + 5 + distance, code, sizeof code);
    for (unsigned j = 0; j < sizeof code; j++) printf(j ? " %02x" : "%02x", code[j]);
    puts("");
  }
  return 0;
}
`

/** Compiles the program that looks. @returns its path */
export function buildPeek(dir: string): string {
  const file = path.join(dir, 'peek')
  writeFileSync(`${file}.c`, source)
  execFileSync(compiler, ['-O', '-static', '-o', file, `${file}.c`])
  return file
}

/** The calls of a function that a live patch brings, and the guest's command that tells where they lead. */
export function callTargets(subject: Subject, name: string): { calls: number; command: string } {
  const module = readObject(subject.bytes, subject.file)
  const found = module.symbols.find((symbol) => symbol.name === name && symbol.section !== undefined)!
  const listed = (table: string) =>
    module
      .relocations(module.sections.find((section) => section.name === table)!)
      .filter(({ symbol }) => symbol.section === found.section)
      .map(({ symbol, addend }) => symbol.value + addend - found.value)
  // The hook of ftrace is in the table, too, and no call any more.
  const hooks = new Set(listed('__mcount_loc'))
  const offsets = listed('.call_sites').filter((offset) => !hooks.has(offset))
  const address = `$(grep ' ${name}[[:space:]]*\\[${subject.name}\\]' /proc/kallsyms | cut -d' ' -f1)`
  return { calls: offsets.length, command: `peek ${address} ${offsets.join(' ')}` }
}
