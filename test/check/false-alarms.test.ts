// SPDX-License-Identifier: GPL-3.0-or-later
// What was asked about for nothing in files that differ between two versions of the kernel: small texts of the same
// kinds, each with one beside it that must still be asked about.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { emptyLibrary, libraryOf } from '../../src/check/subject/callee-bodies.ts'
import { changedFunctions } from '../../src/check/subject/changed-functions.ts'
import { textFindings } from '../alive/text-findings.ts'
import { changeOf } from './text.ts'

const source = mkdtempSync(path.join(os.tmpdir(), 'inarch-alarms-'))
beforeAll(() => {
  mkdirSync(path.join(source, 'include/linux'), { recursive: true })
  writeFileSync(
    path.join(source, 'include/linux/bus.h'),
    '#define bus_master bus_controller\n#define bus_master_get(_c) bus_controller_get(_c)\n#define ' +
      'bus_master_put(_c)\tbus_controller_put(_c)\n',
  )
})
afterAll(() => rmSync(source, { recursive: true }))

function warned(before: string, after: string, hasHeaders = false): string[] {
  const change = changeOf(before, after)
  const library = hasHeaders ? libraryOf(source, [change]) : emptyLibrary
  const all = textFindings(changedFunctions([change], library), [change])
  return [...new Set(all.flatMap(({ rule, severity }) => (severity === 'note' ? [] : [rule])))]
}

describe('locks', () => {
  test('a way out that takes and gives a lock says nothing of the order behind it', () => {
    const text = (out: string) => `
struct box { spinlock_t lock; };
void both(struct box *a, struct box *b, int full)
{
	${out}
	spin_lock(&b->lock);
	spin_lock(&a->lock);
	a->sum = b->sum;
	spin_unlock(&a->lock);
	spin_unlock(&b->lock);
}`
    const wayOut = (end: string) => `if (full) { spin_lock(&a->lock); a->full = 1; spin_unlock(&a->lock); ${end} }`
    expect(warned(text(''), text(wayOut('return;')))).toEqual([])
    const turned = text('').replace('(&b->lock);\n\tspin_lock(&a', '(&a->lock);\n\tspin_lock(&b')
    expect(warned(text(''), turned)).toEqual(['lock-balance'])
  })

  test('two variables of a function may lead to one lock, two members do not', () => {
    const text = (lock: string) => `
void end(struct port *p, struct device *other)
{
	struct device *${lock} = p->dev.parent;
	device_lock(${lock});
	finish(p);
	device_unlock(${lock});
}`
    expect(warned(text('parent'), text('host').replace('p->dev.parent', 'get(p)'))).toEqual([])
    const member = (lock: string) => `
struct port { struct mutex one; struct mutex two; };
void end(struct port *p) { mutex_lock(&p->${lock}); finish(p); mutex_unlock(&p->${lock}); }`
    expect(warned(member('one'), member('two'))).toEqual(['lock-balance'])
  })

  test('a function of the array takes the lock of the array itself', () => {
    const text = (body: string) => `
void clear(struct inode *inode) { ${body} done(inode); }
void other(struct inode *inode) { ask(inode); }`
    const locked = 'xa_lock_irq(&inode->pages); ask(inode->count); xa_unlock_irq(&inode->pages);'
    const change = (body: string) => warned(text(locked), text(body).replace('ask(inode);', 'ask2(inode);'))
    expect(change('xa_destroy(&inode->pages); ask(inode->count);')).toEqual([])
    expect(change('xa_destroy(&inode->others); ask(inode->count);')).toEqual(['lock-balance'])
  })
})

describe('what the new code sets up', () => {
  test('is not used by who gives it a value, too', () => {
    const text = (get: string, send: string) => `
void get(struct buffer *b) { take(b); ${get} }
void send(struct buffer *b) { fill(b); ${send} }`
    expect(warned(text('', ''), text('b->seen = count(b);', 'b->seen = 0;'))).toEqual([])
    expect(warned(text('', ''), text('b->seen = count(b);', 'use(b->seen);'))).toEqual(['set-up-by-old-code'])
  })

  test('is no matter in a struct that only lies on the stack', () => {
    const text = (kept: string) => `
struct view { unsigned int mask; };
${kept}
static void look(struct net *net, struct view *v) { v->mask = net->mask; }
int find(struct net *net, int key) { struct view v; look(net, &v); return search(&v, key); }
int search(struct view *v, int key) { return key & v->mask; }`
    const before = (kept: string) =>
      text(kept)
        .replace(/static void look.*\n/, '')
        .replace('unsigned int mask;', 'int none;')
        .replace('look(net, &v); ', '')
        .replace('key & v->mask', 'key')
    expect(warned(before(''), text(''))).toEqual([])
    const kept = 'static struct view *shown;'
    expect(warned(before(kept), text(kept))).toEqual(['set-up-by-old-code'])
  })
})

describe('where entries stand', () => {
  const text = (ask: string, hash: string) => `
static unsigned int classify(struct sched *q, struct packet *p)
{
	struct result res;
	int result;
	result = ${ask};
	if (result < 0)
		return 0;
	return ${hash};
}
void put(struct sched *q, struct packet *p) { add(&q->flows[classify(q, p)], p); }`

  test('is the same where only the outcome of a question is made otherwise', () => {
    const before = text('ask(p, &res)', 'hash_of(p) % q->size')
    expect(warned(before, text('ask_more(p, &res, 1)', 'hash_of(p) % q->size'))).toEqual([])
    expect(warned(before, text('ask(p, &res)', 'hash_of(p) & q->mask'))).toEqual(['placed-otherwise'])
  })

  test('is not told by a pointer to what is only called a header', () => {
    const unpack = (type: string, how: string) => `
static struct ${type} *unpack(struct blob *b) { struct ${type} *t = alloc(${how}); return t; }
void load(struct blob *b, struct table **all) { all[unpack(b)->id] = 0; }`
    expect(warned(unpack('table_header', 'one(b)'), unpack('table_header', 'two(b)'))).toEqual([])
  })
})

describe('two names of one struct', () => {
  const text = (of: string) => `
#include <linux/bus.h>
int probe(struct device *dev)
{
	struct bus_${of} *it = make(dev);
	dev_set_drvdata(dev, it);
	if (start(it))
		bus_${of}_put(it);
	return 0;
}
void remove(struct device *dev)
{
	struct bus_${of} *it = bus_${of}_get(dev_get_drvdata(dev));
	stop(it);
	bus_${of}_put(it);
}`

  test('are one where a header says so', () => {
    expect(warned(text('master'), text('controller'), true)).toEqual([])
  })

  test('are two where none does', () => {
    expect(warned(text('master'), text('target'), true)).toContain('held-otherwise')
  })
})
