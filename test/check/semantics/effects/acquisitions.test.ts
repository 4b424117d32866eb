// SPDX-License-Identifier: GPL-3.0-or-later
// What one function takes and another one gives back: dangerous where both do it by other functions than the running
// code.
import { describe, expect, test } from 'vitest'
import { acquisitionFindings } from '../../../../src/check/semantics/effects/acquisitions.ts'
import { changedFunctions } from '../../../../src/check/subject/changed-functions.ts'
import { changeOf } from '../../text.ts'

const pair = (open: string, close: string) => `int some_open(struct some *s)
{
	${open}
	return 0;
}
void some_close(struct some *s)
{
	s->open = 0;
	${close}
}
`
type Held = readonly [take: string, give: string]
const said = (before: string, after: string) =>
  acquisitionFindings(changedFunctions([changeOf(before, after)])).map(({ message }) => message)

const pinned: Held = ['s->n = pin_user_pages_fast(a, n, 0, s->pages);', 'unpin_user_pages(s->pages, s->n);']
const got: Held = ['s->n = get_user_pages_fast(a, n, 0, s->pages);', 'put_page(s->pages[0]);']
const irq: Held = ['request_irq(s->irq, run, 0, "some", s);', 'free_irq(s->irq, s);']
const devmIrq: Held = ['devm_request_irq(s->dev, s->irq, run, 0, "some", s);', '']
const prepared: Held = ['clk_prepare(s->clk);', 'clk_unprepare(s->clk);']
const enabled: Held = ['clk_prepare_enable(s->clk);', 'clk_disable_unprepare(s->clk);']
const atomic: Held = ['s->p = kmap_atomic(s->page);', 'kunmap_atomic(s->p);']
const local: Held = ['s->p = kmap_local_page(s->page);', 'kunmap_local(s->p);']
const kmap: Held = ['s->p = kmap(s->page);', 'kunmap(s->page);']
const ida: Held = ['s->id = ida_alloc(&ids, GFP_KERNEL);', 'ida_free(&ids, s->id);']
const simple: Held = ['s->id = ida_simple_get(&ids, 0, 0, GFP_KERNEL);', 'ida_simple_remove(&ids, s->id);']

describe('what outlasts the call is given back otherwise', () => {
  test.each([
    ['pinned pages', pinned, got],
    ['interrupts that a device frees', irq, devmIrq],
    ['clocks', prepared, enabled],
    ['mappings that disable preemption', atomic, local],
  ])('where both functions change: %s, and back', (_, one, other) => {
    for (const [before, after] of [
      [one, other],
      [other, one],
    ] as const) {
      const messages = said(pair(...before), pair(...after))
      expect(messages).toHaveLength(1)
      expect(messages[0]).toMatch(/^some_open now takes by \w+ what it took by \w+, and some_close/)
    }
  })

  test.each([
    ['only who gives back is mended', [pinned[0], got[1]], pinned],
    ['only who takes is mended', [got[0], pinned[1]], pinned],
    ['both words are of one kind', simple, ida],
    ['nothing is held on this machine', kmap, local],
    [
      'two steps become one',
      ['clk_prepare(s->clk);\n\tclk_enable(s->clk);', 'clk_disable(s->clk);\n\tclk_unprepare(s->clk);'],
      enabled,
    ],
    [
      'each function gives back what it takes',
      [pinned.join('\n'), pinned.join('\n')],
      [got.join('\n'), got.join('\n')],
    ],
    [
      'numbers of a message are another size',
      ['n = nla_get_u32(a);', 'nla_put_u32(m, 1, n);'],
      ['n = nla_get_u8(a);', 'nla_put_u8(m, 1, n);'],
    ],
  ] as readonly (readonly [string, Held, Held])[])('and not where %s', (_, before, after) => {
    expect(said(pair(...before), pair(...after))).toEqual([])
  })

  test('and not where one function is only below the other one', () => {
    const text = ([take, give]: Held) => `static void give(struct some *s)
{
	${give}
}
void f(struct some *s)
{
	${take}
	give(s);
}
`
    expect(said(text(pinned), text(got))).toEqual([])
  })
})
