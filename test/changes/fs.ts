// SPDX-License-Identifier: GPL-3.0-or-later
// Changes to fs/.
import type { Change } from './change.ts'

export const fileSystems: readonly Change[] = [
  {
    name: 'loadavg-reads',
    exercises: 'a new function and a new static variable in .bss; an atomic operation with a lock prefix',
    edits: [
      {
        file: 'fs/proc/loadavg.c',
        from: 'static int loadavg_proc_show(struct seq_file *m, void *v)\n{',
        to: `static atomic_t loadavg_reads;

static noinline void loadavg_show_reads(struct seq_file *m)
{
	seq_printf(m, "read %d times\\n", atomic_inc_return(&loadavg_reads));
}

static int loadavg_proc_show(struct seq_file *m, void *v)
{`,
      },
      {
        file: 'fs/proc/loadavg.c',
        from: 'idr_get_cursor(&task_active_pid_ns(current)->idr) - 1);\n',
        to: 'idr_get_cursor(&task_active_pid_ns(current)->idr) - 1);\n\tloadavg_show_reads(m);\n',
      },
    ],
    replaces: ['loadavg_proc_show'],
    sections: ['.smp_locks', '.orc_unwind'],
    run: 'cat /proc/loadavg /proc/loadavg | grep -c read; cat /proc/loadavg',
    before: '/^0$/',
    after: 'read 3 times',
  },
  {
    name: 'filesystems-notes',
    exercises: 'a new constant table with pointers to strings and to new functions, called through it',
    allow: ['address-of-new-function', 'live-pointer'],
    edits: [
      {
        file: 'fs/filesystems.c',
        from: 'static int filesystems_proc_show(struct seq_file *m, void *v)\n{',
        to: `static noinline int note_memory(struct seq_file *m, const char *note)
{
	seq_printf(m, "# %s in memory", note);
	return 1;
}

static noinline int note_kernel(struct seq_file *m, const char *note)
{
	seq_printf(m, "# %s by the kernel", note);
	return 2;
}

static const struct {
	const char *name;
	int (*note)(struct seq_file *m, const char *note);
	const char *verb;
} file_system_notes[] = {
	{ "tmpfs", note_memory, "kept" },
	{ "proc", note_kernel, "made up" },
	{ "sysfs", note_kernel, "also made up" },
};

static int filesystems_proc_show(struct seq_file *m, void *v)
{
	int i;
`,
      },
      {
        file: 'fs/filesystems.c',
        from: [
          '\t\t\ttmp->name);\n\t\ttmp = tmp->next;\n\t}\n\tread_unlock(&file_systems_lock);\n\treturn 0;',
          '\tstruct file_systems_string *fss;\n\n\tfor (;;) {\n',
        ],
        to: [
          `			tmp->name);
		for (i = 0; i < ARRAY_SIZE(file_system_notes); i++) {
			if (strcmp(tmp->name, file_system_notes[i].name))
				continue;
			i = file_system_notes[i].note(m, file_system_notes[i].verb);
			seq_printf(m, " (%d)\\n", i);
			break;
		}
		tmp = tmp->next;
	}
	read_unlock(&file_systems_lock);
	return 0;`,
          `	struct file_systems_string *fss;
	struct file_system_type *type;

	scoped_guard(rcu) {
		hlist_for_each_entry_rcu(type, &file_systems, list) {
			for (i = 0; i < ARRAY_SIZE(file_system_notes); i++) {
				if (strcmp(type->name, file_system_notes[i].name))
					continue;
				seq_printf(m, "nodev\\t%s\\n", type->name);
				i = file_system_notes[i].note(m, file_system_notes[i].verb);
				seq_printf(m, " (%d)\\n", i);
				break;
			}
		}
	}
	for (;;) {
`,
        ],
      },
    ],
    replaces: ['filesystems_proc_show'],
    sections: ['.retpoline_sites'],
    run: 'grep -A1 -wE "tmpfs|sysfs" /proc/filesystems',
    before: '/nodev\\ttmpfs\\nnodev/',
    after:
      '/tmpfs\\n# kept in memory \\(1\\)[^]*sysfs|sysfs\\n# also made up by the kernel \\(2\\)[^]*# ' +
      'kept in memory \\(1\\)/',
  },
  {
    name: 'readdir-hides',
    exercises: 'writes to user memory in place: exception table, stac and clac as alternatives',
    edits: [
      {
        file: 'fs/readdir.c',
        from:
          'static bool filldir64(struct dir_context *ctx, const char *name, int namlen,\n\t\t     ' +
          'loff_t offset, u64 ino, unsigned int d_type)\n{',
        to: `static bool filldir64(struct dir_context *ctx, const char *name, int namlen,
		     loff_t offset, u64 ino, unsigned int d_type)
{
	static const char hidden[] = "hidden-";
`,
      },
      {
        file: 'fs/readdir.c',
        from: [
          '\tint prev_reclen;\n\n\tbuf->error = verify_dirent_name(name, namlen);\n\tif ' +
            '(unlikely(buf->error))\n\t\treturn false;\n\tbuf->error = -EINVAL;\t/* only used if we ' +
            'fail.. */\n\tif (reclen > buf->count)\n\t\treturn false;\n\tprev_reclen = ' +
            'buf->prev_reclen;\n\tif (prev_reclen && signal_pending(current))\n\t\treturn ' +
            'false;\n\tdirent = buf->current_dir;\n\tprev = (void __user *)dirent - prev_reclen;',
          '\tprev_reclen = buf->prev_reclen;\n\tif (!(flags & FILLDIR_FLAG_NOINTR) && prev_reclen && ' +
            'signal_pending(current))\n\t\treturn false;\n\tdirent = buf->current_dir;\n\tprev = (void __user *)dirent',
        ],
        to: [
          `	int prev_reclen;

	if (namlen >= sizeof(hidden) - 1 && !memcmp(name, hidden, sizeof(hidden) - 1))
		return true;
	buf->error = verify_dirent_name(name, namlen);
	if (unlikely(buf->error))
		return false;
	buf->error = -EINVAL;	/* only used if we fail.. */
	if (reclen > buf->count)
		return false;
	prev_reclen = buf->prev_reclen;
	if (prev_reclen && signal_pending(current))
		return false;
	dirent = buf->current_dir;
	prev = (void __user *)dirent - prev_reclen;`,
          `	if (namlen >= sizeof(hidden) - 1 && !memcmp(name, hidden, sizeof(hidden) - 1)) {
		buf->error = 0;
		return true;
	}
	prev_reclen = buf->prev_reclen;
	if (!(flags & FILLDIR_FLAG_NOINTR) && prev_reclen && signal_pending(current))
		return false;
	dirent = buf->current_dir;
	prev = (void __user *)dirent`,
        ],
      },
    ],
    replaces: ['filldir64'],
    sections: ['__ex_table', '.altinstructions', '.altinstr_replacement'],
    run: 'mkdir -p /tmp/list; touch /tmp/list/hidden-one /tmp/list/seen; ls /tmp/list; probe fault',
    before: '/^hidden-one\\nseen\\nfault: Bad address/',
    after: '/^seen\\nfault: Bad address/',
  },
  {
    name: 'numa-maps',
    exercises: 'what the kernel exports only to modules of certain names (in 7.2 __mpol_put, for kvm)',
    edits: [
      {
        file: 'fs/proc/task_mmu.c',
        from: 'seq_printf(m, "%08lx %s", vma->vm_start, buffer);',
        to: 'seq_printf(m, "%08lx-%08lx %s", vma->vm_start, vma->vm_end, buffer);',
      },
    ],
    replaces: ['show_numa_map'],
    run: "head -n 1 /proc/self/numa_maps | grep -c '^[0-9a-f]*-[0-9a-f]* '",
    before: '0',
    after: '1',
  },
  {
    name: 'comm-renamed',
    exercises: 'a tracepoint of the kernel in a replaced function: its static key and static call',
    edits: [
      {
        file: 'fs/exec.c',
        from: ['\ttask_unlock(tsk);\n\tperf_event_comm(tsk, exec);', ' - len);\n\tperf_event_comm(tsk, exec);'],
        to: [
          '\tif (!strncmp(tsk->comm, "plain-", 6))\n\t\tmemcpy(tsk->comm, "fancy-", ' +
            '6);\n\ttask_unlock(tsk);\n\tperf_event_comm(tsk, exec);',
          ' - len);\n\tif (!strncmp(tsk->comm, "plain-", 6))\n\t\tmemcpy(tsk->comm, "fancy-", ' +
            '6);\n\tperf_event_comm(tsk, exec);',
        ],
      },
    ],
    replaces: ['__set_task_comm'],
    sections: ['__jump_table', '.static_call_sites'],
    run:
      "cd /sys/kernel/tracing; echo > trace; echo 1 > events/task/task_rename/enable; sh -c 'echo " +
      "plain-sh > /proc/$$/comm; read -r name < /proc/$$/comm; echo $name'; echo 0 > " +
      'events/task/task_rename/enable; grep -c newcomm=plain-sh trace',
    before: '/^plain-sh\\n1$/',
    after: '/^fancy-sh\\n1$/',
  },
  {
    name: 'pipe-least-size',
    exercises: 'a new global variable in .data..read_mostly; a function that other units call',
    edits: [
      {
        file: 'fs/pipe.c',
        from: 'unsigned int round_pipe_size(unsigned',
        to: 'unsigned int pipe_least_pages __read_mostly = 2;\n\nunsigned int round_pipe_size(unsigned',
      },
      {
        file: 'fs/pipe.c',
        from: '\tif (size < PAGE_SIZE)\n\t\treturn PAGE_SIZE;\n',
        to: '\tif (size < pipe_least_pages * PAGE_SIZE)\n\t\treturn pipe_least_pages * PAGE_SIZE;\n',
      },
    ],
    replaces: ['round_pipe_size'],
    sections: ['.data..read_mostly'],
    run: 'probe pipe-size',
    before: 'pipe: 4096',
    after: 'pipe: 8192',
  },
  {
    name: 'eventfd-counts',
    exercises: 'a static __key of lockdep, which must not count as data; copy of a kref and an IDA of the kernel',
    edits: [{ file: 'fs/eventfd.c', from: '\tctx->count = count;\n', to: '\tctx->count = count + 1;\n' }],
    replaces: ['do_eventfd'],
    run: 'probe eventfd',
    before: 'eventfd: 3',
    after: 'eventfd: 4',
  },
  {
    name: 'eventfd-semaphore-info',
    exercises: 'a function that is called through a table of file operations',
    backports: 'what later kernels show of an eventfd',
    edits: [
      {
        file: 'fs/eventfd.c',
        from: '\tseq_printf(m, "eventfd-id: %d\\n", ctx->id);\n',
        to:
          '\tseq_printf(m, "eventfd-id: %d\\n", ctx->id);\n\tseq_printf(m, "eventfd-semaphore: ' +
          '%d\\n",\n\t\t   !!(ctx->flags & EFD_SEMAPHORE));\n',
      },
    ],
    replaces: ['eventfd_show_fdinfo'],
    run: 'probe eventfd-info | tail -n 1',
    before: '/^eventfd-id: /',
    after: '/^eventfd-semaphore: 1$/',
    series: ['6.1'],
  },
  {
    name: 'fcntl-dupfd-query',
    exercises: 'a new function and a new case in a large switch of a system call',
    backports: 'F_DUPFD_QUERY of Linux 6.10',
    edits: [
      {
        file: 'fs/fcntl.c',
        from: 'static long do_fcntl(int fd, unsigned int cmd, unsigned long arg,',
        to: `#define F_DUPFD_QUERY	(F_LINUX_SPECIFIC_BASE + 3)

static long f_dupfd_query(int fd, struct file *filp)
{
	struct fd f = fdget_raw(fd);

	/* The file pointer is only compared, so it need not be held. */
	fdput(f);
	return f.file == filp;
}

static long do_fcntl(int fd, unsigned int cmd, unsigned long arg,`,
      },
      {
        file: 'fs/fcntl.c',
        from: '\tcase F_GETFD:\n\t\terr = get_close_on_exec(fd)',
        to:
          '\tcase F_DUPFD_QUERY:\n\t\terr = f_dupfd_query(arg, filp);\n\t\tbreak;\n\tcase ' +
          'F_GETFD:\n\t\terr = get_close_on_exec(fd)',
      },
    ],
    replaces: ['do_fcntl'],
    run: 'probe same-file',
    before: 'twin: Invalid argument',
    after: '/^twin: 1\\nother: 0$/',
    series: ['6.1'],
  },
  {
    name: 'create-forbidden',
    exercises: 'an inline function: all that have a copy of it are replaced',
    edits: [
      {
        file: 'fs/namei.c',
        from: '\taudit_inode_child(dir, child, AUDIT_TYPE_CHILD_CREATE);\n\tif (child->d_inode)\n\t\treturn -EEXIST;\n',
        to:
          '\taudit_inode_child(dir, child, AUDIT_TYPE_CHILD_CREATE);\n\tif ' +
          '(child->d_inode)\n\t\treturn -EEXIST;\n\tif (!strncmp(child->d_name.name, "forbidden-", ' +
          '10))\n\t\treturn -EDQUOT;\n',
      },
    ],
    replaces: ['vfs_mkdir', 'vfs_symlink', 'vfs_mknod'],
    replacesIn: { '7.2': ['may_create_dentry'] },
    run:
      'cd /tmp; mkdir forbidden-a 2>/dev/null && rmdir forbidden-a && echo made a; ln -s x ' +
      'forbidden-b 2>/dev/null && rm forbidden-b && echo made b; mkdir allowed && rmdir allowed && echo made c',
    before: '/^made a\\nmade b\\nmade c$/',
    after: '/^made c$/',
  },
]
