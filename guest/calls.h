/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of `calls` share: each drives one subsystem by its system calls, as far as this kernel has it. */
#ifndef CALLS_H
#define CALLS_H
#include <stddef.h>

struct part {
  const char *name;
  void (*run)(void);
};

/* Each ends with an entry without a name. */
extern const struct part rings[], sockets[], programs[], keys[], memory[], rules[];

/* A TCP connection over the loopback device. */
int connected(int ends[2]);
/* The system call bpf(2). */
int bpf_call(int command, void *attributes, size_t size);
/* A loaded socket program of these instructions, that returns the length of what it is shown. */
int length_program(int type);
#endif
