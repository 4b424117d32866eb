// SPDX-License-Identifier: GPL-3.0-or-later
// Bundles the command into dist/, so that it starts fast: a part for what is loaded on demand together, with its
// dependencies in it, and beside it what V8 makes of it (its code cache), so that nothing is parsed or compiled anew at
// every start. Does nothing when dist/ was made from these very sources.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const dist = path.join(root, 'dist')
const stamp = path.join(dist, '.sources')

/**
 * Commander loads what starts programs, for a kind of command that Inarch does not have; that alone takes longer
 * than all of Inarch's own start.
 */
const withoutPrograms = {
  name: 'without-programs',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      importer.split(path.sep).includes('commander') ? { path: 'none', namespace: 'without-programs' } : undefined,
    )
    onLoad({ filter: /^none$/, namespace: 'without-programs' }, () => ({ contents: 'module.exports = {}' }))
  },
}

/** A hash over everything that the bundle is made from. */
function sourcesHash() {
  const hash = createHash('sha256')
  const files = readdirSync(path.join(root, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .sort()
  files.push(
    ...['package.json', 'package-lock.json', 'scripts/build.mjs', 'scripts/launch.cjs', 'scripts/warm.cjs'].map(
      (name) => path.join(root, name),
    ),
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

/**
 * Moves the files of one directory into another one. What is of a bundle before goes, but not under a running command.
 */
function moveInto(target, from) {
  mkdirSync(target, { recursive: true })
  const names = readdirSync(from, { withFileTypes: true })
  const old = Date.now() - 60 * 60 * 1000
  for (const entry of readdirSync(target, { withFileTypes: true }))
    if (entry.isFile() && /\.(js|map|cache)$/.test(entry.name) && !names.some(({ name }) => name === entry.name))
      if (statSync(path.join(target, entry.name)).mtimeMs < old) rmSync(path.join(target, entry.name))
  for (const entry of names)
    if (entry.isDirectory()) moveInto(path.join(target, entry.name), path.join(from, entry.name))
    else renameSync(path.join(from, entry.name), path.join(target, entry.name))
}

const small = { minifySyntax: true, minifyWhitespace: true, platform: 'node', target: 'node20' }

/**
 * The command in parts, each an ES module: nothing else can be split.
 * @param outdir where the parts would be; nothing is written
 */
export async function splitBundle(outdir) {
  const { build: bundle } = await import('esbuild')
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
  return await bundle({
    ...small,
    absWorkingDir: root,
    entryPoints: { inarch: 'src/cli/main.ts', 'pair-worker': 'src/extract/pairs/pair-worker.ts' },
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    chunkNames: '[name]-[hash]',
    plugins: [withoutPrograms],
    define: { INARCH_VERSION: JSON.stringify(version), 'import.meta.dirname': '__dirname' },
    logLevel: 'warning',
    write: false,
    metafile: true,
  })
}

/** `import"./part.js";`, `import path from"node:path";` or `import{a,b as c}from"…";`. */
const importOfPart = /^import(?: ([\w$]+) from(?="node:)|\{((?:(?!\bdefault\b)[^}])*)\}from)?"([^"]+)";/
const exportOfPart = /export\{([^}]*)\};\s*$/

/**
 * A part as a script. What a part imports are constants of its own here, because V8 asks an import of CommonJS for its
 * value at every use. That holds because parts import one another in one direction and no part gives an export another
 * value later (test/project/bundle.test.ts). A statement that is not understood stays, and fails to compile.
 */
function asScript(text) {
  let head = ''
  for (let match = importOfPart.exec(text); match !== null; match = importOfPart.exec(text)) {
    const [statement, whole, names, from] = match
    const needed = `require(${JSON.stringify(from)})`
    const constants = whole ?? (names && `{${names.replaceAll(' as ', ':')}}`)
    head += constants === undefined ? `${needed};` : `const ${constants}=${needed};`
    text = text.slice(statement.length)
  }
  return (
    head +
    text.replace(exportOfPart, (_statement, names) => {
      const members = names.split(',').map((name) => name.split(' as ').reverse().join(':'))
      return `Object.assign(exports,{__esModule:true,${members}});`
    })
  )
}

/** Makes dist/inarch.js. */
export async function build() {
  const sources = sourcesHash()
  const { transform } = await import('esbuild')
  mkdirSync(dist, { recursive: true })
  const made = path.join(dist, `.new-${process.pid}`)
  try {
    const { outputFiles, metafile } = await splitBundle(made)
    const parts = path.join(made, 'parts')
    mkdirSync(parts, { recursive: true })
    for (const { path: file, text } of outputFiles) {
      // The launcher's scripts have no import().
      const { code } = await transform(asScript(text), {
        ...small,
        format: 'cjs',
        supported: { 'dynamic-import': false },
      })
      // The launcher calls it, as Node calls a module.
      const whole = `(function (exports, require, module, __filename, __dirname) {${code}})`
      writeFileSync(path.join(parts, path.basename(file)), whole)
    }
    // Which files are in which part, for whoever wonders.
    const contents = Object.entries(metafile.outputs).map(([file, { inputs }]) => [
      path.basename(file),
      Object.keys(inputs),
    ])
    writeFileSync(path.join(made, 'parts.json'), JSON.stringify(Object.fromEntries(contents), null, 1))
    for (const name of ['inarch.js', 'pair-worker.js'])
      copyFileSync(path.join(root, 'scripts/launch.cjs'), path.join(made, name))
    chmodSync(path.join(made, 'inarch.js'), 0o755)
    // The package's own files are ES modules.
    writeFileSync(path.join(made, 'package.json'), '{ "type": "commonjs" }\n')
    spawnSync(process.execPath, [path.join(root, 'scripts/warm.cjs'), made], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    moveInto(dist, made)
  } finally {
    rmSync(made, { recursive: true, force: true })
  }
  writeFileSync(stamp, sources)
}

if (process.argv[1] === fileURLToPath(import.meta.url) && !isBuilt()) await build()
