// SPDX-License-Identifier: GPL-3.0-or-later
// Bundles the command into dist/, so that it starts fast: one file for each room that is loaded on demand,
// with its dependencies in it. Does nothing when dist/ was made from these very sources.
import { createHash } from 'node:crypto'
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const dist = path.join(root, 'dist')
const stamp = path.join(dist, '.sources')

/** What a bundle needs besides the code: `require` for the packages that are not ES modules. */
const banner = `#!/usr/bin/env node
import { createRequire as inarchRequire } from 'node:module'
const require = inarchRequire(import.meta.url)`

/** A hash over everything that the bundle is made from. */
function sourcesHash() {
  const hash = createHash('sha256')
  const files = readdirSync(path.join(root, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .sort()
  files.push(
    ...['package.json', 'package-lock.json', 'scripts/build.mjs'].map((name) => path.join(root, name)),
  )
  for (const file of files)
    hash
      .update(`${path.relative(root, file)}\0`)
      .update(readFileSync(file))
      .update('\0')
  return hash.digest('hex')
}

/** True when dist/ holds the bundle of the sources as they are now. */
export function isBuilt() {
  try {
    return statSync(path.join(dist, 'inarch.js')).isFile() && readFileSync(stamp, 'utf8') === sourcesHash()
  } catch {
    return false
  }
}

/** Makes dist/inarch.js. */
export async function build() {
  const sources = sourcesHash()
  const { build: bundle } = await import('esbuild')
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
  const { metafile } = await bundle({
    absWorkingDir: root,
    entryPoints: { inarch: 'src/cli/main.ts', 'pair-worker': 'src/extract/pair-worker.ts' },
    outdir: 'dist',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    chunkNames: '[name]-[hash]',
    sourcemap: true,
    banner: { js: banner },
    define: { INARCH_VERSION: JSON.stringify(version) },
    metafile: true,
    logLevel: 'warning',
  })
  const made = new Set(Object.keys(metafile.outputs).map((file) => path.basename(file)))
  // A command that is running may still load a chunk of the bundle before: only old ones are removed.
  const old = Date.now() - 60 * 60 * 1000
  for (const name of readdirSync(dist)) {
    const file = path.join(dist, name)
    if (/\.js(\.map)?$/.test(name) && !made.has(name) && statSync(file).mtimeMs < old) rmSync(file)
  }
  chmodSync(path.join(dist, 'inarch.js'), 0o755)
  writeFileSync(stamp, sources)
}

if (process.argv[1] === fileURLToPath(import.meta.url) && !isBuilt()) await build()
