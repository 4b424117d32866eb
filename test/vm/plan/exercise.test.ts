// SPDX-License-Identifier: GPL-3.0-or-later
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { stressEntries } from '../../../src/vm/guest/stress.ts'
import { systemCallProgram } from '../../../src/vm/guest/system-calls.ts'
import { exerciseModules, exercisesFor, patchedFileSystems } from '../../../src/vm/plan/exercise.ts'
import type { Subject } from '../../../src/vm/plan/subject.ts'

const subject = (...units: string[]) =>
  ({
    manifest: { objects: [{ name: 'vmlinux', functions: units.map((unit) => ({ name: 'f', unit })) }] },
  }) as unknown as Subject
const names = (...units: string[]) =>
  exercisesFor(subject(...units), { stressNg: true, calls: true }).map(({ name }) => name)

describe('exercises', () => {
  test.each([
    ['fs/proc/uptime.c', 'read /proc'],
    ['fs/ext4/inode.c', 'files and directories'],
    ['fs/namespace.c', 'files and directories'],
    ['mm/mremap.c', 'memory'],
    ['kernel/sched/rt.c', 'processes, signals and scheduling'],
    ['ipc/msg.c', 'communication of processes'],
    ['net/ipv4/igmp.c', 'sockets and network devices'],
    ['drivers/net/vxlan/vxlan_core.c', 'sockets and network devices'],
    ['kernel/time/posix-timers.c', 'timers and clocks'],
    ['drivers/tty/vt/vt.c', 'devices and terminals'],
    ['kernel/trace/trace.c', 'tracing and probes'],
    ['security/keys/keyctl.c', 'files and directories'],
    ['kernel/cgroup/cgroup.c', 'control groups'],
  ])('for %s begin with: %s', (unit, first) => {
    expect(names(unit)[0]).toBe(first)
  })

  test('are about everything that is patched, before anything else', () => {
    expect(names('mm/mremap.c', 'net/ipv4/igmp.c').slice(0, 2).sort()).toEqual([
      'memory',
      'sockets and network devices',
    ])
  })

  test('are all done in the end, whatever is patched', () => {
    expect(names('mm/mremap.c').toSorted()).toEqual(names('net/ipv4/igmp.c').toSorted())
    expect(names().length).toBe(names('mm/mremap.c').length)
  })

  test('are done without stress-ng as far as they can be', () => {
    const without = exercisesFor(subject(), { stressNg: false, calls: false }).map(({ script }) => script)
    expect(without.join()).not.toContain('stress-ng')
    expect(without.join()).toContain('mount -t overlay')
  })

  test('are done on the patched file system, where there is one', () => {
    const [first] = exercisesFor(subject('fs/ext4/inode.c'), { stressNg: true, calls: true, mount: '/mnt' })
    expect(first?.script).toMatch(/^cd \/mnt\n/)
    expect(patchedFileSystems(subject('fs/ext4/inode.c', 'fs/dcache.c', 'mm/slub.c'))).toEqual(['ext4'])
  })

  test('name modules that are names', () => {
    for (const name of exerciseModules()) expect(name).toMatch(/^[a-z0-9_]+$/)
  })

  test('are scripts that busybox’s shell understands, with stressors that stress-ng has', async () => {
    for (const { script } of exercisesFor(subject(), { stressNg: true, calls: true })) {
      execFileSync('busybox', ['sh', '-n'], { input: script, stdio: ['pipe', 'pipe', 'pipe'] })
      // It gives up at once when it does not know an option.
      for (const line of script.split('\n').filter((text) => text.startsWith('stress-ng ')))
        execFileSync('sh', ['-c', `${line.replace(' ', ' --dry-run ')}`], { stdio: 'ignore' })
    }
    const entries = await stressEntries(new AbortController().signal)
    expect(entries?.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['bin/stress-ng', 'lib64/ld-linux-x86-64.so.2']),
    )
  })

  test('drive by system calls what no shell reaches, where this machine can compile that', async () => {
    const parts = exercisesFor(subject(), { stressNg: true, calls: true }).flatMap(({ script }) =>
      script.split('\n').flatMap((line) => (line.startsWith('calls ') ? line.split(' ').slice(1) : [])),
    )
    const sources = readdirSync('guest').map((name) => readFileSync(path.join('guest', name), 'utf8'))
    const all = [...sources.join('').matchAll(/\{"([\w-]+)", \w+\}/g)].map(([, name]) => name)
    expect(parts.toSorted()).toEqual(all.toSorted())
    const compiled = await systemCallProgram('gcc', new AbortController().signal)
    // No loader: the guest has no libraries but stress-ng's.
    expect(compiled?.kind === 'file' && Buffer.from(compiled.bytes).includes('/lib64/ld-linux')).toBe(false)
    expect(compiled?.path).toBe('bin/calls')
    expect(await systemCallProgram('false', new AbortController().signal)).toBeUndefined()
    const without = exercisesFor(subject(), { stressNg: true, calls: false }).map(({ script }) => script)
    expect(without.join('\n')).not.toMatch(/^calls /m)
  })
})
