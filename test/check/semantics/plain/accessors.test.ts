// SPDX-License-Identifier: GPL-3.0-or-later
// `EXT4_SB(sb)->lock` and `sbi->lock` are one lock: what a function returns has a type, be the function called like a
// macro.
import { describe, expect, test } from 'vitest'
import { definitionsOf } from '../../../../src/c/written/functions.ts'
import { beyondLines } from '../../../../src/check/semantics/plain/description.ts'
import { type Beyond, beyondOf } from '../../../../src/check/semantics/plain/judgement.ts'
import { changedFunctions } from '../../../../src/check/subject/changed-functions.ts'

const frame = `struct info { struct rw_semaphore sem; spinlock_t lock; int users; };
struct other { struct rw_semaphore sem; };
struct super { void *fs_info; struct super *next; };
static inline struct info *INFO(struct super *sb)
{
	return sb->fs_info;
}
static inline struct info *info_of(struct super *sb)
{
	return sb->fs_info;
}
static inline struct other *OTHER(struct super *sb)
{
	return sb->fs_info;
}
`

function beyond(before: string, after: string, helpers: readonly [string, string] = ['', '']): Beyond {
  const [old, young] = [before, after].map(
    (body, at) => `${frame}${helpers[at]}int f(struct super *sb)\n{\n${body}\n	return 0;\n}\n`,
  )
  const change = { path: 'fs/a.c', before: old!, after: young!, origins: new Map(), lineage: [] }
  const functions = changedFunctions([change])
  return beyondOf(functions, functions.all.find(({ name }) => name === 'f')!)!
}

const wrapped = (accessor: string) =>
  [
    '',
    `static inline void info_down(struct super *sb)
{
	down_read(&${accessor}(sb)->sem);
}
static inline void info_up(struct super *sb)
{
	up_read(&${accessor}(sb)->sem);
}
`,
  ] as const
const own = '	struct info *info = INFO(sb);\n	down_read(&info->sem);\n	up_read(&info->sem);'
const byWrapper = '	info_down(sb);\n	info_up(sb);'

describe('what a function returns', () => {
  test('is the object that a variable has, when wrappers come into being', () => {
    const found = beyond(own, byWrapper, wrapped('INFO'))
    expect(found.verdict, beyondLines(found, true).join('\n')).toBe('plain')
  })

  test('is another object, when the function is another one', () => {
    expect(beyond(own, byWrapper, wrapped('OTHER')).verdict).toBe('lives')
  })

  test('is told by its type', () => {
    for (const accessor of ['INFO', 'info_of'])
      expect(beyond('', `	${accessor}(sb)->users = 1;`)).toMatchObject({
        living: [{ object: 'struct info', member: 'users' }],
      })
  })

  test('of another object is not the same step', () => {
    const other = own.replace('INFO(sb)', 'INFO(sb->next)')
    expect(beyond(other, byWrapper, wrapped('INFO')).verdict).toBe('lives')
  })
})

describe('a definition in capitals', () => {
  test('is a function where its parameters have types, and makes one where they are names', () => {
    const text = `${frame}SYSCALL_DEFINE1(close, unsigned int, fd)
{
	return 0;
}
SYSCALL_DEFINE0(getpid)
{
	return 0;
}
BPF_CALL_2(bpf_get, struct super *, sb, int, n)
{
	return 0;
}
static int READY(void)
{
	return 1;
}
`
    expect([...definitionsOf(text).byName.keys()]).toEqual([
      'INFO',
      'info_of',
      'OTHER',
      'sys_close',
      'sys_getpid',
      'bpf_get',
      'READY',
    ])
  })
})
