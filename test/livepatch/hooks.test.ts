// SPDX-License-Identifier: GPL-3.0-or-later
// What kernels print of who hooks them, as it was recorded on 6.1.0-56-cloud-amd64 and 6.12.117+deb12-cloud-amd64.
import { expect, test } from 'vitest'
import { parseEnabledFunctions } from '../../src/livepatch/ftrace.ts'
import { parseKprobes, parseProbeEvents } from '../../src/livepatch/kprobes.ts'
import { parseRunningSymbols } from '../../src/livepatch/symbols.ts'

test('kprobes are read with their place, their kind and how they are set', () => {
  const probes = parseKprobes(
    [
      'ffffffff84bf5e14  k  meminfo_proc_show+0x14    [OPTIMIZED]',
      'ffffffff84bf5e00  r  meminfo_proc_show+0x0    [DISABLED][FTRACE]',
      'ffffffffc05e3114  k  dummy_get_stats64+0x4  dummy [FTRACE]',
      'ffffffffc05e3120  k  0xffffffffc05e3120  ',
      'ffffffffc05e3130  k  gone_function+0x0   [GONE]',
      '',
    ].join('\n'),
  )
  expect(probes.map(({ kind, symbol, module, offset }) => [kind, symbol, module, offset])).toEqual([
    ['kprobe', 'meminfo_proc_show', undefined, 0x14],
    ['kretprobe', 'meminfo_proc_show', undefined, 0],
    ['kprobe', 'dummy_get_stats64', 'dummy', 4],
  ])
  expect(probes.map(({ disabled, optimized, ftrace }) => [disabled, optimized, ftrace])).toEqual([
    [false, true, false],
    [true, false, true],
    [false, false, true],
  ])
  expect(probes[0]?.address).toBe(0xffffffff84bf5e14n)
})

test('the events of probes are read with and without a module and an offset', () => {
  const events = parseProbeEvents(
    'p:kprobes/mine meminfo_proc_show\np:kprobes/off dummy:dummy_get_stats64+4\nr10:kprobes/ret meminfo_proc_show\n' +
      'p:mine/arguments vfs_read+0x10 file=%di count=%dx\n',
  )
  expect(events).toEqual([
    { name: 'kprobes/mine', kind: 'kprobe', module: undefined, symbol: 'meminfo_proc_show', offset: 0 },
    { name: 'kprobes/off', kind: 'kprobe', module: 'dummy', symbol: 'dummy_get_stats64', offset: 4 },
    { name: 'kprobes/ret', kind: 'kretprobe', module: undefined, symbol: 'meminfo_proc_show', offset: 0 },
    { name: 'mine/arguments', kind: 'kprobe', module: undefined, symbol: 'vfs_read', offset: 16 },
  ])
})

test('the users of ftrace are read in the form of either series', () => {
  const traced = parseEnabledFunctions(
    [
      'meminfo_proc_show (1) R    \ttramp: 0xffffffffc022d000 (kprobe_ftrace_handler+0x0/0x1b0) ' +
        '->kprobe_ftrace_handler+0x0/0x1b0',
      'cmdline_proc_show (1)   I  \ttramp: 0xffffffffc04f7000 (klp_ftrace_handler+0x0/0x110) ' +
        '->klp_ftrace_handler+0x0/0x110',
      'vfs_read (2) R I D ->arch_ftrace_ops_list_func+0x0/0x1d0',
      '\tdirect-->bpf_trampoline_6442466708+0x0/0x1000',
      'dummy_get_stats64 [dummy] (3) R I     M  ->arch_ftrace_ops_list_func+0x0/0x1d0',
      'kmem_cache_free.part.0 (1)    O ->watch [mod]+0x0/0x10',
    ].join('\n'),
  )
  expect(traced).toEqual([
    {
      name: 'meminfo_proc_show',
      module: undefined,
      users: 1,
      redirected: false,
      direct: false,
      callbacks: ['kprobe_ftrace_handler'],
      trampoline: undefined,
    },
    expect.objectContaining({
      name: 'cmdline_proc_show',
      redirected: true,
      callbacks: ['klp_ftrace_handler'],
    }),
    expect.objectContaining({
      name: 'vfs_read',
      users: 2,
      redirected: true,
      direct: true,
      trampoline: 'bpf_trampoline_6442466708',
    }),
    expect.objectContaining({
      name: 'dummy_get_stats64',
      module: 'dummy',
      users: 3,
      redirected: true,
      direct: false,
    }),
    expect.objectContaining({ name: 'kmem_cache_free.part.0', redirected: false, callbacks: ['watch'] }),
  ])
})

test('names are counted for each object, in the order of the table', () => {
  const symbols = parseRunningSymbols(
    Buffer.from(
      [
        'ffffffff81000000 T _text',
        'ffffffff81000100 t show',
        'ffffffff81000200 t show',
        'ffffffff81000300 T kfree',
        'ffffffffc0001000 t show\t[one]',
        'ffffffffc0000800 t show\t[one]',
        'ffffffffc0002000 T helper\t[two]',
        'ffffffffc0003000 t bpf_prog_0123456789abcdef_sees\t[bpf]',
        'ffffffffc0003040 t bpf_trampoline_1\t[bpf]',
        '',
      ].join('\n'),
    ),
  )
  const at = (object: string, name: string) => symbols.lookup(object, name).map(({ address }) => address)
  expect(at('vmlinux', 'show')).toEqual([0xffffffff81000100n, 0xffffffff81000200n])
  expect(at('one', 'show')).toEqual([0xffffffffc0001000n, 0xffffffffc0000800n])
  expect(symbols.meant('one', 'show')).toEqual(at('one', 'show'))
  expect(symbols.meant('one', 'kfree')).toEqual([0xffffffff81000300n])
  expect(symbols.meant('one', 'helper')).toEqual([0xffffffffc0002000n])
  expect(symbols.nearest(0xffffffff81000310n)).toEqual({ name: 'kfree', module: undefined, offset: 16 })
  expect(symbols.nearest(0xffffffffc0002010n)).toEqual({ name: 'helper', module: 'two', offset: 16 })
  expect(symbols.after(0xffffffffc0003000n)).toBe(0xffffffffc0003040n)
  expect([...symbols.programs.values()]).toEqual(['bpf_prog_0123456789abcdef_sees'])
})
