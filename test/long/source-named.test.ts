// SPDX-License-Identifier: GPL-3.0-or-later
// Functions of real units that once came out wrong, or not at all: cut out under the name that a live patch gives them,
// they compile, have no second copy of anything, and are the machine code of the unit or differ by what the compiler
// chose.
import { describe, expect, test } from 'vitest'
import { tryUnit } from '../../bench/source/trial.ts'
import { openUnits } from '../../src/build/kbuild/units.ts'
import { silentJournal } from '../../src/ground/job.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { kernelNames } from '../../src/match/names.ts'

const job = { signal: new AbortController().signal, journal: silentJournal() }

/** What the compiler may do otherwise with the same text. */
const chosen = /^(?:identical|other-(?:inlining|split|registers|size|order-of-blocks|clone|calls))$/

describe.each(['bookworm', 'trixie'])('the kernel of %s', (suite) => {
  test.each([
    // Attributes by a macro, in front of static.
    ['kernel/bpf/verifier.c', ['verbose_linfo', 'check_cond_jmp_op', 'do_check_common']],
    ['kernel/printk/printk.c', ['printk_sprint', 'vprintk_store', 'devkmsg_read']],
    // Called like a tag, a member, a local variable.
    ['fs/ext4/inode.c', ['ext4_map_blocks', 'ext4_evict_inode']],
    ['mm/vmpressure.c', ['vmpressure', 'vmpressure_prio']],
    ['kernel/bpf/btf.c', ['btf_show', 'btf_struct_show']],
    ['kernel/locking/semaphore.c', ['up', 'down']],
    // A list of macros in a header of another directory.
    ['arch/x86/kvm/x86.c', ['kvm_arch_hardware_setup', 'kvm_arch_vcpu_create', 'kvm_set_cr0', 'kvm_x86_vendor_init']],
    ['arch/x86/kvm/pmu.c', ['kvm_pmu_ops_update', 'kvm_pmu_refresh', 'kvm_pmu_rdpmc']],
  ])('%s', async (source, wanted) => {
    const kernel = await selectKernel(job, suite)
    const unit = (await openUnits(job, kernel)).find(source).find(({ home }) => home !== 'elsewhere')!
    const names = await kernelNames(kernel, [unit.modules[0] ?? 'vmlinux'])
    try {
      let tried: readonly string[] = []
      const trial = await tryUnit({ job, kernel, names, rename: true }, unit, (all) => {
        tried = all.filter((name) => wanted.includes(name))
        return tried
      })
      expect(tried.length).toBeGreaterThan(0)
      for (const { name, outcome, message, copies, warning, text } of trial!.functions) {
        expect(outcome, `${name}: ${message}\n${text}`).toMatch(chosen)
        expect([copies, warning], `${name}\n${text}`).toEqual([[], undefined])
      }
    } finally {
      names.close()
    }
  })
})
