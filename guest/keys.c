// SPDX-License-Identifier: GPL-3.0-or-later
// keyctl(2): keys of each type, rings of them, and what restricts those.
#include "calls.h"
#include <linux/keyctl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long key(int command, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
  return syscall(SYS_keyctl, command, a, b, c, d);
}

static void each_type(void) {
  key(KEYCTL_JOIN_SESSION_KEYRING, (unsigned long)"calls", 0, 0, 0);
  const char *types[] = {"user", "logon", "big_key", "keyring"};
  char text[200];
  long ring = syscall(SYS_add_key, "keyring", "ring", 0, 0, KEY_SPEC_SESSION_KEYRING);
  for (int i = 0; i < 4; i++) {
    const int payload = strcmp(types[i], "keyring") ? 10 : 0;
    long made =
        syscall(SYS_add_key, types[i], "calls:one", payload ? "0123456789" : 0, payload, KEY_SPEC_SESSION_KEYRING);
    if (made < 0) continue;
    key(KEYCTL_DESCRIBE, made, (unsigned long)text, sizeof text, 0);
    key(KEYCTL_READ, made, (unsigned long)text, sizeof text, 0);
    if (payload) key(KEYCTL_UPDATE, made, (unsigned long)"other", 5, 0);
    key(KEYCTL_GET_SECURITY, made, (unsigned long)text, sizeof text, 0);
    key(KEYCTL_SETPERM, made, 0x3f3f0000, 0, 0);
    key(KEYCTL_LINK, made, ring, 0, 0);
    key(KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, (unsigned long)types[i], (unsigned long)"calls:one", 0);
    syscall(SYS_request_key, types[i], "calls:one", "info", KEY_SPEC_SESSION_KEYRING);
    key(KEYCTL_UNLINK, made, ring, 0, 0);
    key(KEYCTL_SET_TIMEOUT, made, 1, 0, 0);
    key(i % 2 ? KEYCTL_REVOKE : KEYCTL_INVALIDATE, made, 0, 0, 0);
    key(KEYCTL_READ, made, (unsigned long)text, sizeof text, 0);
  }
  key(KEYCTL_RESTRICT_KEYRING, ring, (unsigned long)"asymmetric", (unsigned long)"builtin_trusted", 0);
  syscall(SYS_add_key, "user", "calls:two", "x", 1, ring);
  syscall(SYS_request_key, "user", "calls:none", "info", KEY_SPEC_SESSION_KEYRING);
  key(KEYCTL_CLEAR, KEY_SPEC_SESSION_KEYRING, 0, 0, 0);
}

const struct part keys[] = {{"keys", each_type}, {0}};
