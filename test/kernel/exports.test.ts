// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, test } from 'vitest'
import { moduleName, parseExports } from '../../src/kernel/exports.ts'

const exports = parseExports(
  [
    '0x4c9d28b0\tphys_base\tvmlinux\tEXPORT_SYMBOL\t',
    '0xffffffff\tcipher\tvmlinux\tEXPORT_SYMBOL_GPL\tCRYPTO_INTERNAL',
    '0x00000001\tvmlinux\tnet/my-mod\tEXPORT_SYMBOL_GPL\t',
    '0x00000002\told\tvmlinux\tEXPORT_SYMBOL',
  ].join('\n'),
)

describe('what a kernel exports', () => {
  test('is found with version, owner, namespace and licence', () => {
    expect(exports.find('phys_base')).toEqual({
      name: 'phys_base',
      crc: 0x4c9d28b0,
      module: 'vmlinux',
      namespace: '',
      gpl: false,
    })
    expect(exports.find('cipher')).toMatchObject({ crc: 0xffffffff, namespace: 'CRYPTO_INTERNAL', gpl: true })
    expect(exports.find('old')).toMatchObject({ crc: 2, namespace: '' })
  })

  test('is not taken for another column of the table', () => {
    expect(exports.find('vmlinux')).toMatchObject({ crc: 1, module: 'my_mod' })
    expect(exports.find('EXPORT_SYMBOL')).toBeUndefined()
    expect(exports.find('base')).toBeUndefined()
    expect(exports.find('')).toBeUndefined()
  })

  test.each([
    ['kernel/fs/ext4/ext4.ko', 'ext4'],
    ['snd-hda-intel.ko.xz', 'snd_hda_intel'],
    ['net/802/p8022.ko.zst', 'p8022'],
  ])('the module of %s is called %s', (file, name) => {
    expect(moduleName(file)).toBe(name)
  })
})
