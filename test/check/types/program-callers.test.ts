// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, test } from 'vitest'
import { isCalledByPrograms } from '../../../src/check/types/program-callers.ts'

describe('BPF programs call', () => {
  test.each([
    ['what is marked', '__bpf_kfunc void mask_set(u32 cpu, struct mask *m)\n{\n}\n', true],
    ['what is listed', 'void mask_set(u32 cpu)\n{\n}\nBTF_ID_FLAGS(func, mask_set, KF_RCU)\n', true],
    ['what is listed without flags', 'void mask_set(u32 cpu)\n{\n}\nBTF_ID(func, mask_set)\n', true],
    ['and not what a kfunc calls', '__bpf_kfunc void mask_all(struct mask *m)\n{\n\tmask_set(m);\n}\n', false],
    ['and not what begins so', 'BTF_ID_FLAGS(func, mask_set_all)\n', false],
  ])('%s', (_, text, is) => {
    expect(isCalledByPrograms(text, 'mask_set')).toBe(is)
  })
})
