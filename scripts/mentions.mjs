// SPDX-License-Identifier: GPL-3.0-or-later
// Checks that every source file that the docs or a comment name is there. A bare name is looked for everywhere.
import { readFileSync } from 'node:fs'
import { sourceFiles } from './source-files.mjs'

const files = [...sourceFiles(/\.(ts|mjs|cjs)$/)].map(({ relative }) => `/${relative}`)
const comment = /^\s*(?:\/\/|\/\*|\*)/

const wrong = []
for (const { relative, full } of sourceFiles(/\.(ts|mjs|cjs|md)$/))
  for (const [index, line] of readFileSync(full, 'utf8').split('\n').entries()) {
    if (!relative.endsWith('.md') && !comment.test(line)) continue
    for (const [name] of line.matchAll(/[\w.-]*(?:\/[\w.-]+)*\w\.(?:ts|mjs|cjs)\b/g)) {
      const end = `/${name.replace(/^(?:\.{0,2}\/)+/, '')}`
      if (!files.some((file) => file.endsWith(end))) wrong.push(`${relative}:${index + 1}: ${name}`)
    }
  }
if (wrong.length > 0) {
  process.stderr.write(`no such file:\n${wrong.map((line) => `  ${line}\n`).join('')}`)
  process.exit(1)
}
