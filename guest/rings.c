// SPDX-License-Identifier: GPL-3.0-or-later
// io_uring(7): a ring that we ring ourselves, and one whose submissions a thread of the kernel takes.
#include "calls.h"
#include <fcntl.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static void drive(unsigned flags) {
  struct io_uring_params asked = {.flags = flags, .sq_thread_idle = 20};
  int ring = syscall(SYS_io_uring_setup, 8, &asked);
  if (ring < 0) return;
  const int both = PROT_READ | PROT_WRITE;
  char *queue = mmap(0, asked.sq_off.array + 8 * sizeof(unsigned), both, MAP_SHARED, ring, IORING_OFF_SQ_RING);
  struct io_uring_sqe *entries = mmap(0, 8 * sizeof *entries, both, MAP_SHARED, ring, IORING_OFF_SQES);
  if (queue == MAP_FAILED || entries == MAP_FAILED) return;
  char *pages = mmap(0, 16384, both, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct iovec buffer = {pages, 16384};
  int file = open("ring", O_RDWR | O_CREAT | O_TRUNC, 0600), files[] = {file};
  syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &buffer, 1);
  syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, files, 1);
  if (flags & IORING_SETUP_R_DISABLED) syscall(SYS_io_uring_register, ring, IORING_REGISTER_ENABLE_RINGS, 0, 0);
  const unsigned char codes[] = {IORING_OP_NOP,  IORING_OP_WRITE_FIXED, IORING_OP_FSYNC, IORING_OP_READ_FIXED,
                                 IORING_OP_READ, IORING_OP_WRITE,       IORING_OP_FALLOCATE};
  unsigned *tail = (void *)(queue + asked.sq_off.tail), *array = (void *)(queue + asked.sq_off.array);
  for (int round = 0; round < 3; round++)
    for (unsigned i = 0; i < sizeof codes; i++) {
      unsigned at = *tail & 7;
      memset(&entries[at], 0, sizeof *entries);
      entries[at].opcode = codes[i];
      entries[at].fd = codes[i] == IORING_OP_NOP ? -1 : file;
      entries[at].addr = codes[i] == IORING_OP_FALLOCATE ? 4096 : (unsigned long)pages;
      entries[at].len = codes[i] == IORING_OP_FSYNC ? 0 : 4096;
      array[at] = at;
      __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
      if (flags & IORING_SETUP_SQPOLL) {
        // Every other time the thread has gone to sleep.
        if (i % 2) usleep(40000);
        syscall(SYS_io_uring_enter, ring, 0, 0, IORING_ENTER_SQ_WAKEUP, 0, 0);
        usleep(2000);
      } else
        syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, 0, 0);
    }
  unlink("ring");
  close(ring);
}

static void io_uring(void) {
  drive(0);
  drive(IORING_SETUP_SQPOLL | IORING_SETUP_R_DISABLED);
}

const struct part rings[] = {{"io_uring", io_uring}, {0}};
