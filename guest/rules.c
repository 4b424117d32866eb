// SPDX-License-Identifier: GPL-3.0-or-later
// Rules that are given to the kernel: audit's about directories, and virtual servers for each of IPVS's schedulers.
#include "calls.h"
#include <arpa/inet.h>
#include <linux/audit.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void tell(int kernel, int type, const void *payload, int size) {
  struct {
    struct nlmsghdr head;
    char data[sizeof(struct audit_rule_data) + 64];
  } message = {.head = {NLMSG_LENGTH(size), type, NLM_F_REQUEST | NLM_F_ACK, 1, 0}};
  char answer[1000];
  memcpy(message.data, payload, size);
  send(kernel, &message, message.head.nlmsg_len, 0);
  recv(kernel, answer, sizeof answer, MSG_DONTWAIT);
}

static void audit(void) {
  int kernel = socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);
  if (kernel < 0) return;
  for (int removed = 0; removed < 2; removed++) {
    char place[] = "/tmp/audited-XXXXXX";
    if (!mkdtemp(place)) return;
    const int length = strlen(place), size = sizeof(struct audit_rule_data) + length;
    struct audit_rule_data *rule = calloc(1, size);
    *rule = (struct audit_rule_data){.flags = AUDIT_FILTER_EXIT, .action = AUDIT_ALWAYS, .field_count = 1};
    rule->fields[0] = AUDIT_DIR, rule->values[0] = length, rule->fieldflags[0] = AUDIT_EQUAL, rule->buflen = length;
    memset(rule->mask, 0xff, sizeof rule->mask);
    memcpy(rule->buf, place, length);
    tell(kernel, AUDIT_ADD_RULE, rule, size);
    tell(kernel, AUDIT_LIST_RULES, "", 0);
    // One is taken away by its directory, the other by us.
    if (removed) tell(kernel, AUDIT_DEL_RULE, rule, size);
    rmdir(place);
    usleep(50000);
    tell(kernel, AUDIT_DEL_RULE, rule, size);
  }
}

static void virtual_servers(void) {
  const char *schedulers[] = {"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "sed", "nq"};
  int admin = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
  struct sockaddr_in at = {
      .sin_family = AF_INET, .sin_port = htons(7999), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int one = 1, server = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (admin < 0 || bind(server, (void *)&at, sizeof at) || listen(server, 8)) return;
  for (unsigned i = 0; i < sizeof schedulers / sizeof *schedulers; i++) {
    struct {
      struct ip_vs_service_user service;
      struct ip_vs_dest_user target;
    } both = {
        .service = {.protocol = IPPROTO_TCP, .addr = at.sin_addr.s_addr, .port = htons(7000 + i), .netmask = -1},
        .target = {.addr = at.sin_addr.s_addr, .port = at.sin_port, .conn_flags = IP_VS_CONN_F_MASQ, .weight = 1},
    };
    strcpy(both.service.sched_name, schedulers[i]);
    if (i % 2) both.service.flags = IP_VS_SVC_F_PERSISTENT, both.service.timeout = 10;
    if (setsockopt(admin, IPPROTO_IP, IP_VS_SO_SET_ADD, &both.service, sizeof both.service)) continue;
    setsockopt(admin, IPPROTO_IP, IP_VS_SO_SET_ADDDEST, &both, sizeof both);
    for (int times = 0; times < 2; times++) {
      struct sockaddr_in to = at;
      to.sin_port = both.service.port;
      int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
      connect(client, (void *)&to, sizeof to);
      usleep(20000);
      close(client);
    }
    setsockopt(admin, IPPROTO_IP, IP_VS_SO_SET_DEL, &both.service, sizeof both.service);
  }
}

const struct part rules[] = {{"audit", audit}, {"virtual-servers", virtual_servers}, {0}};
