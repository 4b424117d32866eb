// SPDX-License-Identifier: GPL-3.0-or-later
// Pages that move: huge ones, those that userfaultfd(2) watches, and those that the processor's cache of translations
// knows.
#define _GNU_SOURCE
#include "calls.h"
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { huge = 2 << 20 };

/* Memory that is moved, cut and given back. */
static void moved(int flags) {
  const int both = PROT_READ | PROT_WRITE;
  char *from = mmap(0, 3 * huge, both, flags | MAP_ANONYMOUS, -1, 0);
  char *to = mmap(0, 4 * huge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (from == MAP_FAILED || to == MAP_FAILED) return;
  char *aligned = (char *)(((unsigned long)to + huge - 1) & -(unsigned long)huge);
  madvise(from, 3 * huge, MADV_HUGEPAGE);
  for (int at = 0; at < 3; at += 2) from[at * huge] = 1;
  int faults = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
  struct uffdio_api api = {.api = UFFD_API};
  struct uffdio_register watch = {.range = {(unsigned long)from, huge}, .mode = UFFDIO_REGISTER_MODE_WP};
  if (faults >= 0 && !ioctl(faults, UFFDIO_API, &api) && !ioctl(faults, UFFDIO_REGISTER, &watch)) {
    struct uffdio_writeprotect protect = {.range = watch.range, .mode = UFFDIO_WRITEPROTECT_MODE_WP};
    ioctl(faults, UFFDIO_WRITEPROTECT, &protect);
  }
  // What is watched is a mapping of its own, and one call moves no two.
  char *now = mremap(from, huge, huge, MREMAP_MAYMOVE | MREMAP_FIXED, aligned);
  mremap(from + huge, 2 * huge, 2 * huge, MREMAP_MAYMOVE | MREMAP_FIXED, aligned + huge);
  if (now == MAP_FAILED) now = from;
  close(faults);
  mprotect(now, huge, PROT_READ);
  madvise(now + 2 * huge, huge, MADV_DONTNEED);
  if (!(flags & MAP_HUGETLB)) munmap(now + huge + 4096, 4096);
  munmap(now, 3 * huge);
}

static void huge_pages(void) {
  moved(MAP_PRIVATE);
  moved(MAP_PRIVATE | MAP_HUGETLB);
  moved(MAP_SHARED | MAP_HUGETLB);
}

const struct part memory[] = {{"huge-pages", huge_pages}, {0}};
