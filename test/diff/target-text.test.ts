// SPDX-License-Identifier: GPL-3.0-or-later
// What is said of two references shows where they differ.
import { expect, test } from 'vitest'
import { compareObjects } from '../../src/diff/change.ts'
import { readObject } from '../../src/elf/read.ts'
import { compileBytes } from '../objects.ts'

const prelude = 'int take(const void *); extern char far[]; static int arr[8]; void fill(int i) { arr[i] = i; }'

test.each([
  ['a variable', 'take(&arr[1]);', 'take(&arr[2]);', 'it refers to arr + 8 instead of arr + 4'],
  ['what another unit has', 'take(far);', 'take(far + 3);', 'it refers to far + 3 instead of far'],
  ['a part of a string', 'take(&"a long text"[2]);', 'take(&"a long text"[7]);', 'byte 7 of "a long text"'],
  ['white space', 'take("a:   b");', 'take("a:  b");', 'it refers to "a:{2 spaces}b" instead of "a:{3 spaces}b"'],
  ['two things', 'take(far);', 'take("text");', 'it refers to "text" instead of far'],
])('in %s', (_, before, after, said) => {
  const object = (text: string) =>
    readObject(compileBytes(`${prelude} int f(void) { return ${text.replace(';', '')} + 1; }`), 'unit.o')
  const { changed } = compareObjects(object(before), object(after), 'unit.c')
  expect(changed.map(({ reasons }) => reasons.join('; '))).toEqual([expect.stringContaining(said)])
})
