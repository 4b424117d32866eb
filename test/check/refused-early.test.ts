// SPDX-License-Identifier: GPL-3.0-or-later
// Small trees with one header, compiled for real: which changes of it refuse a patch already by the types of one unit,
// and which leave it open until all units are compiled.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BuildTrees } from '../../src/build/compiler/compile-unit.ts'
import { InputTree } from '../../src/build/compiler/inputs.ts'
import { makeShadow } from '../../src/build/kbuild/shadow-tree.ts'
import type { Unit, Units } from '../../src/build/kbuild/units.ts'
import { refusingLayouts } from '../../src/check/refused-early.ts'
import { silentJournal } from '../../src/ground/job.ts'

const job = { signal: new AbortController().signal, journal: silentJournal() }
let dir: string

beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-early-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

const header = `enum level { LOW, HIGH };
struct box { char kind; long size; enum level level; };
static inline long box_size(struct box *box) { return box->size; }
`
const files = {
  'include/box.h': header,
  'a.c': '#include <box.h>\nstruct box boxes[4];\nlong a(int i) { return box_size(boxes + i); }\n',
  // It knows the type by its name only.
  'b.c': 'struct box;\nlong b(struct box *box) { return box != 0; }\n',
}

/** What is said of a unit when the header changes so. */
async function refusing(from: string, to: string, source = 'a.c'): Promise<string[]> {
  const root = path.join(dir, 'source')
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
    writeFileSync(path.join(root, file), text)
  }
  mkdirSync(path.join(dir, 'tmp'))
  const after = header.replace(from, () => to)
  const shadow = path.join(dir, 'shadow')
  makeShadow(root, shadow, [{ path: 'include/box.h', text: after }], [])
  const object = source.replace('.c', '.o')
  const unit: Unit = {
    source,
    argument: source,
    object,
    home: 'vmlinux',
    modules: [],
    standard: true,
    flags: ['-nostdinc', '-I./include', '-O2'],
    objtool: [],
  }
  const known: Units = {
    all: () => [unit],
    find: () => [unit],
    mayInclude: () => [],
    typicalOfModules: () => undefined,
    assembly: () => [],
    stamp: '',
  }
  const none = { image: '', vmlinux: '', systemMap: '', modulesRoot: '', symvers: '', config: '', dir }
  const compiler = { program: 'gcc', versionText: '' }
  const bench: BuildTrees = {
    kernel: {
      release: 'x',
      version: '1',
      series: '6.1',
      flavour: '',
      origin: 'local',
      source: root,
      compiler,
      ...none,
    },
    known,
    changes: [{ path: 'include/box.h', before: header, after, origins: new Map(), lineage: [] }],
    dir,
    shadow,
    climbed: [],
    identity: '',
    inputs: new InputTree(root),
    since: Date.now(),
    meanwhile() {},
    generated: async () => [],
  }
  expect(readFileSync(path.join(shadow, 'include/box.h'), 'utf8')).not.toBe(header)
  return await refusingLayouts(job, bench, [unit])
}

describe('a header refuses the patch by one unit', () => {
  test('when a struct grows', async () => {
    expect(await refusing('long size;', 'long size; long more;')).toEqual(['struct box'])
  })

  test('when a member moves', async () => {
    expect(await refusing('char kind; long size;', 'long size; char kind;')).toEqual(['struct box'])
  })

  test('when a number becomes another one', async () => {
    expect(await refusing('LOW, HIGH', 'LOW, MIDDLE, HIGH')).toEqual(['enum level'])
  })
})

describe('a header leaves it open', () => {
  test('when a member comes where nothing was', async () => {
    expect(await refusing('char kind;', 'char kind; char more;')).toEqual([])
  })

  test('when a number is added', async () => {
    expect(await refusing('LOW, HIGH', 'LOW, HIGH, HIGHEST')).toEqual([])
  })

  test('when only code changes', async () => {
    expect(await refusing('return box->size', 'return box->size + 1')).toEqual([])
  })

  test('when the unit does not see the type', async () => {
    expect(await refusing('long size;', 'long size; long more;', 'b.c')).toEqual([])
  })

  test('when the unit can’t be read with it', async () => {
    expect(await refusing('struct box {', '#error never\nstruct box { long more;')).toEqual([])
  })
})
