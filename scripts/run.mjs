// SPDX-License-Identifier: GPL-3.0-or-later
// Runs a TypeScript file of the project, such as a benchmark: node scripts/run.mjs bench/build.ts [ARGUMENTS]
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const [file, ...args] = process.argv.slice(2)
if (file === undefined) {
  process.stderr.write('usage: node scripts/run.mjs FILE.ts [ARGUMENTS]\n')
  process.exit(2)
}
const cache = path.join(root, 'node_modules/.cache')
mkdirSync(cache, { recursive: true })
const dir = mkdtempSync(path.join(cache, 'run-'))
try {
  const outfile = path.join(dir, 'main.mjs')
  await build({
    absWorkingDir: root,
    entryPoints: [path.resolve(file)],
    outfile,
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: 'inline',
    define: { INARCH_VERSION: JSON.stringify(process.env.npm_package_version ?? '0') },
    logLevel: 'warning',
  })
  process.exitCode =
    spawnSync(process.execPath, ['--enable-source-maps', outfile, ...args], { stdio: 'inherit' }).status ?? 1
} finally {
  rmSync(dir, { recursive: true, force: true })
}
