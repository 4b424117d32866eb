// SPDX-License-Identifier: GPL-3.0-or-later
// Which objects of a function's own a function gives to what keeps them, in the machine code that real compilers make.
import { describe, expect, test } from 'vitest'
import { escapingDataIn } from '../../../../src/check/semantics/memory/escaping-data.ts'
import { splitObject } from '../../../../src/diff/object/split-object.ts'
import { readObject } from '../../../../src/elf/read.ts'
import { compilers, compileWith } from '../../../objects.ts'

const declared = `
struct head { struct head *next, *prev; };
struct table { void (*queue)(void *file, struct head *head, struct table *table); };
static struct head mine = { &mine, &mine };
static const struct head fixed = { 0, 0 };
struct head *look(void) { return &mine; }
static inline __attribute__((always_inline)) void wait_for(void *file, struct head *head, struct table *table)
{ if (table && table->queue && head) table->queue(file, head, table); }
int queue_work_on(int cpu, void *queue, struct head *work);
int set_up(struct head *head);
`

const options: readonly (readonly [string, readonly string[]])[] = [
  ['calls of its own', ['-mno-red-zone', '-mcmodel=kernel', '-fno-pic']],
  ['thunks', ['-mcmodel=kernel', '-fno-pic', '-fcf-protection=none', 'thunks']],
]

describe.each(compilers)('%s', (program) => {
  describe.each(options)('by %s: a function', (_, [...flags]) => {
    const given = flags.map((flag) =>
      flag !== 'thunks'
        ? flag
        : /clang/.test(program)
          ? '-mretpoline-external-thunk'
          : '-mindirect-branch=thunk-extern',
    )
    const kept = (body: string) => {
      const unit = splitObject(readObject(compileWith(program, `${declared}${body}`, given), 'one.c'))
      const atom = unit.functions.find(({ name }) => name === 'f')!
      return escapingDataIn(unit, atom, () => true).map(({ datum, by }) => `${datum.name} ${by}`)
    }

    test('hands an object to what a pointer leads to', () => {
      expect(
        kept(
          'int f(void *file, struct table *t, struct head *o) { wait_for(file, o, t); wait_for(file, ' +
            '&mine, t); return 1; }',
        ),
      ).toEqual(['mine undefined'])
    })

    test('hands an object to a function that keeps it', () => {
      expect(kept('int f(void *q) { return queue_work_on(64, q, &mine) + 1; }')).toEqual(['mine queue_work_on'])
    })

    test('forgets what it had in registers where code begins that is reached from elsewhere', () => {
      expect(
        kept(
          'asm(".text; .type f, @function; f: mov $mine, %rdi; jmp 1f; 2: call *%rax; ret; 1: xor %edi, ' +
            '%edi; jmp 2b; .size f, . - f");',
        ),
      ).toEqual([])
      expect(kept('asm(".text; .type f, @function; f: mov $mine, %rdi; call *%rax; ret; .size f, . - f");')).toEqual([
        'mine undefined',
      ])
    })

    test('uses an object, or hands on another one', () => {
      expect(
        kept(
          'int f(void *file, struct table *t, struct head *o) { set_up(&mine); wait_for(file, o, t); ' +
            'return mine.next == o; }',
        ),
      ).toEqual([])
      expect(
        kept(
          'int f(void *file, struct table *t, struct head *o) { wait_for(file, (struct head *)&fixed, t); return 1; }',
        ),
      ).toEqual([])
      expect(
        kept(
          'int f(void *file, struct table *t, struct head *o, int a) { if (a) return set_up(&mine) + 2; ' +
            'wait_for(file, o, t); return 3; }',
        ),
      ).toEqual([])
    })
  })
})
