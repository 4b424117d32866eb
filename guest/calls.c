// SPDX-License-Identifier: GPL-3.0-or-later
// Drives what neither a shell nor stress-ng reaches: `calls PART…`. Each part runs in a process of its own, so that one
// that a kernel refuses, or that hangs, takes no other with it. Nothing is judged: what a kernel does not have is left
// out.
#include "calls.h"
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int connected(int ends[2]) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (void *)&at, sizeof at) || listen(listener, 1) || getsockname(listener, (void *)&at, &size))
    return -1;
  ends[0] = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(ends[0], (void *)&at, sizeof at)) return -1;
  ends[1] = accept(listener, 0, 0);
  close(listener);
  return ends[1] < 0 ? -1 : 0;
}

static void run(const struct part *part) {
  pid_t child = fork();
  if (child == 0) {
    alarm(4);
    part->run();
    _exit(0);
  }
  if (child > 0) waitpid(child, 0, 0);
}

int main(int count, char **words) {
  const struct part *all[] = {rings, sockets, programs, keys, memory, rules};
  for (int word = 1; word < count; word++)
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
      for (const struct part *part = all[i]; part->name; part++)
        if (!strcmp(part->name, words[word])) run(part);
  return 0;
}
