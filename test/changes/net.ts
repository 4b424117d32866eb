// SPDX-License-Identifier: GPL-3.0-or-later
// Changes to net/, some of them together with a module.
import type { Change } from './change.ts'

export const network: readonly Change[] = [
  {
    name: 'qdisc-handles',
    exercises:
      "a static local that moves to a new function and stays the running kernel's; cond_resched as static call",
    allow: ['state-inherited'],
    edits: [
      {
        file: 'net/sched/sch_api.c',
        from:
          'static u32 qdisc_alloc_handle(struct net_device *dev)\n{\n\tint i = 0x8000;\n\tstatic u32 ' +
          'autohandle = TC_H_MAKE(0x80000000U, 0);\n\n\tdo {\n\t\tautohandle += TC_H_MAKE(0x10000U, ' +
          '0);\n\t\tif (autohandle == TC_H_MAKE(TC_H_ROOT, 0))\n\t\t\tautohandle = ' +
          'TC_H_MAKE(0x80000000U, 0);\n\t\tif (!qdisc_lookup(dev, autohandle))\n\t\t\treturn autohandle;\n',
        to: `static noinline u32 qdisc_next_handle(void)
{
	static u32 autohandle = TC_H_MAKE(0x80000000U, 0);

	autohandle += TC_H_MAKE(0x100000U, 0);
	if (autohandle >= TC_H_MAKE(TC_H_ROOT, 0))
		autohandle = TC_H_MAKE(0x80000000U, 0);
	return autohandle;
}

static u32 qdisc_alloc_handle(struct net_device *dev)
{
	int i = 0x8000;
	u32 handle;

	do {
		handle = qdisc_next_handle();
		if (!qdisc_lookup(dev, handle))
			return handle;
`,
      },
    ],
    replaces: [],
    sections: ['.static_call_sites'],
    run:
      'probe qdisc-add; now=$(tc qdisc show dev lo | sed -n "s/^qdisc pfifo ' +
      '\\(8[0-9a-f]*\\):.*/\\1/p"); probe qdisc-del; [ -e /tmp/handle ] && read -r last < /tmp/handle ' +
      '&& echo step $(( 0x$now - 0x$last )) || echo first; echo $now > /tmp/handle',
    before: '/^first$/',
    after: '/^step 16$/',
    reverted: '/^step 1$/',
  },
  {
    name: 'interface-alias',
    exercises: 'a unit with many WARN, ASSERT_RTNL and __LINE__ below the change: none of them counts as a change',
    edits: [
      {
        file: 'net/core/dev.c',
        from: '\t\tmemcpy(new_alias->ifalias, alias, len);\n\t\tnew_alias->ifalias[len] = 0;\n',
        to:
          '\t\tmemcpy(new_alias->ifalias, alias, len);\n\t\tnew_alias->ifalias[len] = 0;\n\t\t/* An ' +
          'alias\n\t\t * begins with a\n\t\t * capital letter.\n\t\t */\n\t\tnew_alias->ifalias[0] = ' +
          'toupper(new_alias->ifalias[0]);\n',
      },
    ],
    replaces: ['dev_set_alias'],
    replacesIn: { '7.2': ['netif_set_alias'] },
    run: 'echo loop > /sys/class/net/lo/ifalias; cat /sys/class/net/lo/ifalias; echo > /sys/class/net/lo/ifalias',
    before: '/^loop$/',
    after: '/^Loop$/',
  },
  {
    name: 'interface-table',
    exercises: 'a function that is merged into its caller and vanishes',
    edits: [
      {
        file: 'net/core/net-procfs.c',
        from: 'static void dev_seq_printf_stats(struct seq_file *seq, struct net_device *dev)\n{',
        to: 'static __always_inline void dev_seq_printf_stats(struct seq_file *seq, struct net_device *dev)\n{',
      },
      {
        file: 'net/core/net-procfs.c',
        from: 'seq_printf(seq, "%6s: %7llu',
        to: 'seq_printf(seq, "%-6s: %7llu',
      },
    ],
    replaces: ['dev_seq_show'],
    run: 'grep lo /proc/net/dev | cut -c 1-7',
    before: '/^    lo:$/',
    after: '/^lo    :$/',
  },
  {
    name: 'interface-metric',
    exercises: 'an ioctl; a section in which RCU is held',
    edits: [
      {
        file: 'net/core/dev_ioctl.c',
        from: '\t\tifr->ifr_metric = 0;\n\t\treturn 0;\n',
        to: '\t\tifr->ifr_metric = dev->ifindex + 41;\n\t\treturn 0;\n',
      },
    ],
    replaces: [],
    run: 'probe metric',
    before: '/^metric: 0$/',
    after: '/^metric: 42$/',
  },
  {
    name: 'echo-sizes',
    exercises: 'a handler of packets, called through a constant table in softirq context',
    edits: [
      {
        file: 'net/ipv4/icmp.c',
        from: [
          '\tif (icmp_param.data.icmph.type == ICMP_ECHO)\n\t\ticmp_param.data.icmph.type = ICMP_ECHOREPLY;',
          '\tif (icmp_param->data.icmph.type == ICMP_ECHO)\n\t\ticmp_param->data.icmph.type = ICMP_ECHOREPLY;',
        ],
        to: [
          '\tif (skb->len == 77)\n\t\treturn SKB_NOT_DROPPED_YET;\n\tif (icmp_param.data.icmph.type == ' +
            'ICMP_ECHO)\n\t\ticmp_param.data.icmph.type = ICMP_ECHOREPLY;',
          '\tif (skb->len == 77)\n\t\treturn SKB_NOT_DROPPED_YET;\n\tif (icmp_param->data.icmph.type == ' +
            'ICMP_ECHO)\n\t\ticmp_param->data.icmph.type = ICMP_ECHOREPLY;',
        ],
      },
    ],
    replaces: ['icmp_echo'],
    run: 'for size in 76 77; do ping -c 1 -W 1 -s $size 127.0.0.1 | grep -o ", [01] packets received"; done',
    before: '/^, 1 packets received\\n, 1 packets received$/',
    after: '/^, 1 packets received\\n, 0 packets received$/',
  },
  {
    name: 'tcp-port-dropped',
    exercises: 'one of the largest functions of the kernel, in softirq context: tcp_v4_rcv',
    edits: [
      {
        file: 'net/ipv4/tcp_ipv4.c',
        from: 'int tcp_v4_rcv(struct sk_buff *skb)\n{',
        to:
          'static bool tcp_port_is_closed(const struct tcphdr *th)\n{\n\tstatic const u16 closed[] = ' +
          '{ 7998, 7999 };\n\tint i;\n\n\tfor (i = 0; i < ARRAY_SIZE(closed); i++)\n\t\tif (th->dest == ' +
          'htons(closed[i]))\n\t\t\treturn true;\n\treturn false;\n}\n\nint tcp_v4_rcv(struct sk_buff *skb)\n{',
      },
      {
        file: 'net/ipv4/tcp_ipv4.c',
        from: '\t/* An explanation is required here, I think.\n\t * Packet length',
        to:
          '\tif (tcp_port_is_closed(th))\n\t\tgoto discard_it;\n\n\t/* An explanation is required ' +
          'here, I think.\n\t * Packet length',
      },
    ],
    replaces: ['tcp_v4_rcv'],
    run: 'probe tcp-connect 7999; probe tcp-connect 7997',
    before: '/^connect: Connection refused\\nconnect: Connection refused$/',
    after: '/^connect: no answer\\nconnect: Connection refused$/',
  },
  {
    name: 'unix-types',
    exercises: 'a switch that the compiler makes a table of strings (CSWTCH)',
    edits: [
      {
        file: 'net/unix/af_unix.c',
        from: 'static int unix_seq_show(struct seq_file *seq, void *v)\n{',
        to: `static const char *unix_type_name(int type)
{
	switch (type) {
	case SOCK_STREAM:
		return "a stream";
	case SOCK_DGRAM:
		return "datagrams";
	case SOCK_RAW:
		return "raw";
	case SOCK_RDM:
		return "reliable messages";
	case SOCK_SEQPACKET:
		return "packets in order";
	default:
		return "unknown";
	}
}

static int unix_seq_show(struct seq_file *seq, void *v)
{`,
      },
      {
        file: 'net/unix/af_unix.c',
        from: "\t\tunix_state_unlock(s);\n\t\tseq_putc(seq, '\\n');\n",
        to:
          '\t\tseq_printf(seq, " # %s", ' +
          "unix_type_name(s->sk_type));\n\t\tunix_state_unlock(s);\n\t\tseq_putc(seq, '\\n');\n",
      },
    ],
    replaces: ['unix_seq_show'],
    run: 'probe unix-table | grep -o "@probe-.*" | sort',
    before: '/^@probe-dgram\\n@probe-seqpacket$/',
    after: '/^@probe-dgram # datagrams\\n@probe-seqpacket # packets in order$/',
  },
  {
    name: 'unix-hidden',
    exercises: 'an .isra clone that stays; memory shared by readers under a spin lock',
    edits: [
      {
        file: 'net/unix/af_unix.c',
        from: '\t\tif (u->addr->len == len &&\n\t\t    !memcmp(u->addr->name, sunname, len))\n',
        to:
          '\t\tif (u->addr->len == len &&\n\t\t    memcmp(sunname->sun_path + 1, "probe-hidden", 12) ' +
          '&&\n\t\t    !memcmp(u->addr->name, sunname, len))\n',
      },
    ],
    replaces: [],
    run: 'probe unix-connect',
    before: '/^connect: 0$/',
    after: '/^connect: Connection refused$/',
  },
  {
    name: 'link-events',
    exercises: 'a function of a work item that is used by address; a new static counter and new strings',
    edits: [
      {
        file: 'net/core/link_watch.c',
        from: 'static void linkwatch_event(struct work_struct *dummy)\n{\n\trtnl_lock();\n',
        to:
          'static void linkwatch_event(struct work_struct *dummy)\n{\n\tstatic unsigned int ' +
          'runs;\n\n\tpr_info("link watch: run %u\\n", ++runs);\n\trtnl_lock();\n',
      },
    ],
    replaces: ['linkwatch_event'],
    run:
      'dmesg -c > /dev/null; ip link add probe0 type veth; ip link set veth0 up 2>/dev/null; ip link ' +
      'set probe0 up; sleep 1.2; ip link del probe0; dmesg | grep -o "link watch: run 1$" || echo silent',
    before: 'silent',
    after: 'link watch: run 1',
    modules: ['veth'],
  },
  {
    name: 'driver-and-kernel',
    exercises: 'vmlinux and a module in one live patch, the module loaded before it and after it',
    edits: [
      {
        file: 'net/ethernet/eth.c',
        from: '"%*phC\\n", len, addr',
        to: '"%*phD\\n", len, addr',
      },
      {
        file: 'drivers/net/veth.c',
        from: '\tstrscpy(info->driver, DRV_NAME, sizeof(info->driver));\n',
        to:
          '\tsnprintf(info->driver, sizeof(info->driver), "%s to %s", DRV_NAME,\n\t\t ' +
          'rcu_access_pointer(((struct veth_priv *)netdev_priv(dev))->peer) ? "peer" : "none");\n',
      },
    ],
    replaces: ['sysfs_format_mac', 'veth_get_drvinfo'],
    run:
      'ip link add probe0 address 02:00:00:00:00:01 type veth; cat /sys/class/net/probe0/address; ' +
      'probe driver probe0; ip link del probe0',
    before: '/^02:00:00:00:00:01\\ndriver: veth$/',
    after: '/^02-00-00-00-00-01\\ndriver: veth to peer$/',
  },
]
