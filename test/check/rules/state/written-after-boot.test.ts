// SPDX-License-Identifier: GPL-3.0-or-later
// New code and what became read-only when the kernel had started.
import { describe, expect, test } from 'vitest'
import { bootDataFindings } from '../../../../src/check/rules/state/written-after-boot.ts'
import { changedFunctions } from '../../../../src/check/subject/changed-functions.ts'
import { changeOf } from '../../text.ts'

const text = (body: string) => `
static struct kmem_cache *cache __ro_after_init;
static struct family { int users; struct mutex lock; } family __ro_after_init = { 0 };
static int limits[4] __ro_after_init;
static int *table __ro_after_init;
static struct file *files[2 * 2] __ro_after_init;
static int plain;
static void reset(void) { limit = 0; }
int release(struct file *file) { ${body} return 0; }
static int __init start(void) { cache = make(); return 0; }
`
const found = (body: string, isReadOnly?: (name: string) => boolean) =>
  bootDataFindings(changedFunctions([changeOf(text(''), text(body))]), isReadOnly).map(
    ({ message }) => /writes to (\w+)/.exec(message)?.[1],
  )

describe('a write to what is read-only since the start is told', () => {
  test.each([
    ['of a pointer', 'cache = NULL;', ['cache']],
    ['of a member', 'family.users++;', ['family']],
    ['by a lock in it', 'mutex_lock(&family.lock); mutex_unlock(&family.lock);', ['family']],
    ['by WRITE_ONCE', 'WRITE_ONCE(cache, file->cache);', ['cache']],
    ['only to read it', 'use(cache); if (family.users > 1) return 1;', []],
    ['where the pointer leads', 'cache->count = 1;', []],
    ['of an array’s element', 'limits[2] = 1;', ['limits']],
    ['of an array’s first element', '*limits = 1;', ['limits']],
    ['of a pointer in an array', 'files[1] = file;', ['files']],
    ['where a pointer in an array leads', 'files[1]->count = 1;', []],
    ['of an element where a pointer leads', 'table[2] = 1;', []],
    ['where that pointer leads', '*table = 1;', []],
    ['of a variable that stays writable', 'plain = 1;', []],
    ['of a local variable of that name', 'int cache; cache = 1;', []],
  ])('%s', (_what, body, names) => {
    expect(found(body)).toEqual(names)
  })

  test('of a variable that another file declares, as the kernel’s image tells', () => {
    expect(found('limit = 3;', (name) => name === 'limit')).toEqual(['limit'])
    expect(found('limit = 3;')).toEqual([])
    expect(found('sizes[1] = 3;', (name) => name === 'sizes')).toEqual(['sizes'])
  })

  test('of each function that does it', () => {
    const both = (body: string) => `${text(body)}void more(void) { ${body} }\n`
    const [one, ...others] = bootDataFindings(changedFunctions([changeOf(both(''), both('plain = limits[0] = 3;'))]))
    expect(others).toEqual([])
    expect(one).toMatchObject({ functions: ['release', 'more'] })
    expect(one?.message).toMatch(/^Each of release and more now writes to limits,/)
  })

  test('also by a helper that the new code begins to call', () => {
    expect(found('reset();', (name) => name === 'limit')).toEqual(['limit'])
  })

  test('not of one that comes with the patch, which is carried where it can be written to', () => {
    const fresh = 'static int fresh __ro_after_init;\n'
    const change = changeOf(text(''), `${fresh}${text('fresh = 3;')}`)
    expect(bootDataFindings(changedFunctions([change]))).toEqual([])
  })
})
