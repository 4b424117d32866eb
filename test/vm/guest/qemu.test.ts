// SPDX-License-Identifier: GPL-3.0-or-later
// The machine that QEMU is asked for.
import { expect, test } from 'vitest'
import { losesCodeChanges, type Machine, qemuArguments, qemuVersion, takesTurns } from '../../../src/vm/guest/qemu.ts'

const machine: Machine = {
  image: '/k/image',
  initramfs: '/t/initramfs',
  accelerator: 'tcg',
  cpus: 2,
  memory: 512,
  consoleFile: '/t/console',
  timeout: 1000,
}

/** The word after an option. */
const after = (args: readonly string[], option: string) => args[args.indexOf(option) + 1]

test('has the best processor that the accelerator can give, or the one that was asked for', () => {
  expect(after(qemuArguments(machine, false), '-cpu')).toBe('max')
  expect(after(qemuArguments({ ...machine, accelerator: 'kvm' }, false), '-cpu')).toBe('host')
  const processor = 'Skylake-Server,-rtm'
  for (const accelerator of ['kvm', 'tcg'] as const)
    expect(after(qemuArguments({ ...machine, accelerator, processor }, false), '-cpu')).toBe(processor)
})

test('boots with further words behind our own', () => {
  const line = after(qemuArguments({ ...machine, parameters: ['retbleed=stuff', 'nosmp'] }, false), '-append')
  expect(line).toMatch(/^console=ttyS0 .* retbleed=stuff nosmp$/)
})

test('has disks whose names QEMU does not take apart', () => {
  expect(after(qemuArguments({ ...machine, disks: ['/t/a,b'] }, false), '-drive')).toContain('file=/t/a,,b,')
})

test('only versions of QEMU that are known to lose changes of code run their CPUs in turn', () => {
  for (const version of [undefined, [7, 2], [8, 0], [5, 2]] as const) expect(losesCodeChanges(version)).toBe(true)
  for (const version of [
    [8, 1],
    [8, 2],
    [9, 0],
    [10, 0],
  ] as const)
    expect(losesCodeChanges(version)).toBe(false)
})

test('tells its version; with KVM processors are never in turn', async () => {
  const { signal } = new AbortController()
  const version = await qemuVersion(signal)
  expect(version).toEqual([expect.any(Number), expect.any(Number)])
  expect(await takesTurns('tcg', signal)).toBe(losesCodeChanges(version))
  expect(await takesTurns('kvm', signal)).toBe(false)
})

test('is asked for one thread where CPUs run in turn, and to count where the clock is to', () => {
  expect([false, true].map((inTurn) => after(qemuArguments(machine, inTurn), '-accel'))).toEqual([
    'tcg,thread=multi',
    'tcg,thread=single',
  ])
  expect(qemuArguments(machine, true)).not.toContain('-icount')
  expect(after(qemuArguments({ ...machine, counting: true }, true), '-icount')).toBe('shift=0')
})
