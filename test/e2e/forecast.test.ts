// SPDX-License-Identifier: GPL-3.0-or-later
// Where tasks sleep in Debian's own kernels, told from their machine code, and what that means for a fix. That the
// forecast in the virtual machine comes true is shown by prove.test.ts, and on a running host by running.test.ts.
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { judgeFix } from '../../src/module/judgement.ts'
import { readPatches } from '../../src/patch/read.ts'
import { openSleepers } from '../../src/transition/kept-sleeping-functions.ts'
import { writePatch } from './change.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-forecast-'))
afterAll(() => rmSync(work, { recursive: true }))

/** Threads by their first functions, in every kernel that has them. */
const threads =
  'kthreadd worker_thread rescuer_thread smpboot_thread_fn kswapd kcompactd khugepaged kauditd_thread ' +
  'rcu_gp_kthread irq_thread kjournald2 io_sq_thread devtmpfsd'
/** Functions between a system call and the place where it waits for the world outside. */
const calls =
  'do_sys_poll do_select do_epoll_wait futex_wait_queue hrtimer_nanosleep do_wait pipe_read n_tty_read ' +
  'inet_csk_accept unix_stream_read_generic sk_wait_data tcp_recvmsg __x64_sys_rt_sigtimedwait ' +
  '__x64_sys_rt_sigsuspend ksys_read do_msgrcv __x64_sys_poll'
/** Functions that everybody passes through and nobody stays in. */
const others =
  'meminfo_proc_show cmdline_proc_show tcp_v4_rcv ext4_lookup ext4_file_write_iter do_filp_open ' +
  'vfs_open kfree __alloc_skb ip_rcv __alloc_pages process_one_work kauditd_send_queue balance_pgdat ' +
  '__kthread_create_on_node poll_freewait do_mmap handle_mm_fault'

describe.each(['bookworm', 'trixie'])('in the kernel of %s', (suite) => {
  test('threads, sleeping processes and the scheduler are known, and nothing else is', async () => {
    const kernel = await selectKernel(job, suite)
    const known = await openSleepers(job, kernel, 'vmlinux')
    const kinds = (names: string) => names.split(' ').map((name) => `${name}: ${known.find(name)?.kind}`)
    const all = (names: string, kind: string) => names.split(' ').map((name) => `${name}: ${kind}`)
    expect(kinds(threads)).toEqual(all(threads, 'thread'))
    expect(kinds(calls)).toEqual(all(calls, 'call'))
    expect(kinds('schedule schedule_timeout')).toEqual(all('schedule schedule_timeout', 'scheduler'))
    expect(kinds(others)).toEqual(all(others, 'undefined'))
    expect(known.find('kauditd_thread')).toMatchObject({ startedBy: ['audit_init'], sinceBoot: true })
    expect(known.find('kjournald2')).toMatchObject({ startedBy: ['jbd2_journal_load'], sinceBoot: false })
    const xfs = await openSleepers(job, kernel, 'xfs')
    expect(xfs.find('xfsaild')).toMatchObject({ kind: 'thread', startedBy: ['xfs_trans_ail_init'] })
    expect(xfs.find('xfs_file_read_iter')).toBeUndefined()
  })
})

describe('a fix', () => {
  const judged = async (name: string, file: string, from: string, to: string, allow: string[] = []) => {
    const kernel = await selectKernel(job)
    const patches = await readPatches([writePatch(work, name, kernel, file, from, to)])
    const { verdict, findings } = await judgeFix(job, kernel, { patches, replace: true, output: work, allow })
    return { verdict, findings: findings.filter(({ rule }) => /^(never-finishes|long-sleepers)$/.test(rule)) }
  }
  const thread = [
    'kernel/audit.c',
    '\tu32 portid = 0;\n\tstruct net *net',
    '\tu32 portid = 1;\n\tstruct net *net',
  ] as const

  test('of a thread’s main function waits for the author’s consent', async () => {
    const { verdict, findings } = await judged('thread', ...thread)
    expect(verdict).toBe('consent')
    expect(findings).toMatchObject([
      { severity: 'warning', rule: 'never-finishes', symbol: 'kauditd_thread', unit: 'kernel/audit.c' },
    ])
    expect((await judged('thread', ...thread, ['never-finishes'])).verdict).toBe('possible')
  })

  test('of a function that such a thread calls does not', async () => {
    const from = '\tif (!(auditd_test_task(current) || audit_ctl_owner_current())) {\n'
    const to = '\tif (!(auditd_test_task(current) || audit_ctl_owner_current()) && gfp_mask != 4321) {\n'
    const { findings } = await judged('caller', 'kernel/audit.c', from, to)
    expect(findings).toEqual([])
  })

  test('of a system call that sleeps is told of it, and can be made', async () => {
    const from = '\tif (nfds > rlimit(RLIMIT_NOFILE))\n'
    const to = '\tif (nfds > rlimit(RLIMIT_NOFILE) || nfds == 4321)\n'
    const { verdict, findings } = await judged('poll', 'fs/select.c', from, to)
    expect(verdict).toBe('possible')
    expect(findings).toMatchObject([{ severity: 'note', rule: 'long-sleepers', symbol: 'do_sys_poll' }])
  })
})
