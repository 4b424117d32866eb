// SPDX-License-Identifier: GPL-3.0-or-later
// The form in which something that lives keeps a value: made by one function, read by another one, or by the same.
import { describe, expect, test } from 'vitest'
import { isWayBack } from '../../../../src/check/semantics/values/forms.ts'
import { changedFunctions } from '../../../../src/check/subject/changed-functions.ts'
import { textFindings } from '../../../alive/text-findings.ts'
import { changeOf } from '../../text.ts'

/** The rules that warn. */
function rules(before: string, after: string): string[] {
  const change = changeOf(before, after)
  const found = textFindings(changedFunctions([change]), [change])
  return [...new Set(found.flatMap(({ rule, severity }) => (severity === 'note' ? [] : [rule])))]
}

describe('one function makes the form and reads it', () => {
  const file = (form: string, write: string, read: string) => `struct node { unsigned long link; unsigned long size; };
static unsigned long veil(struct pool *p, unsigned long link, unsigned long at)
{
	return ${form};
}
void node_set(struct pool *p, struct node *n, unsigned long link)
{
	${write}
}
unsigned long node_get(struct pool *p, struct node *n)
{
	${read}
}
`
  const [plain, turned] = ['link ^ p->key ^ swab(at)', 'link ^ p->key ^ at']

  test.each([
    ['a member', 'n->link = veil(p, link, 0);', 'return veil(p, n->link, 0);'],
    [
      'a word behind an address',
      '*(unsigned long *)(n + p->offset) = veil(p, link, 1);',
      'return veil(p, *(unsigned long *)(n + p->offset), 1);',
    ],
    [
      'a word that is read first',
      'n->link = (unsigned long)veil(p, link, 0);',
      'unsigned long v;\n\n\tv = n->link;\n\treturn veil(p, v, 0);',
    ],
  ])('in %s', (_, write, read) => {
    expect(rules(file(plain, write, read), file(turned, write, read))).toContain('meant-otherwise')
  })

  test.each([
    ['what is only shown', 'n->size = link;', 'pr_info("%lu", veil(p, n->link, 0));\n\treturn 0;'],
    ['another member', 'n->size = veil(p, link, 0);', 'return veil(p, n->link, 0);'],
    ['what is rounded again in its place', 'n->link = veil(p, n->link, 0);', 'return n->link;'],
  ])('but not %s', (_, write, read) => {
    expect(rules(file(plain, write, read), file(turned, write, read))).toEqual([])
  })

  test('nor where it only checks more', () => {
    const checked = file(plain, 'n->link = veil(p, link, 0);', 'return veil(p, n->link, 0);')
    expect(rules(checked, checked.replace('\treturn link', '\tif (!p)\n\t\treturn 0;\n\treturn link'))).toEqual([])
  })
})

describe('two functions whose names are each other’s way back', () => {
  test.each([
    ['place_to_word', 'word_to_place', true],
    ['link_encode', 'link_decode', true],
    ['box_encode_fh', 'box_fh_to_dentry', true],
    ['pack_box', 'unpack_box', true],
    ['link_decode', 'link_encode', false],
    ['place_to_word', 'word_to_page', false],
    ['box_add', 'box_del', false],
  ])('%s and %s: %s', (there, back, is) => {
    expect(isWayBack(there, back)).toBe(is)
  })

  const file = (there: string, back: string) => `
static unsigned long place_to_word(unsigned long page, unsigned int index)
{
	unsigned long word;

	${there}
	return word;
}
static void word_to_place(unsigned long word, unsigned long *page, unsigned int *index)
{
	${back}
}
unsigned long box_keep(struct box *b)
{
	return place_to_word(b->page, b->index);
}
void box_find(unsigned long word, struct box *b)
{
	word_to_place(word, &b->page, &b->index);
}
`
  const old = file('word = page << 8;\n\tword |= index;', '*page = word >> 8;\n\t*index = word & 0xff;')

  test('are asked about when both compute otherwise', () => {
    const young = file('word = index;\n\tword = word << 56 | page;', '*page = word & top;\n\t*index = word >> 56;')
    expect(rules(old, young)).toContain('meant-otherwise')
  })

  test('are not when one does, or both check more', () => {
    expect(
      rules(old, file('word = page << 9;\n\tword |= index;', '*page = word >> 8;\n\t*index = word & 0xff;')),
    ).toEqual([])
    const checked = file(
      'if (!page)\n\t\treturn 0;\n\tword = page << 8;\n\tword |= index;',
      'if (!word)\n\t\treturn;\n\t*page = word >> 8;\n\t*index = word & 0xff;',
    )
    expect(rules(old, checked)).toEqual([])
  })
})

describe('a mark in a word that another value has now', () => {
  const file = (mark: string, use: string) => `#define BOX_MARK ${mark}
static void *box_to_ptr(struct box *b)
{
	return (void *)((unsigned long)b | BOX_MARK);
}
static struct box *ptr_to_box(void *ptr)
{
	return (struct box *)((unsigned long)ptr & ~BOX_MARK);
}
static bool is_box(void *ptr)
{
	return (unsigned long)ptr & BOX_MARK;
}
int box_send(struct queue *q, struct box *b)
{
	return queue_add(q, ${use});
}
void box_done(void *ptr)
{
	if (is_box(ptr))
		box_free(ptr_to_box(ptr));
}
`
  test('is asked about', () => {
    expect(rules(file('BIT(0)', 'box_to_ptr(b)'), file('BIT(1)', 'box_to_ptr(b)'))).toContain('meant-otherwise')
  })
  test('is not where it has the same value', () => {
    expect(rules(file('BIT(0)', 'box_to_ptr(b)'), file('BIT(0)', 'b ? box_to_ptr(b) : NULL'))).toEqual([])
  })
})
