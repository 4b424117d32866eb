// SPDX-License-Identifier: GPL-3.0-or-later
// The machine that QEMU is asked for.
import { expect, test } from 'vitest'
import { type Machine, qemuArguments } from '../../../src/vm/guest/qemu.ts'

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
  expect(after(qemuArguments(machine), '-cpu')).toBe('max')
  expect(after(qemuArguments({ ...machine, accelerator: 'kvm' }), '-cpu')).toBe('host')
  const processor = 'Skylake-Server,-rtm'
  for (const accelerator of ['kvm', 'tcg'] as const)
    expect(after(qemuArguments({ ...machine, accelerator, processor }), '-cpu')).toBe(processor)
})

test('boots with further words behind our own', () => {
  const line = after(qemuArguments({ ...machine, parameters: ['retbleed=stuff', 'nosmp'] }), '-append')
  expect(line).toMatch(/^console=ttyS0 .* retbleed=stuff nosmp$/)
})

test('has disks whose names QEMU does not take apart', () => {
  expect(after(qemuArguments({ ...machine, disks: ['/t/a,b'] }), '-drive')).toContain('file=/t/a,,b,')
})
