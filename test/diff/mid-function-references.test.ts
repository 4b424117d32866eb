// SPDX-License-Identifier: GPL-3.0-or-later
// What gets into a function elsewhere than at its entry is not redirected with it: shared cold parts, jumps between
// functions, tables of labels. As text for the assembler, since each compiler does it in its own way, and gcc 8 to 14
// only at times.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { compareObjects } from '../../src/diff/change.ts'
import { differingParts } from '../../src/diff/quick/differing-parts.ts'
import { readObject } from '../../src/elf/read.ts'
import { changeOf, compiler, extractionOf, rules, work } from '../objects.ts'

let number = 0

function assemble(text: string): Buffer {
  const base = path.join(work, `middle${++number}`)
  writeFileSync(`${base}.s`, text)
  execFileSync(compiler, ['-c', '-o', `${base}.o`, `${base}.s`])
  return readFileSync(`${base}.o`)
}

/** With a section for each function, or one for all of them and one for all cold parts. */
type Layout = 'own sections' | 'shared sections'

const part = (layout: Layout, section: string, name: string, body: string) => `
	.section ${layout === 'own sections' ? `${section}.${name.replace(/\.cold.*/, '')}` : section},"ax",@progbits
	.p2align 2
	${name.includes('.cold') ? '' : `.globl ${name}`}
	.type ${name}, @function
${name}:
${body.replaceAll(';', '\n')}
	.size ${name}, .-${name}
`
const hot = (layout: Layout, name: string, body: string) => part(layout, '.text', name, `call __fentry__; ${body}`)
const cold = (layout: Layout, name: string, body: string) => part(layout, '.text.unlikely', name, body)

/** The quick look is for objects of which most is the same. */
const others = (layout: Layout) =>
  Array.from({ length: 30 }, (_, n) => hot(layout, `other${n}`, `movl $${n}, %eax; call get; ret`)).join('')

/** What both looks at two objects see. */
function seen(before: string, after: string) {
  const [b, a] = [assemble(before), assemble(after)]
  const whole = compareObjects(readObject(b, 'unit.o'), readObject(a, 'unit.o'), 'unit.c')
  const names = ({ changed }: typeof whole) => changed.map(({ after: { name } }) => name).sort()
  const quick = differingParts({ bytes: b, name: 'unit.o' }, { bytes: a, name: 'unit.o' })
  if (quick !== undefined) expect(names(compareObjects(quick.before, quick.after, 'unit.c'))).toEqual(names(whole))
  for (const side of [b, a])
    expect(names(compareObjects(readObject(side, 'unit.o'), readObject(side, 'unit.o'), 'unit.c'))).toEqual([])
  return { names: names(whole), change: whole, quick: quick !== undefined }
}

interface Variant {
  readonly hot?: number
  readonly cold?: number
  readonly tail?: number
  readonly f?: number
  readonly flags?: number
}

const bug = (flags: number) => `
1:	ud2
	.pushsection __bug_table,"aw"
2:	.long 1b - .
	.word 7
	.word ${flags}
	.popsection
`
const hotEntry = (table: string, entry: string) => `
	.pushsection ${table},"${table.startsWith('__') ? 'aw' : 'a'}"
	${entry}
	.popsection
`

/** `g.cold` has a tail that `f` jumps into as well; `back` goes into the middle of g. */
function sharedTail(layout: Layout, v: Variant, back = 'jmp .Lback', suffix = '.cold'): string {
  return [
    others(layout),
    hot(layout, 'f', `movl $${v.f ?? 1}, %eax; testl %edi, %edi; js .Ltail; ret`),
    hot(layout, 'g', `testl %esi, %esi; jne .Lcold; movl $2, %eax; .Lback: addl $${v.hot ?? 3}, %eax; ret`),
    cold(layout, `other0${suffix}`, 'ud2'),
    cold(
      layout,
      `g${suffix}`,
      `.Lcold: movl $${v.cold ?? 7}, %edi; .Ltail: movl $${v.tail ?? 5}, %eax; ${bug(v.flags ?? 1)}; call say; ${back}`,
    ),
    cold(layout, `other1${suffix}`, 'movl $4, %eax; ud2'),
  ].join('\n')
}

describe.each(['own sections', 'shared sections'] as const)('cold parts in %s:', (layout) => {
  test.each([
    ['.cold', 'gcc 9 and later'],
    ['.cold.12', 'gcc 8'],
  ])('a change in a %s part alone changes its function, and who jumps into it (%s)', (suffix) => {
    const text = (v: Variant) => sharedTail(layout, v, 'ud2', suffix)
    expect(seen(text({}), text({ tail: 6 })).names).toEqual(['f', 'g'])
    expect(seen(text({}), text({ cold: 6 })).names).toContain('g')
    // What is said about a place in it, such as by WARN_ON.
    expect(seen(text({}), text({ flags: 3 })).names).toEqual(['f', 'g'])
  })

  test('a function that gets back into the middle of another by its cold part changes with that', () => {
    const text = (v: Variant) => sharedTail(layout, v)
    const { names, change } = seen(text({}), text({ hot: 4 }))
    expect(names).toEqual(['f', 'g'])
    expect(change.changed.find(({ after: { name } }) => name === 'f')?.reasons.join()).toContain('g')
    const { draft, findings, replaced } = extractionOf([change])
    expect(rules(findings)).toEqual([])
    expect(replaced.map(({ before: { name } }) => name).sort()).toEqual(['f', 'g'])
    expect(draft.symbols.map(({ name }) => name).filter((name) => name.startsWith('g'))).toEqual(
      expect.arrayContaining(['g', 'g.cold']),
    )
  })

  test('a function that changes alone and uses the cold part of another is refused where that leads back', () => {
    const text = (v: Variant) => sharedTail(layout, v)
    const { names, change } = seen(text({}), text({ f: 9 }))
    expect(names).toEqual(['f'])
    expect(rules(extractionOf([change]).findings)).toEqual(['error into-function'])
  })

  test('a cold part without its function is called after the one that uses it, as objtool wants a parent', () => {
    const text = (v: Variant) => sharedTail(layout, v, 'ud2')
    const { names, change } = seen(text({}), text({ f: 9 }))
    expect(names).toEqual(['f'])
    const { draft, findings } = extractionOf([change])
    expect(rules(findings)).toEqual([])
    const functions = draft.symbols.filter(({ type }) => type === 'function').map(({ name }) => name)
    expect(functions).toEqual(['f', 'f.cold.1'])
    const bugs = draft.sections.find(({ name }) => name === '__bug_table')
    expect(bugs?.relocations).toHaveLength(1)
  })

  test.each([
    ['__jump_table', '.long .Lplace - ., .Ltail - .; .quad key - .'],
    ['__ex_table', '.long .Lplace - ., .Ltail - .; .long 3'],
  ])('an entry of %s leads into the cold part of another function', (table, entry) => {
    const text = (tail: number, hotNumber = 3) =>
      sharedTail(layout, { tail, hot: hotNumber }).replace(
        'js .Ltail',
        `.Lplace: nopl 0(%rax,%rax)\n${hotEntry(table, entry.replaceAll(';', '\n'))}`,
      )
    expect(seen(text(5), text(6)).names).toEqual(['f', 'g'])
    expect(seen(text(5), text(5, 4)).names).toEqual(['f', 'g'])
  })

  test.each([
    ['__bug_table', '.long .Lplace - .; .word 7, 1', '.long .Lplace - .; .word 7, 3'],
    ['.static_call_sites', '.long .Lplace - ., key1 - .', '.long .Lplace - ., key2 - .'],
    [
      '.altinstructions',
      '.long .Lplace - ., .Lplace2 - .; .word 3; .byte 5, 5',
      '.long .Lplace - ., .Lplace2 - .; .word 4; .byte 5, 5',
    ],
    [
      '.parainstructions',
      '.balign 8; .quad .Lplace; .byte 1, 5; .short 1',
      '.balign 8; .quad .Lplace; .byte 2, 5; .short 1',
    ],
  ])('an entry of %s about a cold part changes all who run it', (table, one, other) => {
    const text = (entry: string) =>
      `${sharedTail(layout, {}, 'ud2').replace(
        '.Ltail:',
        `.Ltail: .Lplace: call get\n${hotEntry(table, entry.replaceAll(';', '\n'))}`,
      )}\n.section .altinstr_replacement,"ax"\n.Lplace2: call get\n`
    expect(seen(text(one), text(other)).names).toEqual(['f', 'g'])
  })

  test('a jump into the middle of a function that changes is a change, at any distance', () => {
    const text = (n: number) => `
      ${others(layout)}
      ${hot(layout, 'h', 'testl %edi, %edi; js f + 5; ret')}
      ${hot(layout, 'f', 'testl %edi, %edi; js .Lin; ret')}
      ${hot(layout, 'g', `movl $2, %eax; .Lin: addl $${n}, %eax; ret`)}`
    // h jumps into f, which jumps into g.
    expect(seen(text(3), text(4)).names).toEqual(['f', 'g', 'h'])
  })

  test('a jump to the entry of a function that changes is none', () => {
    const text = (n: number) => `
      ${others(layout)}
      ${hot(layout, 'f', 'testl %edi, %edi; js .Lin; ret')}
      ${hot(layout, 'g', `addl $${n}, %eax; ret`).replace('g:', 'g: .Lin:')}`
    expect(seen(text(3), text(4)).names).toEqual(['g'])
  })
})

describe('a short jump between functions of one section', () => {
  const text = (order: readonly string[], to: string) => `
    ${hot('shared sections', 'f', `testl %edi, %edi; .byte 0x74; .byte ${to} - . - 1; ret`)}
    ${order.map((name) => `${part('shared sections', '.text', name, `movl $${name.charCodeAt(0)}, %eax; ret`).replace('.globl', '.local')}`).join('')}`

  test('to another function, as far away as before, is a change', () => {
    const { names } = seen(text(['x', 'y'], 'x'), text(['y', 'x'], 'y'))
    expect(names).toEqual(['f'])
  })

  test('is no change where it leads to the same', () => {
    expect(seen(text(['x', 'y'], 'y'), text(['x', 'y'], 'y')).names).toEqual([])
  })

  test('can not be cut out', () => {
    const { change } = seen(text(['x', 'y'], 'x'), text(['y', 'x'], 'y'))
    expect(rules(extractionOf([change]).findings)).toContain('error shared-section')
  })

  test('behind bytes that are no instruction is not looked for, and the function can not be cut out', () => {
    const unknown = (n: number) => text(['x', 'y'], 'x').replace('ret', `movl $${n}, %eax\n.byte 0x06\nret`)
    const { change, names } = seen(unknown(1), unknown(2))
    expect(names).toEqual(['f'])
    expect(rules(extractionOf([change]).findings)).toContain('error shared-section')
  })
})

describe('a table of labels', () => {
  const unit = (n: number, table: string, more = '') => `int get(void); int say(int);
    int g(int i) { ${table} = { &&a, &&b, &&c }; ${more} goto *tab[i];
      a: return get() + ${n}; b: return say(3); c: return say(4) * 2; }`

  test.each([
    ['constant', 'static const void *const tab[]'],
    ['in a section of its own', 'static const void *const tab[] __attribute__((section(".rodata..c_jump_table")))'],
  ])('that is %s goes with its function, as the running one leads into old code', (_, table) => {
    const change = changeOf(unit(1, table), unit(2, table))
    expect(change.changed.map(({ after: { name } }) => name)).toEqual(['g'])
    const { draft, references, findings } = extractionOf([change])
    expect(rules(findings)).toEqual([])
    expect([...references.values()].map(({ name }) => name)).not.toContain('tab.0')
    const tables = draft.sections.filter(({ name }) => name.startsWith('.rodata'))
    expect(tables.flatMap(({ relocations }) => relocations.map(({ symbol }) => symbol.name))).toHaveLength(3)
  })

  test('that can be written to is refused', () => {
    const table = 'static void *tab[]'
    const write = 'if (i > 9) tab[i - 10] = tab[1];'
    const { findings } = extractionOf([changeOf(unit(1, table, write), unit(2, table, write))])
    expect(rules(findings)).toEqual(['error into-function'])
    expect(findings[0]?.message).toContain('tab')
  })

  test('of functions stays the kernel’s', () => {
    const text = (n: number) => `int a(void), b(void); int g(int i) { static int (*const tab[])(void) = { a, b };
      return tab[i]() + ${n}; }`
    const { references } = extractionOf([changeOf(text(1000), text(2000))])
    expect([...references.values()].map(({ name }) => name)).toContain('tab.0')
  })
})
