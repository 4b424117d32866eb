// SPDX-License-Identifier: GPL-3.0-or-later
// bpf(2): maps of each kind, and small programs.
#include "calls.h"
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int bpf_call(int command, void *attributes, size_t size) { return syscall(SYS_bpf, command, attributes, size); }

int length_program(int type) {
  const struct bpf_insn code[] = {
      {.code = BPF_LDX | BPF_W | BPF_MEM, .dst_reg = 0, .src_reg = 1, .off = 0},
      {.code = BPF_JMP | BPF_EXIT},
  };
  union bpf_attr load = {
      .prog_type = type, .insns = (unsigned long)code, .insn_cnt = 2, .license = (unsigned long)"GPL"};
  return bpf_call(BPF_PROG_LOAD, &load, sizeof load);
}

static void maps(void) {
  for (int type = BPF_MAP_TYPE_HASH; type <= BPF_MAP_TYPE_BLOOM_FILTER; type++) {
    const int keyless = type == BPF_MAP_TYPE_QUEUE || type == BPF_MAP_TYPE_STACK || type == BPF_MAP_TYPE_BLOOM_FILTER;
    union bpf_attr make = {.map_type = type, .key_size = keyless ? 0 : 4, .value_size = 8, .max_entries = 4};
    if (type == BPF_MAP_TYPE_LPM_TRIE) make.key_size = 8, make.map_flags = BPF_F_NO_PREALLOC;
    int map = bpf_call(BPF_MAP_CREATE, &make, sizeof make);
    if (map < 0) continue;
    unsigned key[2] = {1, 0}, next[2];
    unsigned long value[64] = {7};
    union bpf_attr use = {.map_fd = map, .key = keyless ? 0 : (unsigned long)key, .value = (unsigned long)value};
    for (int times = 0; times < 6; times++) bpf_call(BPF_MAP_UPDATE_ELEM, &use, sizeof use);
    bpf_call(BPF_MAP_LOOKUP_ELEM, &use, sizeof use);
    bpf_call(BPF_MAP_LOOKUP_AND_DELETE_ELEM, &use, sizeof use);
    union bpf_attr step = {.map_fd = map, .key = 0, .next_key = (unsigned long)next};
    bpf_call(BPF_MAP_GET_NEXT_KEY, &step, sizeof step);
    bpf_call(BPF_MAP_DELETE_ELEM, &use, sizeof use);
    close(map);
  }
  for (int type = BPF_PROG_TYPE_SOCKET_FILTER; type <= BPF_PROG_TYPE_SK_LOOKUP; type++) close(length_program(type));
}

const struct part programs[] = {{"bpf", maps}, {0}};
