// SPDX-License-Identifier: GPL-3.0-or-later
// Small trees of C files and headers, and which of their units a change to a header can matter to.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { climbedDirectories, findCandidates, narrowUnits } from '../../../src/build/headers/header-units.ts'
import { openSurvey } from '../../../src/build/headers/survey.ts'
import { makeShadow } from '../../../src/build/kbuild/shadow-tree.ts'
import type { Unit, Units } from '../../../src/build/kbuild/units.ts'
import { silentJournal } from '../../../src/ground/job.ts'
import type { Kernel } from '../../../src/kernel/kernel.ts'
import type { FileChange } from '../../../src/patch/patch.ts'

const job = { signal: new AbortController().signal, journal: silentJournal() }
let dir: string
let root: string

beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-headers-'))
  root = path.join(dir, 'source')
  mkdirSync(path.join(dir, 'text'), { recursive: true })
})
afterEach(() => rmSync(dir, { recursive: true }))

function put(files: Readonly<Record<string, string>>): void {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
    writeFileSync(path.join(root, file), text, 'latin1')
  }
}

/** A kernel whose source may change without notice, so that nothing of it is kept. */
function kernelAt(): Kernel {
  const compiler = { program: 'gcc', versionText: '' }
  const at = { dir, source: root, image: '', vmlinux: '', systemMap: '', modulesRoot: '', symvers: '' }
  writeFileSync(path.join(dir, 'config'), '')
  const config = path.join(dir, 'config')
  return { release: 'x', version: '1', series: '6.1', flavour: '', origin: 'local', ...at, config, compiler }
}

function unitOf(source: string): Unit {
  const flags = ['-nostdinc', '-I./include', '-I./arch/x86/include', '-O2']
  const object = source.replace(/\.c$/, '.o')
  return {
    source,
    argument: source,
    object,
    home: 'vmlinux',
    modules: [],
    standard: true,
    flags,
    objtool: [],
  }
}

function unitsOf(sources: readonly string[]): Units {
  const all = sources.map(unitOf)
  return {
    all: () => all,
    find: (source) => all.filter((unit) => unit.source === source),
    mayInclude: () => [],
    typicalOfModules: () => undefined,
    assembly: () => [],
    stamp: 'small',
  }
}

function change(file: string, from: string | undefined, to: string): FileChange {
  if (from === undefined) return { path: file, after: to, origins: new Map(), lineage: [] }
  const before = readFileSync(path.join(root, file), 'latin1')
  const after = before.replace(from, () => to)
  expect(after).not.toBe(before)
  return { path: file, before, after, origins: new Map(), lineage: [] }
}

interface Found {
  readonly considered: number
  readonly candidates: readonly string[]
  readonly reached: readonly string[]
}

async function find(sources: readonly string[], ...changes: FileChange[]): Promise<Found> {
  const kernel = kernelAt()
  const units = unitsOf(sources)
  const survey = await openSurvey(job, kernel, units)
  const candidates = findCandidates(root, survey, units.all(), changes)
  const shadow = path.join(dir, 'shadow')
  rmSync(shadow, { recursive: true, force: true })
  const files = changes.map(({ path: file, after }) => ({ path: file, text: after }))
  makeShadow(root, shadow, files, climbedDirectories(survey, sources))
  const reached = await narrowUnits(job, { kernel, shadow, dir }, candidates.units)
  return {
    considered: candidates.considered.length,
    candidates: candidates.units.map(({ source }) => source),
    reached: reached.map(({ source }) => source),
  }
}

const tree = {
  'include/linux/x.h': `#ifndef _X_H
#define _X_H
#define LIMIT 4
struct x { int a; };
static inline int x_low(struct x *x) { return x->a; }
static inline int x_high(struct x *x) { return x_low(x) < LIMIT; }
static inline int x_rare(struct x *x) { return x->a + 1; }
#endif
`,
  'include/linux/y.h': '#include <linux/x.h>\n#define y_is_high(y) x_high(y)\n',
  'a.c': '#include <linux/x.h>\nint a(struct x *x) { return x_low(x); }\n',
  'b.c': '#include <linux/y.h>\nint b(struct x *x) { return y_is_high(x); }\n',
  'c.c': '#include <linux/y.h>\nint c;\n',
  'd.c': '#include "include/linux/other.h"\nint x_rare;\n',
  'e.c': '#include <linux/y.h>\n#ifdef NEVER\nint e(struct x *x) { return x_rare(x); }\n#endif\n',
}
const all = ['a.c', 'b.c', 'c.c', 'd.c', 'e.c']

test('an inline function matters to those that use it, through others and through macros', async () => {
  put(tree)
  expect(await find(all, change('include/linux/x.h', 'return x->a;', 'return x->a ^ 1;'))).toEqual({
    considered: 4,
    candidates: ['a.c', 'b.c'],
    reached: ['a.c', 'b.c'],
  })
})

test('a macro matters where it is expanded', async () => {
  put(tree)
  const found = await find(all, change('include/linux/x.h', 'LIMIT 4', 'LIMIT 5'))
  expect(found).toEqual({ considered: 4, candidates: ['b.c'], reached: ['b.c'] })
})

test('what the preprocessor leaves out does not matter', async () => {
  put(tree)
  const found = await find(all, change('include/linux/x.h', 'x->a + 1', 'x->a + 2'))
  expect(found).toEqual({ considered: 4, candidates: ['e.c'], reached: [] })
})

test('a comment matters to nobody', async () => {
  put(tree)
  const found = await find(all, change('include/linux/x.h', 'struct x', '/* one\n * x */\nstruct x'))
  expect(found).toEqual({ considered: 4, candidates: [], reached: [] })
})

test('a condition that changes is looked at in every unit', async () => {
  put(tree)
  const found = await find(
    all,
    change('include/linux/x.h', 'static inline int x_rare', '#ifdef X\n#endif\nstatic inline int x_rare'),
  )
  expect(found).toEqual({ considered: 4, candidates: ['a.c', 'b.c', 'c.c', 'e.c'], reached: [] })
})

test('a name that a macro pastes together is used', async () => {
  put({
    ...tree,
    'include/linux/z.h': '#include <linux/x.h>\n#define CALL(what, arg) x_##what(arg)\n',
    'z.c': '#include <linux/z.h>\nint z(struct x *x) { return CALL(rare, x); }\n',
    'n.c': '#include <linux/z.h>\nint n(struct x *x) { return CALL(low, x); }\n',
  })
  const found = await find(['z.c', 'n.c'], change('include/linux/x.h', 'x->a + 1', 'x->a + 2'))
  expect(found).toEqual({ considered: 2, candidates: ['z.c'], reached: ['z.c'] })
})

test('a header is found beside its unit, above it, through a link’s directory and by computed names', async () => {
  put({
    'sub/near.h': 'static inline int near(void) { return 1; }\n',
    'sub/deep/a.c': '#include "../near.h"\nint a(void) { return near(); }\n',
    'sub/deep/wrap.h': '#include "../near.h"\n',
    'sub/b.c': '#include "deep/wrap.h"\nint b(void) { return near(); }\n',
    'sub/c.c': '#define HEADER "near.h"\n#include HEADER\nint c(void) { return near(); }\n',
    'far/near.h': '\n',
    'far/d.c': '#include "near.h"\nint d(void) { return 0; }\n',
  })
  const found = await find(
    ['sub/deep/a.c', 'sub/b.c', 'sub/c.c', 'far/d.c'],
    change('sub/near.h', 'return 1', 'return 2'),
  )
  expect(found.considered).toBe(3)
  expect(found.reached).toEqual(['sub/deep/a.c', 'sub/b.c', 'sub/c.c'])
})

test('a header of tracepoints is found though it is included by its own name only once', async () => {
  put({
    'include/trace/define_trace.h': '#include TRACE_INCLUDE(TRACE_INCLUDE_FILE)\n',
    'drivers/t/events.h':
      '#undef TRACE_SYSTEM\n#define TRACE_SYSTEM t\n#define TRACE_INCLUDE_FILE shapes\n#define ' +
      'TRACE_INCLUDE_PATH ../../drivers/t\n',
    'drivers/t/shapes.h': 'static inline int shape(void) { return 1; }\n',
    'drivers/t/t.c': '#include "events.h"\nint t(void) { return 1; }\n',
  })
  const found = await find(
    ['drivers/t/t.c'],
    change('drivers/t/shapes.h', 'static inline int shape(void) { return 1; }', 'int shape;'),
  )
  expect(found.considered).toBe(1)
})

test('a new header that comes in the place of another is looked at', async () => {
  put({
    'include/linux/two.h': '#define TWO 2\n',
    'arch/x86/include/asm/one.h': '\n',
    'a.c': '#include <linux/two.h>\nint a = TWO;\n',
  })
  const found = await find(['a.c'], change('linux/two.h', undefined, '#define TWO 3\n'))
  expect(found.considered).toBe(1)
})

describe('a flag that is defined within a struct', () => {
  const flagged = {
    'include/linux/f.h': `struct flagged {
	int flags;
#define F_ONE 1
#define F_TEN 10
#define F_SIZE 2
	char data[F_SIZE];
};
static inline int flags_of(struct flagged *f) { return f->flags; }
`,
    'holds.c': '#include <linux/f.h>\nint holds(struct flagged *f) { return sizeof(*f) + flags_of(f); }\n',
    'asks.c': '#include <linux/f.h>\nint asks(int flags) { return flags & F_ONE; }\n',
    'new.c': '#include <linux/f.h>\n#ifndef F_TWO\n#define F_TWO 4\n#endif\nint two = F_TWO;\n',
  }
  const units = ['holds.c', 'asks.c', 'new.c']
  const reachedBy = async (from: string, to: string): Promise<readonly string[]> => {
    put(flagged)
    const { candidates, reached } = await find(units, change('include/linux/f.h', from, to))
    expect(candidates).toEqual(reached)
    return reached
  }

  test('matters to those that use it, and not to those that use the struct', async () => {
    expect(await reachedBy('#define F_ONE 1\n', '#define F_ONE 16\n')).toEqual(['asks.c'])
    expect(await reachedBy('#define F_ONE 1\n', '#define F_ONE 1\n#define F_TWO 2\n')).toEqual(['new.c'])
    expect(await reachedBy('#define F_ONE 1\n#define F_TEN', '#define F_TEN')).toEqual(['asks.c'])
  })

  test('matters to the struct whose member it measures', async () => {
    expect(await reachedBy('#define F_SIZE 2', '#define F_SIZE 20')).toEqual(['holds.c'])
  })

  test('hides no member that changes with it', async () => {
    expect(await reachedBy('#define F_ONE 1\n', '#define F_ONE 16\n	int more;\n')).toEqual(['holds.c', 'asks.c'])
  })
})
