// SPDX-License-Identifier: GPL-3.0-or-later
// What a function leaves in a live object for its own next call, and reads otherwise than its old self has written it.
import { expect, test } from 'vitest'
import { storedFindings } from '../../../../src/check/rules/state/stored-otherwise.ts'
import { changedFunctions } from '../../../../src/check/subject/changed-functions.ts'
import { changeOf } from '../../text.ts'

const told = (before: string, after: string) => {
  const change = changeOf(before, after)
  return storedFindings(changedFunctions([change]))
    .filter(({ severity }) => severity !== 'note')
    .map(({ symbol }) => symbol)
}
const walk = (body: string) =>
  `struct walk { long at; long step; long seen[4]; int state; };\nint walk_on(struct walk *w, struct ` +
  `sink *s)\n{\n\tlong i, j;\n\n${body}\treturn 0;\n}\n`
const both = (body: string, more: readonly (readonly [string, string])[]): [string, string] => [
  walk(body),
  walk(more.reduce((text, [from, to]) => text.replace(from, to), body)),
]

test.each([
  [
    'a unit',
    ...both('\ti = w->at;\n\twhile (put(s, i))\n\t\ti++;\n\tw->at = i;\n', [
      ['i = w->at', 'i = w->at / PAGE_SIZE'],
      ['w->at = i', 'w->at = i * PAGE_SIZE'],
    ]),
  ],
  [
    'an offset that begins at one',
    ...both('\tfor (i = w->at; put(s, i); i++)\n\t\t;\n\tw->at = i;\n', [
      ['i = w->at', 'i = w->at - 1'],
      ['w->at = i', 'w->at = i + 1'],
    ]),
  ],
  [
    'a unit that was there and is gone',
    ...both('\ti = jiffies_to_msecs(w->at);\n\twhile (put(s, i))\n\t\ti++;\n\tw->at = msecs_to_jiffies(i);\n', [
      ['jiffies_to_msecs(w->at)', 'w->at'],
      ['msecs_to_jiffies(i)', 'i'],
    ]),
  ],
  [
    'a sentinel',
    ...both('\tif (w->state == WALK_ENDED)\n\t\treturn 1;\n\tif (!put(s, 1))\n\t\tw->state = WALK_ENDED;\n', [
      ['== WALK_ENDED', '== WALK_CLOSED'],
      ['= WALK_ENDED;', '= WALK_CLOSED;'],
    ]),
  ],
  [
    'two elements of an array, exchanged',
    ...both('\ti = w->seen[0];\n\tj = w->seen[1];\n\tput(s, i + j);\n\tw->seen[0] = i;\n\tw->seen[1] = j;\n', [
      ['i = w->seen[0]', 'i = w->seen[1]'],
      ['j = w->seen[1]', 'j = w->seen[0]'],
      ['w->seen[0] = i', 'w->seen[1] = i'],
      ['w->seen[1] = j', 'w->seen[0] = j'],
    ]),
  ],
  [
    'another member',
    ...both('\ti = w->at;\n\tw->step = 1;\n\tput(s, i);\n\tw->at = i;\n\tput(s, w->step);\n', [
      ['i = w->at', 'i = w->step'],
      ['\tw->step = 1;\n', '\tput(s, w->at);\n'],
      ['w->at = i', 'w->step = i'],
    ]),
  ],
])('is asked about: %s', (_what, before, after) => {
  expect(told(before, after)).toEqual(['walk_on'])
})

test.each([
  [
    'it is written before it is read',
    ...both('\tw->at = s->first;\n\twhile (put(s, w->at))\n\t\ti++;\n', [
      ['w->at = s->first', 'w->at = s->first << 1'],
      ['put(s, w->at)', 'put(s, w->at >> 1)'],
    ]),
  ],
  [
    'its bound changes',
    ...both('\tif (w->at > 8)\n\t\treturn 1;\n\tw->at = s->first;\n', [
      ['w->at > 8', 'w->at > WALK_MOST'],
      ['w->at = s->first', 'w->at = min(s->first, WALK_MOST)'],
    ]),
  ],
  [
    'the object is on the stack',
    ...(['', '1'].map(
      (by) =>
        `struct walk { long at; };\nstatic int next(struct walk *w)\n{\n\tlong i = ` +
        `w->at${by && ' >> 1'};\n\n\tw->at = i${by && ' << 1'};\n\treturn i;\n}\nint ` +
        `all(void)\n{\n\tstruct walk w = { 0 };\n\n\treturn next(&w);\n}\n`,
    ) as [string, string]),
  ],
  [
    'the member is renamed',
    ...both('\ti = w->at;\n\tput(s, i);\n\tw->at = i;\n', [
      ['i = w->at', 'i = w->position'],
      ['w->at = i', 'w->position = i'],
    ]),
  ],
  [
    'a variable is renamed',
    ...both('\ti = w->seen[0];\n\tput(s, i);\n\tw->seen[0] = i;\n', [
      ['i = w->seen[0]', 'j = w->seen[0]'],
      ['put(s, i)', 'put(s, j)'],
      ['w->seen[0] = i', 'w->seen[0] = j'],
    ]),
  ],
  [
    'it only takes one more step',
    ...both('\ti = w->at;\n\tput(s, i);\n\tw->at = i;\n', [['w->at = i', 'w->at = i + 1']]),
  ],
])('is not asked about when %s', (_what, before, after) => {
  expect(told(before, after)).toEqual([])
})
