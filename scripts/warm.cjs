// SPDX-License-Identifier: GPL-3.0-or-later
// Runs a bundle on two small objects and keeps the code that V8 made meanwhile: node scripts/warm.cjs dist/main.js
// Without a compiler the code of the command line alone is kept.
'use strict'
const { spawnSync } = require('node:child_process')
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const { createRequire } = require('node:module')
const os = require('node:os')
const path = require('node:path')
const { constants, Script } = require('node:vm')

/** A unit with what most units have: strings, tables, statics, calls. */
const source = `
extern int printk(const char *format, ...);
static int count;
static const char *const names[] = { "one", "two", "three" };
int other(int n) { return n * 3; }
int changed(int n)
{
	switch (n) {
	case 0: return other(n);
	case 1: return printk("%s\\n", names[n]);
	case 2: return ++count;
	case 3: return printk("three");
	case 4: return other(7) + CHANGE;
	default: return printk("%d", n);
	}
}
`

const filename = path.resolve(process.argv[2])
const dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-warm-'))
const objects = ['1', '2'].map((change) => {
  const object = path.join(dir, `${change}.o`)
  const flags = ['-O2', '-ffunction-sections', '-fdata-sections', `-DCHANGE=${change}`]
  spawnSync('gcc', [...flags, '-x', 'c', '-c', '-o', object, '-'], { input: source })
  return object
})

const bundle = new Script(readFileSync(filename, 'latin1'), {
  filename,
  importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
})
process.argv = [process.argv[0], filename, 'diff', ...objects]
process.on('exit', () => {
  process.exitCode = 0
  writeFileSync(path.join(path.dirname(filename), 'main.cache'), bundle.createCachedData())
  rmSync(dir, { recursive: true, force: true })
})
bundle.runInThisContext()(exports, createRequire(filename), module, filename, path.dirname(filename))
