// SPDX-License-Identifier: GPL-3.0-or-later
// Checks that every source file says under which licence it stands: what is compiled into the kernel under
// the kernel's own, all else under GPL-3.0-or-later. What can't hold a comment is named in REUSE.toml.
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const skipped = new Set(['.git', 'node_modules', 'dist', 'coverage', 'LICENSES'])
const source = /(\.(ts|mts|mjs|cjs|js|sh|c|h|S|lds|py|css|html|yml|yaml)|Makefile|Kbuild)$|^\.ci\//

function* files(dir) {
  for (const entry of readdirSync(path.join(root, dir), { withFileTypes: true })) {
    const name = path.join(dir, entry.name)
    if (entry.isDirectory()) {
      if (!skipped.has(entry.name)) yield* files(name)
    } else if (entry.isFile() && source.test(name)) yield name
  }
}

const wrong = []
for (const name of files('')) {
  const wanted = name.startsWith('kernel/') ? 'GPL-2.0-only' : 'GPL-3.0-or-later'
  const head = readFileSync(path.join(root, name), 'utf8').split('\n', 3)
  const found = head.flatMap((line) => /SPDX-License-Identifier: (\S+)/.exec(line)?.[1] ?? [])[0]
  if (found !== wanted) wrong.push(`${name}: ${found ?? 'no licence'}, should be ${wanted}`)
}
if (wrong.length > 0) {
  process.stderr.write(`SPDX-License-Identifier:\n${wrong.map((line) => `  ${line}\n`).join('')}`)
  process.exit(1)
}
