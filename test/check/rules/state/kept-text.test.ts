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
int printk(const char *format, ...);
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
