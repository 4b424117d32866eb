// SPDX-License-Identifier: GPL-3.0-or-later
// Checks that every source file says under which licence it stands: what is compiled into the kernel under
// the kernel's own, all else under GPL-3.0-or-later. What can't hold a comment is named in REUSE.toml.
import { readFileSync } from 'node:fs'
import { sourceFiles } from './source-files.mjs'

const source = /(\.(ts|mts|mjs|cjs|js|sh|c|h|S|lds|py|css|html|yml|yaml)|Makefile|Kbuild)$|^\.ci\//

const wrong = []
for (const { relative: name, full } of sourceFiles(source)) {
  const wanted = name.startsWith('kernel/') ? 'GPL-2.0-only' : 'GPL-3.0-or-later'
  const head = readFileSync(full, 'utf8').split('\n', 3)
  const found = head.flatMap((line) => /SPDX-License-Identifier: (\S+)/.exec(line)?.[1] ?? [])[0]
  if (found !== wanted) wrong.push(`${name}: ${found ?? 'no licence'}, should be ${wanted}`)
}
if (wrong.length > 0) {
  process.stderr.write(`SPDX-License-Identifier:\n${wrong.map((line) => `  ${line}\n`).join('')}`)
  process.exit(1)
}
