// SPDX-License-Identifier: GPL-3.0-or-later
// Runs a bundle on two small objects and keeps the code that V8 made meanwhile: node scripts/warm.cjs dist
// Of the parts that are not needed for that, all code is compiled and kept: which of it runs, nobody knows.
'use strict'
const { spawnSync } = require('node:child_process')
const { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const v8 = require('node:v8')
const { Script } = require('node:vm')

/** A unit with what most units have: strings, tables, statics, calls. It is large enough for a quick look. */
const source = `
extern int printk(const char *format, ...);
static int count;
char room[300000] = { 1 };
static const char *const names[] = { "one", "two", "three" };
int other(int n) { return n * 3; }
__attribute__((cold)) void complain(const char *file, int line);
int changed(int n)
{
	static int calls;
	if (calls++ == 1234)
		complain("file.c", 12);
	asm volatile("1: ud2\\n.pushsection __bug_table, \\"aw\\"\\n.long 1b - .\\n.long 1b - .\\n.long 12\\n.popsection");
	asm volatile("2: nop\\n.pushsection __ex_table, \\"a\\"\\n.long 2b - .\\n.long 2b - .\\n.long 3\\n.popsection");
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

const launcher = path.resolve(process.argv[2], 'inarch.js')
const dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-warm-'))
const objects = ['1', '2'].map((change) => {
  const object = path.join(dir, `${change}.o`)
  const flags = [
    '-O2',
    '-pg',
    '-mfentry',
    '-fno-pic',
    '-mcmodel=kernel',
    '-ffunction-sections',
    '-fdata-sections',
    `-DCHANGE=${change}`,
  ]
  spawnSync('gcc', [...flags, '-x', 'c', '-c', '-o', object, '-'], { input: source })
  return object
})

process.argv = [process.argv[0], launcher, 'diff', ...objects]
const { parts } = require(launcher)
process.on('exit', () => {
  process.exitCode = 0
  const ran = [...parts.values()]
  const directory = path.join(path.dirname(launcher), 'parts')
  const others = readdirSync(directory)
    .filter((name) => name.endsWith('.js') && !parts.has(name))
    .map((name) => path.join(directory, name))
  v8.setFlagsFromString('--no-lazy')
  const whole = others.map((filename) => ({
    filename,
    script: new Script(readFileSync(filename, 'utf8'), { filename }),
  }))
  // What is kept says with which flags it was made, and would not be taken by a Node without this one.
  v8.setFlagsFromString('--lazy')
  for (const { script, filename } of [...ran, ...whole]) writeFileSync(`${filename}.cache`, script.createCachedData())
  rmSync(dir, { recursive: true, force: true })
})
