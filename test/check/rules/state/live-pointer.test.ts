// SPDX-License-Identifier: GPL-3.0-or-later
// Which functions a function stores or passes, where another file of the same module defines them.
import { expect, test } from 'vitest'
import { addressesTaken } from '../../../../src/check/rules/state/live-pointer.ts'
import { splitObject } from '../../../../src/diff/object/split-object.ts'
import { readObject } from '../../../../src/elf/read.ts'
import { namesInModule } from '../../../../src/match/names.ts'
import { namesOf } from '../../../module/small-kernel.ts'
import { compilers, compileWith } from '../../../objects.ts'

const user = `
struct timer { void (*function)(struct timer *); int *count; };
extern void expire(struct timer *), shut_down(struct timer *), start(struct timer *);
extern int counter;
extern void stop(struct timer *);
extern int limit;
void f(struct timer *t) { t->function = expire; t->count = &counter; start(t); }
void g(struct timer *t) { t->function = stop; t->count = &limit; }
`
const definer = `
struct timer;
int counter;
void expire(struct timer *t) { counter++; }
void start(struct timer *t) { counter--; }
`

test.each(compilers)('%s: a callback of another file or module is one, a variable and a callee are not', (program) => {
  const split = splitObject(readObject(compileWith(program, user, []), 'user.o'))
  const { lookup } = namesInModule(compileWith(program, definer, []), 'some')
  const kernel = namesOf({
    symbols: {
      'vmlinux expire': [{ type: 'd' }],
      'vmlinux counter': [{ type: 't' }],
      'other stop': [{ type: 'T' }],
      'other limit': [{ type: 'D' }],
    },
    exports: { stop: 'other', limit: 'other' },
  })
  const names = {
    symbols: (object: string, name: string) => (object === 'some' ? lookup(name) : kernel.symbols(object, name)),
    exported: kernel.exported,
  }
  const taken = (by: string) => {
    const one = split.functions.find(({ name }) => name === by)!
    return [...addressesTaken(names, split, one, 'some').keys()]
  }
  expect(taken('f')).toEqual(['expire'])
  expect(taken('g')).toEqual(['stop'])
})
