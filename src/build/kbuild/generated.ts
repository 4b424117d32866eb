// SPDX-License-Identifier: GPL-3.0-or-later
// A few units take in files that kbuild generates beside them (SELinux's flask.h, the tables of ASN.1
// parsers, crc32table.h), which no package carries. kbuild makes them here, for one unit, in a shadow
// tree; its rules for compiling do nothing meanwhile. They are kept in the kernel's directory.
import { existsSync, readdirSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { command } from '../../ground/command.ts'
import type { Job } from '../../ground/job.ts'
import { move } from '../../ground/move.ts'
import { withScratch } from '../../ground/scratch.ts'
import { digestOfStamps } from '../../ground/stamp.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { decisiveFiles } from './makefiles.ts'
import { makeShadow, type ShadowFile } from './shadow-tree.ts'
import type { Unit } from './units.ts'

// Programs that `make prepare` would build, which is not asked for: it would build objtool too.
const tools = ['scripts/asn1_compiler', 'scripts/selinux/genheaders/genheaders']

/** Where those programs have their headers from. */
const includedByTools = ['security/selinux/include', 'include/linux', 'include/uapi/linux']

const fragment = `
override if_changed_rule = @:
${tools.join(' ')}: %: %.c ; $(HOSTCC) -I$(srctree)/include/uapi -I$(srctree)/include -I$(srctree)/security/selinux/include -o $@ $<
.DEFAULT: ; @:
`

/** A marker that makes its directory a real one in the shadow. */
const marker = '.inarch'

function directoriesOf(unit: Unit): string[] {
  const parts = path.posix.dirname(unit.object).split('/')
  return parts.map((_, i) => parts.slice(0, i + 1).join('/'))
}

/** The files in `dir` of `tree` that are no links: what kbuild has made there. */
async function madeIn(tree: string, dir: string): Promise<string[]> {
  const entries = await readdir(path.join(tree, dir), { withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && /^[^.].*\.[a-z]+$/.test(entry.name) && !entry.name.endsWith('.o'))
    .map((entry) => path.posix.join(dir, entry.name))
}

async function make(job: Job, kernel: Kernel, unit: Unit, kept: string): Promise<void> {
  const since = Date.now()
  await withScratch(async (dir) => {
    const tree = path.join(dir, 'tree')
    const makefile = path.join(dir, 'inarch.mk')
    await writeFile(makefile, fragment)
    const real = [...directoriesOf(unit), ...tools.map((tool) => path.posix.dirname(tool))]
    makeShadow(
      kernel.source,
      tree,
      [...new Set(real)].map((name) => ({ path: `${name}/${marker}`, text: '' })),
    )
    await command(
      'make',
      [
        ...['-rR', '--no-print-directory', '-k', '-o', 'prepare'],
        `KERNELRELEASE=${kernel.release}`,
        `CC=${kernel.compiler.program}`,
        unit.object,
      ],
      { cwd: tree, env: { MAKEFILES: makefile, TMPDIR: dir }, signal: job.signal, allowFailure: true },
    )
    const names = (await Promise.all(directoriesOf(unit).map((one) => madeIn(tree, one)))).flat()
    // Nothing is not kept: what kept kbuild from making it may be mended.
    if (names.length === 0) return
    const result = path.join(dir, 'result')
    for (const name of names) {
      await mkdir(path.join(result, path.dirname(name)), { recursive: true })
      await rename(path.join(tree, name), path.join(result, name))
    }
    await writeFile(path.join(result, stampFile), digestOfStamps(kernel.source, originsOf(kernel, unit), since) ?? '')
    await mkdir(path.dirname(kept), { recursive: true })
    await rm(kept, { recursive: true, force: true })
    // Another process may have been faster, with the same files.
    await move(result, kept).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
  })
}

/** Beside what was made: the stamps of what it was made from. */
const stampFile = '.stamps'

/**
 * The files that what is generated for a unit comes from: those in its directories, kbuild's programs with what they
 * include, and the makefiles.
 */
function originsOf(kernel: Kernel, unit: Unit): string[] {
  const dirs = [...directoriesOf(unit), ...tools.map((tool) => path.posix.dirname(tool)), ...includedByTools]
  const files = dirs.flatMap((dir) => {
    const full = path.join(kernel.source, dir)
    if (!existsSync(full)) return []
    const entries = readdirSync(full, { withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map((entry) => path.posix.join(dir, entry.name))
  })
  return [...new Set([...files, ...decisiveFiles(kernel.source, [], [unit.object])])].sort()
}

function placeOf(kernel: Kernel, unit: Unit): string {
  return path.join(kernel.dir, 'generated', unit.object)
}

async function isCurrent(kernel: Kernel, unit: Unit, kept: string): Promise<boolean> {
  const stamps = await readFile(path.join(kept, stampFile), 'utf8').catch(() => '')
  return stamps !== '' && stamps === digestOfStamps(kernel.source, originsOf(kernel, unit))
}

/** The files that kbuild generates for a unit, beside its sources; empty when there are none. */
export async function generatedFor(job: Job, kernel: Kernel, unit: Unit): Promise<ShadowFile[]> {
  const kept = placeOf(kernel, unit)
  if (!(await isCurrent(kernel, unit, kept)))
    await job.journal.step(`Generating what ${unit.source} includes`, () => make(job, kernel, unit, kept))
  return await generatedBefore(kernel, unit)
}

/** What was generated for a unit when it was compiled; empty when it needed nothing. */
export async function generatedBefore(kernel: Kernel, unit: Unit): Promise<ShadowFile[]> {
  const kept = placeOf(kernel, unit)
  if (!existsSync(kept)) return []
  const names = await readdir(kept, { recursive: true, withFileTypes: true })
  return await Promise.all(
    names
      .filter((entry) => entry.isFile() && entry.name !== stampFile)
      .map(async (entry) => {
        const file = path.join(entry.parentPath ?? entry.path, entry.name)
        return { path: path.relative(kept, file), text: await readFile(file, 'latin1') }
      }),
  )
}
