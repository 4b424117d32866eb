// SPDX-License-Identifier: GPL-3.0-or-later
// Checks that no line is longer than 120 columns. The formatter wraps code; comments and texts it leaves alone.
// What can't be broken may be longer: a regular expression, and text of several lines (a C file, a guest's script).
import { readFileSync } from 'node:fs'
import path from 'node:path'
import ts from 'typescript'
import { sourceFiles } from './source-files.mjs'

const most = 120

/** Whether what reaches beyond the last column of a line is something that can't be broken. */
function mayBeLong(tree, line) {
  let may = false
  const at = tree.getPositionOfLineAndCharacter(line, most)
  const visit = (node) => {
    if (at < node.getStart(tree) || at >= node.end) return
    const first = tree.getLineAndCharacterOfPosition(node.getStart(tree)).line
    const last = tree.getLineAndCharacterOfPosition(node.end).line
    may ||= ts.isRegularExpressionLiteral(node)
    may ||= (ts.isTemplateExpression(node) || ts.isNoSubstitutionTemplateLiteral(node)) && first < last
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return may
}

const wrong = []
for (const name of sourceFiles(/\.(ts|mjs|cjs|c|h|sh)$/)) {
  // What the fuzzer spoils is data.
  if (name.relative.startsWith('bench/fuzz/corpus/')) continue
  const text = readFileSync(name.full, 'utf8')
  let tree
  for (const [index, line] of text.split('\n').entries()) {
    if (line.length <= most) continue
    if (/\.(ts|mjs|cjs)$/.test(name.relative)) {
      tree ??= ts.createSourceFile(path.basename(name.full), text, ts.ScriptTarget.Latest, true)
      if (mayBeLong(tree, index)) continue
    }
    wrong.push(`${name.relative}:${index + 1}: ${line.length} columns`)
  }
}
if (wrong.length > 0) {
  process.stderr.write(`longer than ${most} columns:\n${wrong.map((line) => `  ${line}\n`).join('')}`)
  process.exit(1)
}
