// SPDX-License-Identifier: GPL-3.0-or-later
// The layout of livepatch structures that no kernel has, so that nothing is right by accident.
import type { Layout } from '../../src/module/structures/template.ts'

export const layout: Layout = {
  patch: { size: 64, mod: 8, objs: 16, replace: 32, states: 24 },
  object: {
    size: 72,
    name: 0,
    funcs: 16,
    callbacks: { pre_patch: 24, post_patch: 40, pre_unpatch: 32, post_unpatch: 48 },
  },
  func: { size: 40, oldName: 8, newFunc: 0, oldSympos: 16 },
  state: { size: 24, id: 8, version: 4 },
  module: { name: 0, nameSize: 56 },
  version: { size: 64, crc: 0, name: 8 },
}
