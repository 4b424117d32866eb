// SPDX-License-Identifier: GPL-3.0-or-later
// Which texts of a function are kept beyond its call, in the machine code that real compilers make.
import { describe, expect, test } from 'vitest'
import { keptIn } from '../../../../src/check/rules/state/kept-text.ts'
import { splitObject } from '../../../../src/diff/object/split-object.ts'
import { readObject } from '../../../../src/elf/read.ts'
import { compilers, compileWith } from '../../../objects.ts'

const declared = `
struct one { long number; const char *name; };
void *__request_region(void *parent, long start, long n, const char *name, int flags);
int request_threaded_irq(unsigned irq, void *handler, void *thread, unsigned long flags, const char *name, void *dev);
int devm_request_threaded_irq(void *dev, unsigned irq, void *handler, void *thread, unsigned long flags, const char *name, void *own);
void *__class_create(void *owner, const char *name, void *key);
void *class_create(const char *name);
int __cpuhp_setup_state(int state, const char *name, _Bool invoke, void *startup, void *teardown, _Bool multi);
int printk(const char *format, ...);
__attribute__((noinline, noclone)) int say(long a, long b, long c, const char *text) { return printk("%s", text); }
int (*hook)(long, long, long, const char *);
void show(struct one *);
extern int first(const char *, long, const char *);
`

describe.each(compilers)('%s: a function', (program) => {
  const kept = (body: string) => {
    const unit = splitObject(readObject(compileWith(program, `${declared}${body}`, []), 'one.c'))
    return keptIn(unit, unit.functions.find(({ name }) => name === 'f')!)
  }

  test('hands on the name of a region', () => {
    expect(kept('void *f(long at) { return __request_region(0, at, 8, "serial", 0); }')).toEqual([
      { text: '"serial"', by: '__request_region' },
    ])
  })

  test('hands on the name of an interrupt, behind other calls and other texts', () => {
    const body = `int f(void *dev, int irq) {
      printk("asks for %d", irq);
      if (request_threaded_irq(irq, dev, 0, 0, "one", dev)) { printk("no %s", "luck"); return -1; }
      return devm_request_threaded_irq(dev, irq, dev, 0, 0, "two", dev); }`
    expect(kept(body)).toEqual([
      { text: '"one"', by: 'request_threaded_irq' },
      { text: '"two"', by: 'devm_request_threaded_irq' },
    ])
  })

  test('hands on the name of a class, and of a state of processors', () => {
    expect(kept('void *f(void *own, void *key) { return __class_create(own, "old", key); }')).toEqual([
      { text: '"old"', by: '__class_create' },
    ])
    expect(kept('void *f(void) { return class_create("new"); }')).toEqual([{ text: '"new"', by: 'class_create' }])
    expect(kept('int f(void *up) { return __cpuhp_setup_state(7, "state", 1, up, 0, 0); }')).toEqual([
      { text: '"state"', by: '__cpuhp_setup_state' },
    ])
  })

  test('hands on a name that it chose', () => {
    const chosen = `int f(unsigned irq, void *dev, int which) {
      const char *name = which ? "one" : "two";
      return request_threaded_irq(irq, dev, 0, 0, name, dev); }`
    expect(kept(chosen).map(({ by }) => by)).toContain('request_threaded_irq')
    const other = `int f(unsigned irq, void *dev, int which) {
      const char *name = "two";
      if (which) { show(dev); name = "one"; }
      return request_threaded_irq(irq, dev, 0, 0, name, dev); }`
    expect(kept(other).map(({ by }) => by)).toContain('request_threaded_irq')
  })

  test.each([
    ['a function of the same file', 'say(1, 2, 3, "said")'],
    ['a function that a pointer leads to', 'hook(1, 2, 3, "said")'],
  ])('keeps none of what it passed to %s before', (_what, call) => {
    const body = `void *f(long at, const char *name) { ${call}; return __request_region(0, at, 8, name, 0); }`
    expect(kept(body)).toEqual([])
    const unnamed = `extern void *g(void); void *f(long at) { ${call}; g(); return __request_region(0, at, 8, 0, 0); }`
    expect(kept(unnamed)).toEqual([])
  })

  test('keeps none of what it had in a register that holds another thing now', () => {
    const body = `extern long size; void *f(long at, struct one *it) {
      const char *name = it->name;
      asm volatile("" : : "c"("other"));
      return __request_region(0, at, 8, name, 0); }`
    expect(kept(body)).toEqual([])
  })

  test('stores the address of a text in an object', () => {
    expect(kept('void f(struct one *to) { to->name = "stored"; }')).toEqual([{ text: '"stored"', by: undefined }])
  })

  test('keeps none of what it only prints, compares, or has on its stack', () => {
    expect(kept('void f(long a) { printk("only %ld %s", a, "said"); first("a", a, "b"); }')).toEqual([])
    expect(kept('void f(void) { struct one it = { 1, "mine" }; show(&it); }')).toEqual([])
    expect(
      kept('void *f(long at, const char *name) { printk("x"); return __request_region(0, at, 8, name, 0); }'),
    ).toEqual([])
  })
})
