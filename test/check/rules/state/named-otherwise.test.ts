// SPDX-License-Identifier: GPL-3.0-or-later
// Names under which things are registered, and by which they are found and removed.
import { describe, expect, test } from 'vitest'
import { nameFindings } from '../../../../src/check/rules/state/named-otherwise.ts'
import { beyondOf } from '../../../../src/check/semantics/plain/judgement.ts'
import { changedFunctions } from '../../../../src/check/subject/changed-functions.ts'
import { changeOf } from '../../text.ts'

function said(before: string, after: string): string[] {
  const changes = [changeOf(before, after)]
  return nameFindings(changedFunctions(changes), changes).map(({ message }) => message)
}

const twoFunctions = (make: string, find: string) =>
  `static int one_add(struct one *it)\n{\n${make}\n}\nstatic void one_del(struct one *it)\n{\n${find}\n}\n`

describe('a name that is looked for', () => {
  test.each([
    ['a text', 'return debugfs_create_u32("A", 0, it->dir, &it->n);', 'debugfs_lookup_and_remove("A", it->dir);'],
    [
      'a format that fills a buffer',
      'char name[9];\nsprintf(name, "A%u", it->id);\nreturn !proc_mkdir(name, root);',
      'char name[9];\nsnprintf(name, sizeof(name), "A%d", it->id);\nremove_proc_entry(name, root);',
    ],
    [
      'what is put behind a text',
      'char b[9];\nstrscpy(b, prefix, 9);\nstrlcat(b, "A", 9);\nreturn !proc_create(b, 0, 0, 0);',
      'char b[9];\nstrscpy(b, prefix, 9);\nstrlcat(b, "A", 9);\nremove_proc_entry(b, 0);',
    ],
    [
      'one of two texts',
      'return sysfs_create_link(a, b, it->up ? "A" : "low");',
      'sysfs_remove_link(a, it->up ? "A" : "low");',
    ],
    [
      'a text that a pointer is given',
      'return kobject_init_and_add(&it->k, &t, p, "A");',
      'const char *key = "A";\nreturn kobject_put(kset_find_obj(set, key));',
    ],
  ])('and is %s', (_, make, find) => {
    const to = (text: string) => text.replace('"A', '"other')
    const found = said(twoFunctions(make, find), twoFunctions(to(make), to(find)))
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(/^one_del now asks \w+ for "other(?:%d)?" instead of "A(?:%d)?"/)
    // Where only new things are called otherwise, old ones are still found; so a note is all that is due.
    expect(said(twoFunctions(make, find), twoFunctions(to(make), find))).toEqual([])
  })

  test('and is a macro', () => {
    const of = (name: string) =>
      `#define NAME "${name}"\n${twoFunctions('return !proc_mkdir(NAME, 0);', 'remove_proc_entry(NAME, 0);')}`
    expect(said(of('a'), of('b'))).toHaveLength(1)
  })

  test('and is handed on by a function of the same file', () => {
    const of = (name: string) =>
      `static void drop(struct one *it, const char *name)\n{\nremove_proc_entry(name, ` +
      `it->dir);\n}\nvoid f(struct one *it)\n{\ndrop(it, "${name}");\n}\n`
    expect(said(of('a'), of('b'))).toHaveLength(1)
  })
})

describe('there is nothing to ask', () => {
  test('where the new name is the one under which it is', () => {
    const make = 'return !proc_mkdir("right", 0);'
    const of = (name: string) => twoFunctions(make, `remove_proc_entry("${name}", 0);`)
    expect(said(of('wrong'), of('right'))).toEqual([])
  })

  test('where the call removes what it has registered itself', () => {
    const of = (name: string) =>
      `int f(void)\n{\nif (!proc_mkdir("${name}", 0)) return -1;\nif (more()) { ` +
      `remove_proc_entry("${name}", 0); return -2; }\nreturn 0;\n}\n`
    expect(said(of('a'), of('b'))).toEqual([])
  })

  test('where both names are looked for, one more is, or the code moves', () => {
    const del = (text: string) => `void f(void)\n{\n${text}\n}\n`
    const one = 'remove_proc_entry("a", 0);'
    const more = `${one}\nremove_proc_entry("b", 0);`
    expect(said(del(one), del(more))).toEqual([])
    expect(said(del(more), del(one))).toEqual([])
    expect(said(del(one), `static void g(void)\n{\n${one}\n}\n${del('g();')}`)).toEqual([])
    expect(
      said(
        del('char n[4];\nsprintf(n, "%d", 1);\nremove_proc_entry(n, 0);'),
        del('char n[4];\nsprintf(n, "%u", 1);\nremove_proc_entry(n, 0);'),
      ),
    ).toEqual([])
  })
})

test('a name that is made in a buffer and registered is not plain', () => {
  const of = (format: string, word: string) =>
    `int f(struct one *it)\n{\nchar name[9];\nsprintf(name, "${format}", it->id);\nreturn ${word};\n}\n`
  const verdict = (word: string) => {
    const functions = changedFunctions([changeOf(of('a%d', word), of('b%d', word))])
    return beyondOf(functions, functions.all[0]!)?.verdict
  }
  expect(verdict('!proc_mkdir(name, 0)')).toBe('lives')
  expect(verdict('strlen(name)')).toBe('plain')
})

describe('a function of which only a macro changes', () => {
  test('is told in its own file, and each name of it', () => {
    const user =
      '#include "names.h"\nvoid drop(void)\n{\n\tremove_proc_entry(NAME, 0);\n\tremove_proc_entry(OTHER, 0);\n}\n'
    const header = (name: string) => `#define NAME "${name}"\n#define OTHER "${name}s"\n`
    const changes = [
      changeOf('int first;\n', 'int first = 1;\n', 'fs/a.c'),
      changeOf(header('old'), header('new'), 'fs/names.h'),
      changeOf(user, `${user}\n`, 'fs/z.c'),
    ]
    const found = nameFindings(changedFunctions(changes), changes)
    expect(found).toMatchObject([
      { symbol: 'drop', unit: 'fs/z.c', message: expect.stringContaining('"new" instead of "old"') },
      { symbol: 'drop', unit: 'fs/z.c', message: expect.stringContaining('"news" instead of "olds"') },
    ])
  })
})
