// SPDX-License-Identifier: GPL-3.0-or-later
// The tables of a live patch as they lie in its compiled wrapper. The structures are a small kernel's own; the compiler
// says how it lays them out.
import { describe, expect, test } from 'vitest'
import { Fault } from '../../../src/ground/fault.ts'
import type { Layout } from '../../../src/module/structures/template.ts'
import { readWrapper, type Wrapper } from '../../../src/module/structures/wrapper.ts'
import { compile } from '../../objects.ts'

const structures = `
struct klp_func { const char *old_name; void *new_func; unsigned long old_sympos; void *kernels[3]; };
struct klp_object { const char *name; struct klp_func *funcs;
  struct { int (*pre_patch)(void *); void (*post_patch)(void *); void (*pre_unpatch)(void *); void (*post_unpatch)(void *); } callbacks;
  void *kernels[2]; };
struct klp_state { unsigned long id; unsigned int version; void *data; };
struct klp_patch { void *mod; struct klp_object *objs; struct klp_state *states; _Bool replace; int kernels; };
extern char __this_module[];
`

const layout: Layout = {
  patch: { size: 32, mod: 0, objs: 8, states: 16, replace: 24 },
  object: {
    size: 64,
    name: 0,
    funcs: 8,
    callbacks: { pre_patch: 16, post_patch: 24, pre_unpatch: 32, post_unpatch: 40 },
  },
  func: { size: 48, oldName: 0, newFunc: 8, oldSympos: 16 },
  state: { size: 24, id: 0, version: 8 },
  module: { name: 0, nameSize: 56 },
  version: { size: 64, crc: 0, name: 8 },
}

const read = (text: string): Wrapper => readWrapper(compile(structures + text), layout, 'livepatch.c')

function refusal(text: string): string {
  try {
    read(text)
  } catch (error) {
    if (error instanceof Fault) return `${error.kind}/${error.code}: ${error.message}`
    throw error
  }
  return 'none'
}

const patch = 'struct klp_patch inarch_patch = { .mod = __this_module, .objs = objs };'

describe('a wrapper', () => {
  test('says what is replaced, in which object, at which position and by what', () => {
    expect(
      read(`
        extern char livepatch_f[], livepatch_g[], livepatch_h[];
        static struct klp_func some[] = { { "f", livepatch_f }, { "g", livepatch_g, 3 }, { } };
        static struct klp_func more[] = { { "h", livepatch_h }, { } };
        static struct klp_object objs[] = { { .funcs = some }, { .name = "ext4", .funcs = more }, { } };
        struct klp_patch inarch_patch = { .mod = __this_module, .objs = objs, .replace = 1 };`),
    ).toEqual({
      objects: [
        {
          name: 'vmlinux',
          functions: [
            { oldName: 'f', position: 0, replacement: 'livepatch_f' },
            { oldName: 'g', position: 3, replacement: 'livepatch_g' },
          ],
          callbacks: [],
        },
        {
          name: 'ext4',
          functions: [{ oldName: 'h', position: 0, replacement: 'livepatch_h' }],
          callbacks: [],
        },
      ],
      states: [],
      replace: true,
    })
  })

  test('says which callbacks an object has, its own among them, and which states there are', () => {
    expect(
      read(`
        int livepatch_begin(void *object);
        static void end(void *object) { }
        static struct klp_func none[] = { { } };
        static struct klp_object objs[] = { { .funcs = none, .callbacks = { .pre_patch = livepatch_begin, .post_unpatch = end } }, { } };
        static struct klp_state states[] = { { 7, 2 }, { 9, 1 }, { } };
        struct klp_patch inarch_patch = { .mod = __this_module, .objs = objs, .states = states };`),
    ).toEqual({
      objects: [
        {
          name: 'vmlinux',
          functions: [],
          callbacks: [
            { kind: 'pre_patch', name: 'livepatch_begin' },
            { kind: 'post_unpatch', name: 'end' },
          ],
        },
      ],
      states: [
        { id: 7, version: 2 },
        { id: 9, version: 1 },
      ],
      replace: false,
    })
  })

  test.each([
    ['has no klp_patch', 'int nothing;', 'does not define inarch_patch'],
    [
      'hides its klp_patch',
      `static struct klp_object objs[1]; static ${patch} void *use(void) { return &inarch_patch; }`,
      'inarch_patch is static',
    ],
    ['forgets its module', 'struct klp_patch inarch_patch = { .replace = 1 };', '.mod is not THIS_MODULE'],
    [
      'has a list of objects without an end',
      `static struct klp_func none[1]; static struct klp_object objs[] = { { .funcs = none } }; ${patch}`,
      'the list of objects has no end',
    ],
    [
      'has a list of functions without an end',
      'extern char f[]; static struct klp_func funcs[] = { { "f", f } }; static struct klp_object ' +
        `objs[] = { { .funcs = funcs }, { } }; ${patch}`,
      'the list of functions of vmlinux has no end',
    ],
    [
      'replaces a function by nothing',
      'static struct klp_func funcs[] = { { "f" }, { } }; static struct klp_object objs[] = { { .funcs ' +
        `= funcs }, { } }; ${patch}`,
      'f has no .new_func',
    ],
    [
      'has a list that is somewhere else',
      `extern struct klp_func funcs[]; static struct klp_object objs[] = { { .funcs = funcs }, { } }; ${patch}`,
      'funcs is not defined in it',
    ],
    [
      'names an object as no object is called',
      'static struct klp_func funcs[1]; static struct klp_object objs[] = { { .name = "a/b", .funcs = ' +
        `funcs }, { } }; ${patch}`,
      'the name of an object is not a name',
    ],
  ])('that %s is refused', (_, text, why) => {
    expect(refusal(text)).toBe(
      'usage/bad-wrapper: livepatch.c has no tables that a live patch can have: ' +
        `${text.startsWith('int nothing') ? 'it ' : ''}${why}`,
    )
  })
})
