// SPDX-License-Identifier: GPL-3.0-or-later
// Lines of the source in data of code that was compiled anew: they may be others where the text of the line is the
// same, and nowhere else.
import { describe, expect, test } from 'vitest'
import { bytesOf, type Extent, isString, type ObjectView, viewOf } from '../../src/audit/object-view.ts'
import { excuseLines, isSameTextAtLine } from '../../src/audit/recompiled-code.ts'
import { compileBytes } from '../objects.ts'

const told = 'return table[at] + 3; /* the place */'
const unit = ['int table[8];', 'int other(int);', '', '', 'int f(int at)', '{', `\t${told}`, '}']
const part = ['int table[8];', 'int f(int at)', '{', `\t${told}`, '}']
const texts = { unit: [unit, unit], part }
const named = (lines: readonly string[]) => `# 1 "fs/unit.c"\n${lines.join('\n')}\n`

/** What UBSAN tells of the place. */
function placeIn(view: ObjectView): Extent {
  const section = view.object.sections.find(({ name }) => /ubsan_data/.test(name))!
  return { section, start: 0, end: section.size }
}

describe('what UBSAN tells of a place', () => {
  const view = (lines: readonly string[]) =>
    viewOf(compileBytes(named(lines), '-fsanitize=bounds', '-fdata-sections'), 'u.o')
  const excused = (lines: readonly string[]) => {
    const [theirs, mine] = [placeIn(view(unit)), placeIn(view(lines))]
    const [made, ours] = [Buffer.from(bytesOf(theirs)), Buffer.from(bytesOf(mine))]
    expect(ours.equals(made)).toBe(false)
    excuseLines(theirs, { ...texts, part: lines }, ours, made)
    return ours.equals(made)
  }

  test('may have another line, whose text is the same', () => {
    expect(excused(part)).toBe(true)
  })

  test('may not be about another text', () => {
    expect(excused(part.map((line) => line.replace('+ 3', '+ 4')))).toBe(false)
  })
})

describe('a text with a file and a line', () => {
  const view = (lines: readonly string[]) => {
    const spelled = '#define S(x) #x\n#define T(x) S(x)\n'
    const text = lines.map((line) => line.replace(told, `return told("field at " __FILE__ ":" T(__LINE__) " of f");`))
    return viewOf(compileBytes(`${spelled}int told(const char *);\n${named(text)}`), 'u.o')
  }
  const stringIn = (one: ObjectView) => {
    const section = one.object.sections.find((candidate) => isString(candidate) && candidate.data.includes('field at'))!
    return { section, start: section.data.indexOf('field at'), end: section.size }
  }
  const isSame = (lines: readonly string[], source = 'fs/unit.c') => {
    const mine = stringIn(view(lines))
    const place = { section: mine.section, offset: mine.start }
    return isSameTextAtLine(place, stringIn(view(unit)), source, { ...texts, part: lines })
  }

  test('may have another line, whose text is the same', () => {
    expect(isSame(part)).toBe(true)
  })

  test('may not be about another text, another file, or say something else', () => {
    const moved = [...part.slice(0, 3), '', ...part.slice(3)]
    expect(isSameTextAtLine(placeOf(view(moved)), stringIn(view(unit)), 'fs/unit.c', texts)).toBe(false)
    expect(isSame(part, 'fs/other.c')).toBe(false)
    const other = viewOf(compileBytes('const char *f(void) { return "field at fs/unit.c:4 of g"; }'), 'u.o')
    expect(isSameTextAtLine(placeOf(other), stringIn(view(unit)), 'fs/unit.c', texts)).toBe(false)
  })

  function placeOf(one: ObjectView) {
    const { section, start } = stringIn(one)
    return { section, offset: start }
  }
})
