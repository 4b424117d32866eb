// SPDX-License-Identifier: GPL-3.0-or-later
// Changes to kernel/, ipc/, mm/, lib/, security/ and arch/.
import type { Change } from './change.ts'

export const core: readonly Change[] = [
  {
    name: 'uname-version',
    exercises: 'a SYSCALL_DEFINE; a copy to user memory',
    edits: [
      {
        file: 'kernel/sys.c',
        from:
          'SYSCALL_DEFINE1(newuname, struct new_utsname __user *, name)\n{\n\tstruct new_utsname ' +
          'tmp;\n\n\tdown_read(&uts_sem);\n\tmemcpy(&tmp, utsname(), sizeof(tmp));\n',
        to:
          'SYSCALL_DEFINE1(newuname, struct new_utsname __user *, name)\n{\n\tstruct new_utsname ' +
          "tmp;\n\n\tdown_read(&uts_sem);\n\tmemcpy(&tmp, utsname(), sizeof(tmp));\n\ttmp.version[0] = '@';\n",
      },
    ],
    replaces: ['__x64_sys_newuname'],
    run: 'uname -v | cut -c 1',
    before: '/^#$/',
    after: '/^@$/',
  },
  {
    name: 'hostname-warns',
    exercises: 'a new WARN_ON_ONCE: an entry in the bug table with file and line, and its flag, so that it warns once',
    edits: [
      {
        file: 'kernel/sys.c',
        from:
          '\t\tadd_device_randomness(tmp, len);\n\t\tdown_write(&uts_sem);\n\t\tu = ' +
          'utsname();\n\t\tmemcpy(u->nodename, tmp, len);',
        to:
          '\t\tWARN_ON_ONCE(len > 20);\n\t\tadd_device_randomness(tmp, ' +
          'len);\n\t\tdown_write(&uts_sem);\n\t\tu = utsname();\n\t\tmemcpy(u->nodename, tmp, len);',
      },
    ],
    replaces: ['__x64_sys_sethostname'],
    sections: ['__bug_table'],
    run:
      'dmesg -c > /dev/null; hostname a-name-of-more-than-twenty; hostname ' +
      'another-of-more-than-twenty; hostname guest; dmesg | grep -c "WARNING:.*kernel/sys.c:.*sethostname"',
    before: '/^0$/',
    after: '/^1$/',
    expected: /WARNING: .*sethostname/,
  },
  {
    name: 'hostname-told',
    exercises:
      'a new WARN with a text: since 7.2 an entry of the bug table whose address the code hands to a static call',
    edits: [
      {
        file: 'kernel/sys.c',
        from: '\t\tu = utsname();\n\t\tmemcpy(u->nodename, tmp, len);',
        to:
          '\t\tWARN(len == 19, "host of %d: %.*s %d %d %d %d\\n", len, len, tmp, 4, 5, 6, 7);\n' +
          '\t\tu = utsname();\n\t\tmemcpy(u->nodename, tmp, len);',
      },
    ],
    replaces: ['__x64_sys_sethostname'],
    sections: ['__bug_table'],
    run:
      'dmesg -c > /dev/null; hostname nineteen-letters-it; hostname guest; dmesg | ' +
      'grep -c "^\\[[^]]*\\] host of 19: nineteen-letters-it 4 5 6 7$"; dmesg | grep -c "WARNING:.*kernel/sys.c:"',
    before: '/^0\\n0$/',
    after: '/^1\\n1$/',
    expected: /WARNING: .*sethostname/,
  },
  {
    name: 'hostname-klp',
    exercises: 'what klp-build offers to authors: KLP_SYSCALL_DEFINE and a KLP_PRE_PATCH_CALLBACK',
    edits: [
      {
        file: 'kernel/sys.c',
        from: '#include <linux/export.h>\n',
        to: '#include <linux/export.h>\n#include <linux/livepatch_helpers.h>\n',
      },
      {
        file: 'kernel/sys.c',
        from: '\nSYSCALL_DEFINE2(sethostname,',
        to:
          '\nstatic int livepatch_began;\n' +
          'static int livepatch_begins(struct klp_object *obj) { livepatch_began = 7; return 0; }\n' +
          'KLP_PRE_PATCH_CALLBACK(livepatch_begins);\n\nKLP_SYSCALL_DEFINE2(sethostname,',
      },
      {
        file: 'kernel/sys.c',
        from: '\t\tu = utsname();\n\t\tmemcpy(u->nodename, tmp, len);',
        to:
          "\t\tif (len == 5)\n\t\t\ttmp[0] = '0' + livepatch_began;\n" +
          '\t\tu = utsname();\n\t\tmemcpy(u->nodename, tmp, len);',
      },
    ],
    replaces: ['__x64_sys_sethostname'],
    run: 'hostname short; hostname; hostname guest-again',
    before: 'short',
    after: '7hort',
    since: '7.2',
  },
  {
    name: 'auxv-prctl',
    exercises: 'a new function and a new case in one of the largest system calls',
    backports: 'PR_GET_AUXV of Linux 6.4',
    edits: [
      {
        file: 'kernel/sys.c',
        from: 'SYSCALL_DEFINE5(prctl, int, option,',
        to: `#define PR_GET_AUXV			0x41555856

static inline int prctl_get_auxv(void __user *addr, unsigned long len)
{
	struct mm_struct *mm = current->mm;
	unsigned long size = min_t(unsigned long, sizeof(mm->saved_auxv), len);

	if (size && copy_to_user(addr, mm->saved_auxv, size))
		return -EFAULT;
	return sizeof(mm->saved_auxv);
}

SYSCALL_DEFINE5(prctl, int, option,`,
      },
      {
        file: 'kernel/sys.c',
        from: '\tcase PR_SET_VMA:\n\t\terror = prctl_set_vma(arg2, arg3, arg4, arg5);\n\t\tbreak;\n',
        to:
          '\tcase PR_GET_AUXV:\n\t\tif (arg4 || arg5)\n\t\t\treturn -EINVAL;\n\t\terror = ' +
          'prctl_get_auxv((void __user *)arg2, arg3);\n\t\tbreak;\n\tcase PR_SET_VMA:\n\t\terror = ' +
          'prctl_set_vma(arg2, arg3, arg4, arg5);\n\t\tbreak;\n',
      },
    ],
    replaces: ['__x64_sys_prctl'],
    run: 'probe auxv',
    before: 'auxv: Invalid argument',
    after: 'auxv: 1',
    series: ['6.1'],
  },
  {
    name: 'schedstats-off',
    exercises: 'a static key of the kernel, switched while the live patch is there; a file that others include',
    edits: [
      {
        file: 'kernel/sched/debug.c',
        from: '\t__P(nr_switches);\n\t__PS("nr_voluntary_switches", p->nvcsw);',
        to:
          '\tif (!schedstat_enabled())\n\t\tSEQ_printf(m, "(no statistics are ' +
          'kept)\\n");\n\t__P(nr_switches);\n\t__PS("nr_voluntary_switches", p->nvcsw);',
      },
    ],
    replaces: ['proc_sched_show_task'],
    sections: ['__jump_table'],
    run:
      'for on in 0 1 0; do echo $on > /proc/sys/kernel/sched_schedstats; grep -cwE "no ' +
      'statistics|wait_sum" /proc/self/sched; grep -owE "no statistics|wait_sum" /proc/self/sched; done',
    before: '/^0\\n1\\nwait_sum\\n0$/',
    after: '/^1\\nno statistics\\n1\\nwait_sum\\n1\\nno statistics$/',
  },
  {
    name: 'rr-slice',
    exercises: 'a function in a table of function pointers (a scheduling class), in a file that another includes',
    edits: [
      {
        file: 'kernel/sched/rt.c',
        from: '\tif (task->policy == SCHED_RR)\n\t\treturn sched_rr_timeslice;\n',
        to: '\tif (task->policy == SCHED_RR)\n\t\treturn 2 * sched_rr_timeslice;\n',
      },
    ],
    replaces: ['get_rr_interval_rt'],
    run: 'probe round-robin',
    before: 'slice in ms: 100',
    after: 'slice in ms: 200',
  },
  {
    name: 'timer-signal',
    exercises: 'a function whose address other units keep (a timer); a tracepoint',
    edits: [
      {
        file: 'kernel/time/itimer.c',
        from: '\tkill_pid_info(SIGALRM, SEND_SIG_PRIV, leader_pid);\n',
        to: '\tkill_pid_info(SIGUSR1, SEND_SIG_PRIV, leader_pid);\n',
      },
    ],
    replaces: ['it_real_fn'],
    sections: ['__jump_table'],
    run: 'probe timer',
    before: 'signal: SIGALRM',
    after: 'signal: SIGUSR1',
  },
  {
    name: 'seccomp-names',
    exercises: 'a .constprop clone that stays',
    edits: [
      {
        file: 'kernel/seccomp.c',
        from: '\t\tif (!(actions_logged & cur->log))\n\t\t\tcontinue;\n',
        to: '\t\tif (!(actions_logged & cur->log) || cur->log == SECCOMP_LOG_TRACE)\n\t\t\tcontinue;\n',
      },
    ],
    replaces: [],
    run: 'cat /proc/sys/kernel/seccomp/actions_logged',
    before: ' trace log',
    after: '/^kill_process [^]*user_notif log$/',
  },
  {
    name: 'semaphore-info',
    exercises: 'a .constprop clone that vanishes, as the function now uses all of its arguments',
    edits: [
      {
        file: 'ipc/sem.c',
        from: '\t\tseminfo.semusz = SEMUSZ;\n',
        to: '\t\tseminfo.semusz = SEMUSZ + semid;\n',
      },
    ],
    replaces: [],
    run: 'probe semaphores',
    before: 'semusz: 20',
    after: 'semusz: 27',
  },
  {
    name: 'semaphore-limit',
    exercises: 'an inline function of a header: the units that include it are found, and the one that it changes',
    edits: [
      {
        file: 'ipc/util.h',
        from: '\treturn ((ns->sem_ctls[3] < 0) || (ns->sem_ctls[3] > ipc_mni))\n',
        to: '\treturn ((ns->sem_ctls[3] < 0) || (ns->sem_ctls[3] > 1000))\n',
      },
    ],
    replaces: ['proc_ipc_sem_dointvec'],
    run:
      'f=/proc/sys/kernel/sem; read -r old < $f; for most in 999 2000; do echo 32000 1024000000 500 ' +
      '$most 2>/dev/null > $f && echo $most taken || echo $most refused; done; echo $old > $f',
    before: '/^999 taken\\n2000 taken$/',
    after: '/^999 taken\\n2000 refused$/',
  },
  {
    name: 'gs-base',
    exercises: 'a .part clone; paravirtual interrupt flags and CPU features as alternatives',
    edits: [
      {
        file: 'arch/x86/kernel/process_64.c',
        from: '\t\tgsbase = __rdgsbase_inactive();\n\t\tlocal_irq_restore(flags);\n',
        to: '\t\tgsbase = __rdgsbase_inactive();\n\t\tlocal_irq_restore(flags);\n\t\tgsbase += 0x1000;\n',
      },
    ],
    replaces: [],
    sections: ['.altinstructions', '.altinstr_replacement'],
    run: 'probe gs-base',
    before: 'gs: 4096',
    after: 'gs: 8192',
  },
  {
    name: 'percpu-lock-told',
    exercises: 'a function in .sched.text, cut out of the section that it shares; might_sleep as a static call',
    edits: [
      {
        file: 'kernel/locking/percpu-rwsem.c',
        from: 'void __sched percpu_down_write(struct percpu_rw_semaphore *sem)\n{\n',
        to:
          'void __sched percpu_down_write(struct percpu_rw_semaphore *sem)\n{\n\tpr_info("percpu ' +
          'lock: to be written by %s\\n", current->comm);\n',
      },
    ],
    replaces: ['percpu_down_write'],
    sections: ['.sched.text', '.static_call_sites'],
    run:
      'dmesg -c > /dev/null; mkdir -p /tmp/group; mount -t cgroup2 none /tmp/group; mkdir -p ' +
      '/tmp/group/one; sleep 1 & echo $! > /tmp/group/one/cgroup.procs; echo $! > ' +
      '/tmp/group/cgroup.procs; rmdir /tmp/group/one; umount /tmp/group; dmesg | grep -o "percpu lock: ' +
      'to be written by sh" || echo silent',
    before: 'silent',
    after: 'percpu lock: to be written by sh',
  },
  {
    name: 'vmstat-offset',
    exercises: 'per-CPU variables of the kernel, read for every CPU',
    edits: [
      {
        file: 'mm/vmstat.c',
        from: '\t\tfor (i = 0; i < NR_VM_EVENT_ITEMS; i++)\n\t\t\tret[i] += this->event[i];\n',
        to:
          '\t\tfor (i = 0; i < NR_VM_EVENT_ITEMS; i++)\n\t\t\tret[i] += ' +
          'this->event[i];\n\t\tret[PGROTATED] += 1000000;\n',
      },
    ],
    replaces: [],
    run: 'grep -w pgrotated /proc/vmstat',
    before: '/^pgrotated \\d{1,4}$/',
    after: '/^pgrotated [1-9]0\\d{5}$/',
  },
  {
    name: 'shmem-names',
    exercises: 'a function in a table of file system operations; a percpu counter',
    edits: [
      {
        file: 'mm/shmem.c',
        from: '\tbuf->f_bsize = PAGE_SIZE;\n\tbuf->f_namelen = NAME_MAX;\n',
        to: '\tbuf->f_bsize = PAGE_SIZE;\n\tbuf->f_namelen = NAME_MAX / 2;\n',
      },
    ],
    replaces: ['shmem_statfs'],
    run: 'stat -f -c %l /tmp',
    before: '/^255$/',
    after: '/^127$/',
  },
  {
    name: 'overcommit-limit',
    exercises: 'the handler of a sysctl',
    edits: [
      {
        file: 'mm/util.c',
        from: '\tif (ret == 0 && write)\n\t\tsysctl_overcommit_kbytes = 0;\n',
        to:
          '\tif (ret == 0 && write) {\n\t\tsysctl_overcommit_kbytes = 0;\n\t\tsysctl_overcommit_ratio ' +
          '= min(sysctl_overcommit_ratio, 90);\n\t}\n',
      },
    ],
    replaces: ['overcommit_ratio_handler'],
    run:
      'echo 95 > /proc/sys/vm/overcommit_ratio; cat /proc/sys/vm/overcommit_ratio; echo 50 > ' +
      '/proc/sys/vm/overcommit_ratio',
    before: '/^95$/',
    after: '/^90$/',
  },
  {
    name: 'secure-bits',
    exercises: 'a hook of a security module, called through a list (6.1) or a static call (6.12)',
    edits: [
      {
        file: 'security/commoncap.c',
        from: '\tcase PR_GET_SECUREBITS:\n\t\treturn old->securebits;\n',
        to: '\tcase PR_GET_SECUREBITS:\n\t\treturn old->securebits | 0x1000;\n',
      },
    ],
    replaces: ['cap_task_prctl'],
    run: 'probe secure-bits',
    before: '/^secure bits: 0$/',
    after: '/^secure bits: 4096$/',
  },
]
