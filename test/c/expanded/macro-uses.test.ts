// SPDX-License-Identifier: GPL-3.0-or-later
import { expect, test } from 'vitest'
import { readExpanded } from '../../../src/c/expanded/expanded-text.ts'
import { macroUses } from '../../../src/c/expanded/macro-uses.ts'
import { tokenize } from '../../../src/c/tokens/lexer.ts'
import { probeFile, writtenView } from '../../../src/c/written/written-lines.ts'

test('a macro is expanded where its name is a word of its own: in no string and no number', () => {
  const header = '#define UL 5\n#define ZERO 0UL\n#define SAY(x) x "UL"\n'
  const text = 'int a = ZERO SAY(1);\n'
  const expanded = readExpanded(`# 1 "a.h" 1\n${header}# 1 "a.c"\n${text}`, 'a.c')
  const probed = probeFile(
    text,
    'a.c',
    () => undefined,
    () => false,
  )
  const uses = macroUses(writtenView(probed, new Set(), []), expanded)
  uses.collect(tokenize(text))
  expect(uses.fromHeaders()).toEqual(['#define ZERO 0UL\n', '#define SAY(x) x "UL"\n'])
  expect(['ZERO', 'SAY', 'UL'].map((name) => uses.meaning(name, 1))).toEqual(['0UL', 'x "UL"', '5'])
})
