// SPDX-License-Identifier: GPL-3.0-or-later
// Constructors of slabs: what they set up, the objects of slabs that exist have from the old ones.
import { expect, test } from 'vitest'
import { constructorFindings } from '../../../../src/check/semantics/memory/constructors.ts'
import { changedFunctions } from '../../../../src/check/subject/changed-functions.ts'
import { changeOf } from '../../text.ts'

const cache = (ctor: string) =>
  `static struct kmem_cache *jobs;\nvoid __init jobs_init(void)\n{\n\tjobs = kmem_cache_create("jobs", ` +
  `sizeof(struct job), 0, SLAB_PANIC,\n\t\t${ctor});\n}\n`
const make = (body: string) =>
  `struct job *job_make(void)\n{\n\tstruct job *j = kmem_cache_alloc(jobs, GFP_KERNEL);\n\n${body}\treturn j;\n}\n`
const once = (body: string, before = '') =>
  `${before}static void job_once(void *data)\n{\n\tstruct job *j = data;\n\n${body}}\n`
const told = (before: string, after: string) =>
  constructorFindings(changedFunctions([changeOf(before, after)])).map(({ symbol }) => symbol)

const lock = '\tspin_lock_init(&j->lock);\n'
const list = '\tINIT_LIST_HEAD(&j->list);\n'
const file = (ctor: string, more = '') => ctor + cache('job_once') + make(more)

test.each([
  ['is moved into it', file(once(lock), list), file(once(lock + list))],
  ['is moved out of it', file(once(lock + list)), file(once(lock), list)],
  ['begins at another value', file(once('\tj->left = 0;\n')), file(once('\tj->left = JOB_MOST;\n'))],
  [
    'is set up by what it calls',
    file(once('\tjob_reset(j);\n', 'static void job_reset(struct job *j)\n{\n\tj->left = 0;\n}\n')),
    file(once('\tjob_reset(j);\n', 'static void job_reset(struct job *j)\n{\n\tj->left = 8;\n}\n')),
  ],
  [
    'is handed over with other arguments',
    once(lock) +
      'void __init jobs_init(void)\n{\n\tstruct kmem_cache_args args = { .ctor = job_once };\n\n\tjobs ' +
      '= kmem_cache_create("jobs", 8, &args, 0);\n}\n',
    once(lock + list) +
      'void __init jobs_init(void)\n{\n\tstruct kmem_cache_args args = { .ctor = job_once };\n\n\tjobs ' +
      '= kmem_cache_create("jobs", 8, &args, 0);\n}\n',
  ],
])('are asked about when what %s', (_what, before, after) => {
  expect(told(before, after)).toHaveLength(1)
})

test.each([
  ['a message comes', file(once(lock)), file(once(`${lock}\tpr_debug("job\\n");\n`))],
  ['a variable is renamed', file(once(lock)), file(once(lock).replaceAll(/\bj\b/g, 'job'))],
  ['the order changes', file(once(lock + list)), file(once(list + lock))],
  [
    'a part becomes a function',
    file(once(lock + list)),
    file(
      once(
        '\tjob_begin(j);\n',
        `static void job_begin(struct job *job)\n{\n${(lock + list).replaceAll('j->', 'job->')}}\n`,
      ),
    ),
  ],
  ['it is no constructor', once(lock) + cache('NULL'), once(lock + list) + cache('NULL')],
  ['only who takes the object changes', file(once(lock)), file(once(lock), list)],
])('are not asked about when %s', (_what, before, after) => {
  expect(told(before, after)).toEqual([])
})
