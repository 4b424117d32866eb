// SPDX-License-Identifier: GPL-3.0-or-later
// A program for the guest that attaches the smallest BPF program there is to the entry and to the exit of a kernel
// function, and stays until it is ended. It asks the kernel directly (bpf(2)): the function is found by its name in the
// kernel's own BTF. Whoever wants to know how often the two ran reads run_cnt in /proc/PID/fdinfo.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { compiler } from '../objects.ts'

const source = `
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
static int function_id(const char *wanted) {
  int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY);
  long size = 64 << 20, length = 0, got;
  char *all = malloc(size);
  while ((got = read(fd, all + length, size - length)) > 0) length += got;
  struct btf_header *header = (void *)all;
  if (length < (long)sizeof *header || header->magic != BTF_MAGIC) exit(3);
  char *at = all + header->hdr_len + header->type_off, *end = at + header->type_len;
  char *names = all + header->hdr_len + header->str_off;
  for (int id = 1; at < end; id++) {
    struct btf_type *type = (void *)at;
    int count = BTF_INFO_VLEN(type->info);
    at += sizeof *type;
    switch (BTF_INFO_KIND(type->info)) {
    case BTF_KIND_FUNC:
      if (!strcmp(names + type->name_off, wanted)) return id;
      break;
    case BTF_KIND_INT: case BTF_KIND_VAR: case BTF_KIND_DECL_TAG: at += 4; break;
    case BTF_KIND_ARRAY: at += sizeof(struct btf_array); break;
    case BTF_KIND_STRUCT: case BTF_KIND_UNION: at += count * sizeof(struct btf_member); break;
    case BTF_KIND_ENUM: at += count * sizeof(struct btf_enum); break;
    case BTF_KIND_FUNC_PROTO: at += count * sizeof(struct btf_param); break;
    case BTF_KIND_DATASEC: at += count * sizeof(struct btf_var_secinfo); break;
    case 19: at += count * 12; break; /* BTF_KIND_ENUM64 */
    }
  }
  exit(4);
}
static void attach(int id, int when, const char *name) {
  struct bpf_insn code[] = {
    { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
    { .code = BPF_JMP | BPF_EXIT },
  };
  static char log[65536];
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.prog_type = BPF_PROG_TYPE_TRACING;
  attr.expected_attach_type = when;
  attr.attach_btf_id = id;
  attr.insns = (unsigned long)code;
  attr.insn_cnt = 2;
  attr.license = (unsigned long)"GPL";
  attr.log_buf = (unsigned long)log, attr.log_size = sizeof log, attr.log_level = 1;
  strncpy(attr.prog_name, name, sizeof attr.prog_name - 1);
  int program = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr);
  if (program < 0) { perror("load"); puts(log); exit(5); }
  memset(&attr, 0, sizeof attr);
  attr.raw_tracepoint.prog_fd = program;
  if (syscall(SYS_bpf, BPF_RAW_TRACEPOINT_OPEN, &attr, sizeof attr) < 0) { perror("attach"); exit(6); }
}
int main(int count, char **words) {
  if (count < 2) return 2;
  int id = function_id(words[1]);
  attach(id, BPF_TRACE_FENTRY, "sees_entry");
  attach(id, BPF_TRACE_FEXIT, "sees_exit");
  puts("attached");
  fflush(stdout);
  close(0), close(1), close(2);
  for (;;) pause();
}
`

/** Compiles the program that attaches. @returns its path */
export function buildAttach(dir: string): string {
  const file = path.join(dir, 'attach')
  writeFileSync(`${file}.c`, source)
  execFileSync(compiler, ['-O', '-static', '-o', file, `${file}.c`])
  return file
}
