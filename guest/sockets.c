// SPDX-License-Identifier: GPL-3.0-or-later
// Sockets that carry more than bytes: TLS and messages in the kernel, programs in the way, IPv6's flow labels and
// routing headers, and the kernel's cryptography.
#include "calls.h"
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/if_alg.h>
#include <linux/in6.h>
#include <linux/kcm.h>
#include <linux/tls.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOL_TCP 6
#define TCP_ULP 31
#define IPV6_FLOWLABEL_MGR 32
#define IPV6_FLOWINFO_SEND 33

static void tls(void) {
  const int versions[] = {TLS_1_2_VERSION, TLS_1_3_VERSION};
  for (int i = 0; i < 2; i++) {
    int ends[2];
    char text[6000] = "hello", back[8000];
    struct tls12_crypto_info_aes_gcm_128 secret = {
        .info = {versions[i], TLS_CIPHER_AES_GCM_128}, .key = "0123456789abcde", .salt = "abc"};
    if (connected(ends)) return;
    for (int side = 0; side < 2; side++) {
      if (setsockopt(ends[side], SOL_TCP, TCP_ULP, "tls", 4)) return;
      setsockopt(ends[side], SOL_TLS, side ? TLS_RX : TLS_TX, &secret, sizeof secret);
    }
    for (int round = 0; round < 4; round++) {
      send(ends[0], text, round ? sizeof text : 5, round == 2 ? MSG_MORE : 0);
      send(ends[0], text, 10, 0);
      recv(ends[1], back, round ? 3000 : sizeof back, 0);
      recv(ends[1], back, sizeof back, MSG_DONTWAIT);
    }
    shutdown(ends[0], SHUT_WR);
    while (recv(ends[1], back, sizeof back, MSG_DONTWAIT) > 0) continue;
    close(ends[0]);
    close(ends[1]);
  }
}

static void kcm(void) {
  int ends[2], program = length_program(BPF_PROG_TYPE_SOCKET_FILTER);
  int messages = socket(AF_KCM, SOCK_DGRAM, KCMPROTO_CONNECTED);
  if (program < 0 || messages < 0 || connected(ends)) return;
  struct kcm_attach attach = {.fd = ends[0], .bpf_fd = program};
  if (ioctl(messages, SIOCKCMATTACH, &attach)) return;
  char text[40000] = "message", back[1000];
  for (int round = 0; round < 4; round++) {
    send(messages, text, round % 2 ? sizeof text : 100, round == 2 ? MSG_MORE : 0);
    send(ends[1], text, 100, 0);
    usleep(10000);
    while (recv(ends[1], text, sizeof text, MSG_DONTWAIT) > 0) continue;
    recv(messages, back, sizeof back, MSG_DONTWAIT);
  }
  struct kcm_clone clone = {0};
  if (!ioctl(messages, SIOCKCMCLONE, &clone)) close(clone.fd);
  struct kcm_unattach unattach = {.fd = ends[0]};
  ioctl(messages, SIOCKCMUNATTACH, &unattach);
}

static void socket_maps(void) {
  for (int kind = 0; kind < 2; kind++) {
    int ends[2], key = 0;
    char text[100] = "x";
    union bpf_attr make = {
        .map_type = kind ? BPF_MAP_TYPE_SOCKHASH : BPF_MAP_TYPE_SOCKMAP,
        .key_size = 4,
        .value_size = 4,
        .max_entries = 2};
    int map = bpf_call(BPF_MAP_CREATE, &make, sizeof make);
    int program = length_program(BPF_PROG_TYPE_SK_SKB);
    if (map < 0 || program < 0 || connected(ends)) return;
    union bpf_attr attach = {.target_fd = map, .attach_bpf_fd = program, .attach_type = BPF_SK_SKB_VERDICT};
    bpf_call(BPF_PROG_ATTACH, &attach, sizeof attach);
    union bpf_attr put = {.map_fd = map, .key = (unsigned long)&key, .value = (unsigned long)&ends[1]};
    bpf_call(BPF_MAP_UPDATE_ELEM, &put, sizeof put);
    for (int round = 0; round < 3; round++) {
      send(ends[0], text, sizeof text, 0);
      usleep(10000);
      recv(ends[1], text, sizeof text, MSG_DONTWAIT);
    }
    bpf_call(BPF_MAP_DELETE_ELEM, &put, sizeof put);
  }
}

static void flow_labels(void) {
  int sender = socket(AF_INET6, SOCK_DGRAM, 0), one = 1;
  struct in6_flowlabel_req label = {.flr_dst = {.s6_addr = {[15] = 1}}, .flr_label = htonl(0x12345), .flr_linger = 6};
  struct sockaddr_in6 to = {
      .sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_flowinfo = htonl(0x12345), .sin6_addr.s6_addr = {[15] = 1}};
  setsockopt(sender, IPPROTO_IPV6, IPV6_FLOWINFO_SEND, &one, sizeof one);
  const int actions[] = {IPV6_FL_A_GET, IPV6_FL_A_RENEW, IPV6_FL_A_PUT};
  const int shares[] = {IPV6_FL_S_EXCL, IPV6_FL_S_PROCESS, IPV6_FL_S_USER, IPV6_FL_S_ANY};
  for (int share = 0; share < 4; share++)
    for (int action = 0; action < 3; action++) {
      label.flr_action = actions[action];
      label.flr_share = shares[share];
      label.flr_flags = action ? 0 : IPV6_FL_F_CREATE;
      setsockopt(sender, IPPROTO_IPV6, IPV6_FLOWLABEL_MGR, &label, sizeof label);
      sendto(sender, "x", 1, 0, (void *)&to, sizeof to);
    }
}

static void routing_headers(void) {
  int sender = socket(AF_INET6, SOCK_RAW, IPPROTO_RAW);
  const struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr.s6_addr = {[15] = 1}};
  for (int left = 0; left < 2; left++)
    for (int type = 0; type < 5; type++) {
      // The header of IPv6, a routing header with one address (RFC 8200, 4.4), and nothing more.
      unsigned char packet[40 + 24] = {0x60, [5] = 24, [6] = 43, [7] = 64, [23] = 1, [39] = 1, [40] = 59, [41] = 2};
      packet[42] = type;
      packet[43] = left;
      packet[63] = 1;
      sendto(sender, packet, sizeof packet, 0, (const void *)&to, sizeof to);
    }
}

static void cipher(const char *type, const char *name, int key, int vector, int tag) {
  struct sockaddr_alg at = {.salg_family = AF_ALG};
  strcpy((char *)at.salg_type, type);
  strcpy((char *)at.salg_name, name);
  int owner = socket(AF_ALG, SOCK_SEQPACKET, 0);
  if (owner < 0 || bind(owner, (void *)&at, sizeof at)) return;
  if (key) setsockopt(owner, SOL_ALG, ALG_SET_KEY, "0123456789abcdef0123456789abcdef", key);
  if (tag) setsockopt(owner, SOL_ALG, ALG_SET_AEAD_AUTHSIZE, 0, tag);
  int worker = accept(owner, 0, 0);
  char text[128] = "text", back[256], control[CMSG_SPACE(4) + CMSG_SPACE(4 + 16)] = {0};
  struct iovec part = {text, sizeof text};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (key) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(4) + (vector ? CMSG_SPACE(4 + vector) : 0);
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_ALG, head->cmsg_type = ALG_SET_OP, head->cmsg_len = CMSG_LEN(4);
    *(unsigned *)CMSG_DATA(head) = ALG_OP_ENCRYPT;
    if (vector && (head = CMSG_NXTHDR(&message, head))) {
      head->cmsg_level = SOL_ALG, head->cmsg_type = ALG_SET_IV, head->cmsg_len = CMSG_LEN(4 + vector);
      *(unsigned *)CMSG_DATA(head) = vector;
    }
  }
  sendmsg(worker, &message, 0);
  recv(worker, back, key ? sizeof text + tag : 64, 0);
}

static void cryptography(void) {
  cipher("hash", "sha256", 0, 0, 0);
  cipher("skcipher", "cbc(aes)", 16, 16, 0);
  cipher("skcipher", "ctr(aes)", 32, 16, 0);
  cipher("skcipher", "ecb(aes)", 16, 0, 0);
  cipher("aead", "gcm(aes)", 16, 12, 16);
  cipher("rng", "stdrng", 0, 0, 0);
}

const struct part sockets[] = {
    {"tls", tls},
    {"kcm", kcm},
    {"socket-maps", socket_maps},
    {"flow-labels", flow_labels},
    {"routing-headers", routing_headers},
    {"cryptography", cryptography},
    {0},
};
