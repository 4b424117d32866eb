// SPDX-License-Identifier: GPL-3.0-or-later
// The worked examples of the guide for patch authors, and patches written the way of kpatch: what is to be seen of
// each, before and after.

export interface Seen {
  readonly patch: string
  /** The live patch that it takes over from. */
  readonly over?: string
  readonly run: string
  readonly before: string
  readonly after: string
  /** If not the same as before. */
  readonly reverted?: string
  /** What the manifest says of callbacks: `kind function object`. */
  readonly callbacks: readonly string[]
  /** Names of the functions that are replaced; when it is left out, any. */
  readonly functions?: readonly string[]
  /** Rules of the findings. */
  readonly findings?: readonly string[]
}

const fifos = 'cat /proc/sys/fs/protected_fifos'
export const seen: readonly Seen[] = [
  {
    patch: 'examples/authoring/callback.patch',
    run: fifos,
    before: '/^0$/m',
    after: '/^1$/m',
    callbacks: ['post_unpatch unprotect_fifos vmlinux', 'pre_patch protect_fifos vmlinux'],
    functions: [],
  },
  {
    patch: 'examples/authoring/state-2.patch',
    over: 'examples/authoring/state-1.patch',
    run: fifos,
    before: '/^1$/m',
    after: '/^2$/m',
    // What was there before the first of the two, not what the first one had made of it.
    reverted: '/^0$/m',
    callbacks: ['post_unpatch unprotect_fifos vmlinux', 'pre_patch protect_fifos vmlinux'],
    functions: [],
  },
  {
    patch: 'examples/authoring/module.patch',
    run:
      'modprobe dummy; cat /sys/class/net/dummy0/mtu; ip link add d1 type dummy; cat ' +
      '/sys/class/net/d1/mtu; ip link del d1',
    before: '/^1500\n1500$/m',
    after: '/^9000\n9000$/m',
    callbacks: ['post_patch enlarge_all dummy', 'pre_unpatch shrink_all dummy'],
    functions: ['dummy_setup'],
    findings: ['reaches-only-new'],
  },
  {
    patch: 'examples/authoring/shadow.patch',
    run:
      'exec 3</bin/busybox; for i in 1 2 3; do dd bs=1 skip=1 count=1 <&3 >/dev/null 2>&1; done; ' +
      'grep seeks /proc/$$/fdinfo/3 || echo not counted',
    before: 'not counted',
    after: '/^seeks:\t3$/m',
    callbacks: ['post_unpatch forget_seeks vmlinux'],
  },
  {
    patch: 'examples/authoring/ignore.patch',
    run: 'cat /proc/version',
    before: '/^Linux version .*\n$/',
    after: '/^Linux version .*\nLive patched by Inarch\n$/',
    callbacks: [],
    functions: ['version_proc_show'],
    findings: ['ignored'],
  },
  {
    patch: 'examples/authoring/include.patch',
    run: 'sleep 1000 & sleep 1; cut -d" " -f3 /proc/$!/stat; grep State /proc/$!/status; kill $!',
    before: '/^S\nState:\tS \\(sleeping\\)$/m',
    after: '/^S\nState:\tS \\(asleep\\)$/m',
    callbacks: [],
    functions: ['children_seq_show', 'do_task_stat', 'proc_pid_status'],
  },
  {
    patch: 'test/e2e/kpatch/fifos.patch',
    run: fifos,
    before: '/^0$/m',
    after: '/^1$/m',
    callbacks: ['post_unpatch kpatch_post_unpatch_fifos vmlinux', 'pre_patch kpatch_pre_patch_fifos vmlinux'],
    functions: [],
  },
  {
    patch: 'test/e2e/kpatch/sethostname.patch',
    run: 'hostname localhost && echo taken || echo refused; hostname box; hostname',
    before: '/^taken\nbox$/m',
    after: '/^refused\nbox$/m',
    callbacks: [],
    functions: ['__ia32_sys_sethostname', '__x64_sys_sethostname'],
  },
  {
    patch: 'test/e2e/kpatch/version.patch',
    run: 'dmesg -c >/dev/null; cat /proc/version; dmesg | grep -c "kpatch: version was read"',
    before: '/^Linux version .*\n0$/m',
    after: '/^Linux version .*\nstolen \\d+\n1$/m',
    callbacks: [],
    functions: ['version_proc_show'],
    findings: ['force-unsafe', 'ignored'],
  },
]
