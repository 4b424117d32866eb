// SPDX-License-Identifier: GPL-3.0-or-later
// A small tree that a real compiler reads: what was compiled must not be used any more when something of it changes.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { mayHideInputs, readInputs, tellingInputs } from '../../../src/build/compiler/compiler-run.ts'
import { type Inputs, InputTree, parseInputs, renderInputs } from '../../../src/build/compiler/inputs.ts'

const gcc = { program: 'gcc', versionText: 'gcc' }
const flags = ['-nostdinc', '-I./arch/include', '-I./include']
let dir: string
let tree: string
/** Later than all files of the tree, as if some time had gone by. */
const later = () => Date.now() + 10_000

function put(file: string, text: string): void {
  mkdirSync(path.dirname(path.join(tree, file)), { recursive: true })
  writeFileSync(path.join(tree, file), text)
}

beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-inputs-'))
  tree = path.join(dir, 'tree')
  put('include/linux/a.h', '#include "b.h"\n')
  put('include/linux/b.h', 'int b;\n')
  put('arch/include/asm/c.h', 'int c;\n')
  put('fs/own.h', 'int own;\n')
  put('fs/data', 'bytes')
  put('fs/x.c', '#include <linux/a.h>\n#include <asm/c.h>\n#include "own.h"\nasm(".incbin \\"fs/data\\"");\n')
})
afterEach(() => rmSync(dir, { recursive: true }))

async function compiled(
  since = later(),
  own: string[] = [],
  inputs = new InputTree(tree),
): Promise<Inputs | undefined> {
  const object = path.join(dir, 'x.o')
  execFileSync('gcc', [...flags, ...tellingInputs(gcc, object), '-c', '-o', object, 'fs/x.c'], { cwd: tree })
  const read = await readInputs(gcc, object, tree)
  return inputs.record({
    hides: (text) => mayHideInputs(gcc, text),
    read: read ?? [],
    searched: ['./arch/include', './include'],
    own: new Set(own),
    generated: new Map(),
    since,
  })
}

const holds = async (inputs: Inputs | undefined) =>
  (await new InputTree(tree).check(parseInputs(renderInputs(inputs!)), async () => new Map())) !== undefined

test('what was compiled holds as long as nothing changes, and tells what it was compiled from', async () => {
  const inputs = await compiled()
  expect(inputs?.files.map((file) => file.path).sort()).toEqual([
    'arch/include/asm/c.h',
    'fs/data',
    'fs/own.h',
    'fs/x.c',
    'include/linux/a.h',
    'include/linux/b.h',
  ])
  expect(await holds(inputs)).toBe(true)
})

test.each(['include/linux/b.h', 'arch/include/asm/c.h', 'fs/own.h', 'fs/x.c', 'fs/data'])(
  '%s changes in its place, with its size and its time as before',
  async (file) => {
    const inputs = await compiled()
    const full = path.join(tree, file)
    const { atime, mtime } = statSync(full)
    const text = readFileSync(full, 'utf8')
    writeFileSync(full, `${text.slice(0, -2)}!${text.slice(-1)}`)
    utimesSync(full, atime, mtime)
    expect(await holds(inputs)).toBe(false)
    writeFileSync(full, text)
    expect(await holds(inputs)).toBe(true)
  },
)

test('a file is replaced by another one, with the same content or not', async () => {
  const inputs = await compiled()
  const full = path.join(tree, 'include/linux/b.h')
  const other = path.join(tree, 'other')
  const replace = (text: string) => {
    writeFileSync(other, text)
    renameSync(other, full)
  }
  replace('int d;\n')
  expect(await holds(inputs)).toBe(false)
  replace('int b;\n')
  expect(await holds(inputs)).toBe(true)
})

test.each([
  ['before the others on the search path', 'arch/include/linux/a.h'],
  ['in a directory of the search path that was not there', 'arch/include/linux/b/none.h'],
  ['beside the unit', 'fs/linux/a.h'],
])('a new file stands %s', async (_, file) => {
  const inputs = await compiled()
  put(file, 'int shadow;\n')
  expect(await holds(inputs)).toBe(false)
})

test('a file is removed, or a directory on its way', async () => {
  const inputs = await compiled()
  rmSync(path.join(tree, 'arch'), { recursive: true })
  expect(await holds(inputs)).toBe(false)
})

test('a file that changes while the compiler runs: nothing is kept', async () => {
  expect(await compiled(Date.now())).toBeUndefined()
})

test('what one side was held against is written down for the other, unless it changes meanwhile', async () => {
  const kept = await compiled()
  const looked = async () => {
    const inputs = new InputTree(tree)
    expect(await inputs.check(kept!, async () => new Map())).toBe(kept)
    return inputs
  }
  expect(await compiled(later(), [], await looked())).toEqual(kept)
  const before = await looked()
  put('include/linux/b.h', 'int z;\n')
  expect(await compiled(later(), [], before)).toBeUndefined()
})

test('what the key has by its content is not looked at', async () => {
  const inputs = await compiled(later(), ['fs/own.h'])
  put('fs/own.h', 'int other;\n')
  expect(await holds(inputs)).toBe(true)
})

test('what was generated is compared by its content', async () => {
  const tree2 = new InputTree(tree)
  const inputs = tree2.record({
    hides: () => false,
    read: ['fs/made.h'],
    searched: [],
    own: new Set(),
    generated: new Map([['fs/made.h', 'one']]),
    since: later(),
  })
  const check = (text: string) => tree2.check(inputs!, async () => new Map([['fs/made.h', text]]))
  expect(await check('one')).toBe(inputs)
  expect(await check('two')).toBeUndefined()
})

describe('an object is not kept where the compiler may have looked at what it does not tell:', () => {
  const clang = { program: 'clang', versionText: 'Debian clang version 14.0.6' }

  test.each([
    ['by its name', 'asm(".incbin \\"fs/data\\"");'],
    ['of which macros compose the name', '#define AT(x) ".incbin \\"" #x "\\""\nasm(AT(fs/data));'],
    ['in neighbouring strings', 'asm(".inc" "bin \\"fs/data\\"");'],
    ['in strings of two lines', 'asm(".in"\n    "clude \\"fs/data\\"");'],
    ['of which a macro has a part', '#define REST "bin"\nasm(".inc" REST " \\"fs/data\\"");'],
    ['of assembly', 'asm(".include \\"fs/data\\"");'],
    ['in capitals', 'asm(".INCBIN \\"fs/data\\"");'],
  ])('a file %s, with clang, which assembles by itself', (_, text) => {
    expect(mayHideInputs(clang, text)).toBe(true)
    // The assembler that gcc runs tells it.
    expect(mayHideInputs(gcc, text)).toBe(false)
  })

  test('whether a header is there', async () => {
    put('include/crypto/other.h', '')
    put('fs/x.c', '#if __has_include(<crypto/new.h>)\nint there;\n#endif\n')
    expect(await compiled()).toBeUndefined()
    put('include/linux/b.h', '#if __has_include_next(<linux/b.h>)\nint b;\n#endif\n')
    put('fs/x.c', '#include <linux/a.h>\n')
    expect(await compiled()).toBeUndefined()
  })

  test.each([
    ['an #include', '#include "own.inc"\n#include <linux/a.h>\n'],
    [
      'a comment',
      '/* not via asm(".include <asm/x.h>") or __has_include(<x.h>) */ int x;\n/* asm\n * ".incbin" is ' +
        'said here, and __has_include(<y.h>)\n */\n',
    ],
    ['another word', 'int include, inc, has_include; int f(void) { return include + inc; }'],
  ])('%s is none', (_, text) => {
    expect(mayHideInputs(clang, text)).toBe(false)
    expect(mayHideInputs(gcc, text)).toBe(false)
  })
})
