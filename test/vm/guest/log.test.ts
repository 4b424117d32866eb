// SPDX-License-Identifier: GPL-3.0-or-later
// The logs in ../logs/ are consoles of real guests: a proof that holds, and live patches that were made to
// warn, to crash, to spin and to miss a symbol.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { consoleLines, readLog, unexpectedTaint } from '../../../src/vm/guest/log.ts'

const lines = (name: string) => consoleLines(readFileSync(new URL(`../logs/${name}.txt`, import.meta.url), 'utf8'))
const rules = (name: string) => readLog(lines(name)).map(({ rule }) => rule)

describe('a kernel log', () => {
  test('of a proof that holds shows nothing', () => {
    expect(readLog(lines('clean'))).toEqual([])
  })

  test('with a WARN shows it whole, with the step during which it came', () => {
    const findings = readLog(lines('warn'))
    expect(findings).toHaveLength(1)
    expect(findings[0]).toMatchObject({
      rule: 'warning',
      step: 'module-first.check.after.0',
      expected: false,
    })
    expect(findings[0]?.lines[0]).toContain('cut here')
    expect(findings[0]?.lines.at(-1)).toContain('end trace')
    expect(lines('warn')[(findings[0]?.line ?? 0) - 1]).toBe(findings[0]?.lines[0])
  })

  test('with a WARN that the user expects says so', () => {
    const expected = [/WARNING: CPU.* cmdline_proc_show/]
    expect(readLog(lines('warn'), expected)).toMatchObject([{ rule: 'warning', expected: true }])
    expect(readLog(lines('warn'), [/something else/])).toMatchObject([{ expected: false }])
  })

  test('with an oops shows one bug and the panic that it led to', () => {
    expect(rules('oops')).toEqual(['bug', 'panic'])
  })

  test('with a soft lockup shows it', () => {
    expect(rules('lockup')[0]).toBe('lockup')
    expect(rules('lockup')).toContain('panic')
  })

  test('with a symbol that livepatch does not find shows it', () => {
    expect(rules('symbol')).toContain('livepatch')
  })

  test('tells trouble at boot from trouble in the scenario', () => {
    const boot = '[    0.1] WARNING: CPU: 0 PID: 1 at x.c:1 f+0x1/0x2'
    const log = [boot, '[    1.0] inarch: the scenario begins', boot, '[    1.1] inarch: step a.load', boot]
    expect(readLog(log).map(({ step }) => step)).toEqual([undefined, 'begin', 'a.load'])
  })

  // Words as the kernel's source has them.
  test.each([
    ['lockdep', 'WARNING: possible circular locking dependency detected'],
    ['lockdep', 'WARNING: suspicious RCU usage'],
    ['lockdep', 'WARNING: inconsistent lock state'],
    ['stall', 'rcu: INFO: rcu_preempt self-detected stall on CPU'],
    ['stall', 'rcu: INFO: rcu_preempt detected stalls on CPUs/tasks: { 0-...! } '],
    ['hung-task', 'INFO: task dd:123 blocked for more than 120 seconds.'],
    ['bug', 'BUG: sleeping function called from invalid context at kernel/locking/mutex.c:580'],
    ['bug', 'BUG: KASAN: use-after-free in f+0x1/0x2'],
    ['bug', 'kernel BUG at fs/ext4/mballoc.c:123!'],
    ['bug', 'UBSAN: array-index-out-of-bounds in x.c:1:2'],
    ['oops', 'general protection fault, probably for non-canonical address 0xdead: 0000 [#1] PREEMPT SMP'],
    ['bug', 'BUG kmalloc-64 (Tainted: G           OE     ): Right Redzone overwritten'],
    ['lockup', 'watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [cat:99]'],
    ['lockup', 'NMI watchdog: Watchdog detected hard LOCKUP on cpu 0'],
    ['oops', 'invalid opcode: 0000 [#1] PREEMPT SMP PTI'],
    ['oops', 'Oops: general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP'],
    ['livepatch', "livepatch: pre-patch callback failed for object 'vmlinux'"],
    ['livepatch', "livepatch: patch 'livepatch_x' failed for module 'dummy', refusing to load module 'dummy'"],
    [
      'module',
      'module: x86/modules: Skipping invalid relocation target, existing value is nonzero for type 2, loc 1, val 2',
    ],
    ['panic', 'Kernel panic - not syncing: Attempted to kill init!'],
    ['livepatch', 'livepatch: failed to register ftrace handler for function'],
    ['livepatch', "livepatch: unresolvable ambiguity for symbol 'f' in object 'vmlinux'"],
    ['livepatch', 'livepatch: Livepatch patch (x) is not compatible with the already installed livepatches.'],
    ['module', 'fix: Unknown symbol foo (err -2)'],
    ['module', 'fix: disagrees about version of symbol module_layout'],
    ['module', "fix: version magic '6.1.0 SMP' should be '6.1.1 SMP'"],
    ['file-system', 'EXT4-fs error (device vda): ext4_lookup:1853: inode #2: comm ls: deleted inode referenced'],
    ['file-system', 'I/O error, dev vda, sector 0 op 0x1:(WRITE)'],
  ])('has a %s in: %s', (rule, text) => {
    expect(readLog([`[   12.345678] ${text}`])).toMatchObject([{ rule }])
    expect(readLog([`[   12.345678][  T123] ${text}`])).toMatchObject([{ rule }])
  })

  test.each([
    'livepatch_fix: module verification failed: signature and/or required key missing - tainting kernel',
    "livepatch: enabling patch 'livepatch_fix'",
    "livepatch: 'livepatch_fix': patching complete",
    'livepatch: signaling remaining tasks',
    'x86/mm: Checked W+X mappings: passed, no W+X pages found.',
    'Spectre V2 : WARN: nothing',
    // Words that mean trouble where the kernel says them, in names and in what others say.
    "livepatch: enabling patch 'livepatch_probe_failure'",
    "livepatch: 'livepatch_invalid_refusal_not_found': patching complete",
    "livepatch: applying patch 'livepatch_failed' to loading module 'error'",
    'livepatch_oops: loading out-of-tree module taints kernel.',
    'Kernel command line: console=ttyS0 note="Oops: WARNING: BUG: Call Trace: Kernel panic - not syncing"',
    'dummy: failed to oops',
    'dummy 0000:00:01.0: no WARNING: LED, and no kernel BUG at fs/BUG.c',
    'traps: stress-ng[312] general protection fault ip:55d0 sp:7ffc error:0 in stress-ng[55d0+1]',
    'program[7]: segfault at 0 ip 000055d0 sp 00007ffc error 4 in BUG: x[55d0+1]',
    'EXT4-fs (vda): mounted filesystem with ordered data mode. Quota mode: none, error handling: continue',
    'loop0: detected capacity change from 0 to 8',
    'XFS (vda): Mounting V5 Filesystem',
  ])('has no trouble in: %s', (text) => {
    expect(readLog([`[   12.345678] ${text}`])).toEqual([])
  })

  test('is what the kernel wrote, not what a program left on the console', () => {
    const program = ['[    1.000000] inarch: step a.load', 'WARNING: nothing of the kernel', 'BUG: neither']
    expect(readLog(program)).toEqual([])
    expect(readLog([...program, 'unfinished [    2.000000] WARNING: CPU: 0 at x.c:1'])).toHaveLength(1)
  })

  test('without times is the kernel’s as a whole', () => {
    expect(readLog(['WARNING: CPU: 0 PID: 1 at x.c:1 f+0x1/0x2'])).toHaveLength(1)
  })

  test('is freed of terminal codes and carriage returns', () => {
    expect(consoleLines('\x1bc\x1b[?7l\x1b[2J[ 0.1] a\r\n[ 0.2] b\x07\r\r\n')).toEqual(['[ 0.1] a', '[ 0.2] b�'])
  })
})

describe('the taint flags', () => {
  test('that a live patch sets are no surprise', () => {
    expect(unexpectedTaint(0, (1 << 12) | (1 << 13) | (1 << 15))).toEqual([])
  })
  test('that came with trouble are named', () => {
    expect(unexpectedTaint(0, 128 | 512 | 32768)).toEqual(['oops', 'warning'])
  })
  test('that were there before do not count', () => {
    expect(unexpectedTaint(512, 512 | 4096)).toEqual([])
  })
  test('beyond the ones known are still told', () => {
    expect(unexpectedTaint(0, 2 ** 30)).toEqual(['bit 30'])
  })
})
