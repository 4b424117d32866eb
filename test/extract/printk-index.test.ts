// SPDX-License-Identifier: GPL-3.0-or-later
// The messages that carried code can print are listed with it.
import { describe, expect, test } from 'vitest'
import { changeOf, extractionOf, rules } from '../objects.ts'

/** As pr_err() expands with CONFIG_PRINTK_INDEX. */
const macro = `
  struct pi_entry { const char *fmt, *func, *file; unsigned int line; const char *level, *prefix; } __attribute__((packed));
  int print(const char *fmt, ...);
  #define say(text, ...) ({ \\
    static const struct pi_entry _entry __attribute__((used)) = { text, __func__, __FILE__, __LINE__ }; \\
    static const struct pi_entry *_entry_ptr __attribute__((used, section(".printk_index"))) = &_entry; \\
    print(text, ##__VA_ARGS__); })
`

describe('the printk index', () => {
  const text = (n: number) => `${macro}
    int one(int a) { say("one is %d\\n", a + ${n}); return say("one again\\n"); }
    int two(int a) { return say("two is %d\\n", a); }`

  test('lists the messages of carried functions, and no others', () => {
    const extraction = extractionOf([changeOf(text(1), text(2))])
    expect(rules(extraction.findings)).toEqual([])
    const index = extraction.draft.sections.filter(({ name }) => name === '.printk_index')
    expect(index.map(({ relocations }) => relocations.length)).toEqual([2])
    const names = extraction.draft.symbols.map(({ name }) => name).filter((name) => name.includes('_entry'))
    expect(names.length).toBe(2)
  })

  test('is no change by itself when lines move', () => {
    const change = changeOf(text(1), `\n\n\n${text(1)}`)
    expect(change.changed).toEqual([])
    expect(rules(change.findings)).toEqual([])
  })
})
