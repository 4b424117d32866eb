// SPDX-License-Identifier: GPL-3.0-or-later
// What objects hold without a member that the text names: flags of pages and buffers, which have functions of their
// own, and places of entries that other files look up by a hash.
import { describe, expect, test } from 'vitest'
import { changedFunctions } from '../../../../src/check/subject/changed-functions.ts'
import { textFindings } from '../../../alive/text-findings.ts'
import { changeOf } from '../../text.ts'

/** The rules that warn. */
function rules(before: string, after: string): string[] {
  const change = changeOf(before, after)
  const found = textFindings(changedFunctions([change]), [change])
  return [...new Set(found.flatMap(({ rule, severity }) => (severity === 'note' ? [] : [rule])))]
}

describe('a flag of a page, a folio or a buffer', () => {
  const file = (type: string, set: string, ask: string) => `
void box_fill(struct ${type} *p)
{
	box_read(p);
	${set};
}
int box_use(struct ${type} *p)
{
	if (!${ask})
		return -EIO;
	return box_copy(p);
}
`
  test.each([
    ['page', 'SetPagePrivate(p)', 'PagePrivate(p)', 'SetPagePrivate2(p)', 'PagePrivate2(p)'],
    ['page', 'TestSetPageChecked(p)', 'PageChecked(p)', 'TestSetPageError(p)', 'PageError(p)'],
    ['page', '__SetPageSlab(p)', 'PageSlab(p)', '__SetPageReserved(p)', 'PageReserved(p)'],
    ['folio', 'folio_set_checked(p)', 'folio_test_checked(p)', 'folio_set_owner_2(p)', 'folio_test_owner_2(p)'],
    ['folio', 'folio_clear_error(p)', 'folio_test_error(p)', 'folio_clear_active(p)', 'folio_test_active(p)'],
    ['buffer_head', 'set_buffer_new(p)', 'buffer_new(p)', 'set_buffer_delay(p)', 'buffer_delay(p)'],
  ])('of a %s: %s and %s', (type, set, ask, newSet, newAsk) => {
    expect(rules(file(type, set, ask), file(type, newSet, newAsk))).toEqual(['stored-otherwise'])
    // A writer alone, or a reader alone, is told and not asked about.
    expect(rules(file(type, set, ask), file(type, set, newAsk))).toEqual([])
  })

  test('is the same flag by either family of names', () => {
    const old = file('page', 'SetPagePrivate2(p)', 'PagePrivate2(p)')
    const young = file('page', 'folio_set_private_2(page_folio(p))', 'folio_test_private_2(page_folio(p))')
    expect(rules(old, young)).toEqual([])
  })
})

describe('a hash that other files put entries by', () => {
  const fold = (how: string) =>
    `static inline unsigned int fold(unsigned long x, unsigned long y)\n{\n\t${how}\n\treturn y >> 32;\n}\n`
  const user = (head: string) => `${head}
{
	unsigned long x = 0, y = (unsigned long)salt;

	while (len--)
		x = x * 9 + name[len];
	return fold(x, y);
}
`
  test('is asked about where a function that others call returns it', () => {
    const of = (how: string) =>
      fold(how) + user('unsigned int box_name_hash(const void *salt, const char *name, unsigned int len)')
    expect(rules(of('y ^= x * 7;'), of('y += x * 7;'))).toContain('placed-otherwise')
  })
  test('is not where it is a sum for one call', () => {
    const of = (how: string) =>
      fold(how) + user('unsigned int box_name_weight(const void *salt, const char *name, unsigned int len)')
    expect(rules(of('y ^= x * 7;'), of('y += x * 7;'))).toEqual([])
  })

  const tree = (how: string, compare: string) => `
struct box { unsigned int hash; const char *name; struct rb_node node; };
static unsigned int box_hash(const char *name)
{
	unsigned long hash = 0;

	while (*name)
		hash = hash * 9 + *name++;
	hash ${how};
	return hash;
}
static int box_compare(unsigned int hash, const struct box *b)
{
	${compare}
}
void box_name(struct box *b, const char *name)
{
	b->hash = box_hash(name);
}
int box_is(const struct box *b, const char *name)
{
	return box_compare(box_hash(name), b);
}
`
  const order = 'if (hash < b->hash)\n\t\treturn -1;\n\tif (hash > b->hash)\n\t\treturn 1;\n\treturn 0;'
  test('is asked about where entries keep it and stand in its order', () => {
    expect(rules(tree('&= 0x7fffffff', order), tree('>>= 1', order))).toContain('placed-otherwise')
  })
  test('is not where it is only shown', () => {
    const shown = 'pr_info("%u", b->hash);\n\treturn 0;'
    expect(rules(tree('&= 0x7fffffff', shown), tree('>>= 1', shown))).toEqual([])
  })
})
