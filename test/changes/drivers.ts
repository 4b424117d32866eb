// SPDX-License-Identifier: GPL-3.0-or-later
// Changes to drivers/ and crypto/.
import type { Change } from './change.ts'

export const drivers: readonly Change[] = [
  {
    name: 'full-device',
    exercises: "pr_debug: an entry of dynamic debug with a static key of the live patch's own; file operations",
    edits: [
      {
        file: 'drivers/char/mem.c',
        from: '\treturn -ENOSPC;\n}',
        to: '\tpr_debug("%zu bytes for the full device\\n", count);\n\treturn -EDQUOT;\n}',
      },
    ],
    replaces: ['write_full'],
    sections: ['__dyndbg', '__jump_table'],
    run:
      'd=/sys/kernel/debug/dynamic_debug/control; dmesg -c > /dev/null; for on in - + -; do echo ' +
      '"func *write_full $on"p > $d; (echo x > /dev/full) 2>&1 | grep -o "[DN][a-z]* .*$"; done; dmesg ' +
      '| grep -c "2 bytes for the full device"',
    before: '/^No space left on device\\nNo space left on device\\nNo space left on device\\n0$/',
    after: '/^Disk quota exceeded\\nDisk quota exceeded\\nDisk quota exceeded\\n1$/',
  },
  {
    name: 'uuid-capitals',
    exercises: 'the user of a static local (a spin lock): the lock and the boot identity stay as they are',
    edits: [
      {
        file: 'drivers/char/random.c',
        from: 'snprintf(uuid_string, sizeof(uuid_string), "%pU", uuid);',
        to: 'snprintf(uuid_string, sizeof(uuid_string), "%pUB", uuid);',
      },
    ],
    replaces: ['proc_do_uuid'],
    run:
      'cd /proc/sys/kernel/random; [ -e /tmp/boot_id ] || cat boot_id > /tmp/boot_id; grep -qix ' +
      '"$(cat /tmp/boot_id)" boot_id && echo same boot; cat boot_id uuid uuid | grep -c "[A-F]"',
    before: '/^same boot\\n0$/',
    after: '/^same boot\\n3$/',
  },
  {
    name: 'entropy-count',
    exercises: 'a function that has a .cold part on 6.1; an ioctl of a device; put_user and get_user',
    edits: [
      {
        file: 'drivers/char/random.c',
        from: '\t\tif (put_user(input_pool.init_bits, p))\n',
        to: '\t\tif (put_user(input_pool.init_bits + 1000, p))\n',
      },
    ],
    replaces: ['random_ioctl'],
    run: 'probe entropy',
    before: '/^fault: Bad address\\nentropy: \\d{1,3}$/',
    after: '/^fault: Bad address\\nentropy: 1\\d{3}$/',
  },
  {
    name: 'tun-flags',
    exercises: 'a module with file operations of its own, loaded before the live patch and after it',
    edits: [
      {
        file: 'drivers/net/tun.c',
        from: '\tseq_printf(m, "iff:\\t%s\\n", ifr.ifr_name);\n',
        to:
          '\tseq_printf(m, "iff:\\t%s\\n", ifr.ifr_name);\n\tif (tun)\n\t\tseq_printf(m, ' +
          '"kind:\\t%s\\n", ifr.ifr_flags & IFF_TUN ? "tun" : "tap");\n',
      },
    ],
    replaces: ['tun_chr_show_fdinfo'],
    run: '[ -c /dev/net/tun ] || { mkdir -p /dev/net; mknod /dev/net/tun c 10 200; }; probe tun | tail -n 1',
    before: '/^iff:\\tprobe0$/',
    after: '/^kind:\\ttun$/',
  },
  {
    name: 'crypto-reads',
    exercises: 'a new per-CPU variable; an indirect call',
    edits: [
      {
        file: 'crypto/proc.c',
        from: 'static int c_show(struct seq_file *m, void *p)\n{',
        to: 'static DEFINE_PER_CPU(unsigned int, crypto_reads);\n\nstatic int c_show(struct seq_file *m, void *p)\n{',
      },
      {
        file: 'crypto/proc.c',
        from: '\tseq_printf(m, "priority     : %d\\n", alg->cra_priority);\n',
        to:
          '\tseq_printf(m, "priority     : %d\\n", alg->cra_priority);\n\tseq_printf(m, "shown        ' +
          ': %u\\n", this_cpu_inc_return(crypto_reads));\n',
      },
    ],
    replaces: ['c_show'],
    sections: ['.data..percpu', '.retpoline_sites'],
    run: 'grep -E "^(name|shown) " /proc/crypto | head -n 4 | cut -c 1-16',
    before: '/^name         : .\\nname         : ./',
    after: '/^name         : .\\nshown        : 1\\nname         : .\\nshown        : 2$/',
  },
]
