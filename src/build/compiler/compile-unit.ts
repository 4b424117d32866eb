// SPDX-License-Identifier: GPL-3.0-or-later
// Compiles one side of a unit, before or after the patch, with the arguments that kbuild uses, but with
// a section for each function and datum. Debug information is asked for as far as it changes code, and taken out
// again: it makes nine tenths of the object. objtool is left to whoever makes a module of the objects.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { withoutDebug } from '../../elf/without-debug.ts'
import { Fault } from '../../ground/fault.ts'
import type { Job } from '../../ground/job.ts'
import type { Compiler, Kernel } from '../../kernel/kernel.ts'
import type { FileChange } from '../../patch/patch.ts'
import { makeShadow, type ShadowFile } from '../kbuild/shadow-tree.ts'
import type { Unit, Units } from '../kbuild/units.ts'
import { macroHeaders } from './author-macros.ts'
import { assembledFiles, missingFile, PatchErrors, sourceError, withoutWords } from './compile-errors.ts'
import {
  type CompilerRun,
  exhaustion,
  isClang,
  mayHideInputs,
  readInputs,
  runCompiler,
  tellingInputs,
} from './compiler-run.ts'
import { withFewestDebugFlags } from './debug-flags.ts'
import { dependenciesIn } from './dependencies.ts'
import { type InputTree, parseInputs, renderInputs, searchedBy } from './inputs.ts'
import { asking, ipaFormat, keepDump, readAnswer } from './ipa-record.ts'
import { keepLineNumbers } from './line-directives.ts'
import { loadObject, storeObject } from './object-cache.ts'
import { refuseOutside } from './outside-reads.ts'

/** Raised whenever what is kept of a compilation changes. */
const objectFormat = 'object-4'

/** The compiler's arguments for a unit, without the object to write. @param debug with debug information to be read */
function compileArguments(compiler: Compiler, unit: Unit, debug = false): string[] {
  if (unit.flags === undefined)
    throw new Fault(
      'environment',
      'command-needs-shell',
      `kbuild compiles ${unit.source} with a shell command that Inarch can't read`,
    )
  const flags = debug
    ? [...unit.flags.filter((flag) => !/^-g/.test(flag)), '-gdwarf-4']
    : withFewestDebugFlags(compiler, unit.flags)
  return [...flags, '-ffunction-sections', '-fdata-sections', '-c', unit.argument]
}

/** How one side of one unit is compiled, and how its object is recognised in the cache. */
export interface Compilation {
  readonly unit: Unit
  readonly cwd: string
  readonly output: string
  /** Undefined when the object must not be kept. */
  readonly key: string | undefined
  /** Where the compiler puts its temporary files. */
  readonly temporary: string
  /** Paths of the files that the key has by their content. */
  readonly own?: ReadonlySet<string>
  /** What somebody else wrote is compiled: the directories, besides the tree, that it may read. */
  readonly mayRead?: readonly string[]
  /** Keeps debug information (DWARF 4) in the object. */
  readonly debug?: boolean
}

function digest(parts: readonly string[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${part.length}:`).update(part, 'latin1')
  return hash.digest('hex')
}

/** Every error is told, and no line of a file is shown: `#line` can name any file. */
function messageFlags(compiler: Compiler): string[] {
  return isClang(compiler)
    ? ['-fno-caret-diagnostics', '-ferror-limit=100']
    : ['-fno-diagnostics-show-caret', '-fmax-errors=100']
}

/** The object of the cache, when all that it was made from is as it was. */
async function load(bench: BuildTrees, { unit, key, output }: Compilation): Promise<boolean> {
  const kept = key === undefined ? undefined : await loadObject(key)
  if (key === undefined || kept === undefined) return false
  const end = kept.indexOf('\n\n')
  const inputs = parseInputs(kept.toString('utf8', 0, end))
  const object = kept.subarray(end + 2)
  const fresh = await bench.inputs.check(inputs, async () => textsByPath(await bench.generated(unit)))
  if (fresh === undefined) return false
  if (fresh !== inputs) await storeObject(key, Buffer.concat([Buffer.from(renderInputs(fresh)), object]))
  await mkdir(path.dirname(output), { recursive: true })
  await writeFile(output, object)
  return true
}

function textsByPath(files: readonly ShadowFile[]): ReadonlyMap<string, string> {
  return new Map(files.map(({ path: file, text = '' }) => [file, text]))
}

/** Takes out of an object what was only asked for because it changes code. */
async function removeDebug(file: string): Promise<void> {
  const bytes = await readFile(file)
  const plain = withoutDebug(bytes, file)
  if (plain !== bytes) await writeFile(file, plain)
}

/** Gets one object from the cache or the compiler. @param generated what of kbuild's is in the tree */
async function compile(
  job: Job,
  bench: BuildTrees,
  compilation: Compilation,
  generated: readonly ShadowFile[] = [],
): Promise<CompilerRun> {
  const { compiler } = bench.kernel
  const { unit, cwd, output, key, temporary, mayRead, debug } = compilation
  await mkdir(path.dirname(output), { recursive: true })
  const args = [
    ...compileArguments(compiler, unit, debug),
    ...macroHeaders().flags,
    ...messageFlags(compiler),
    ...tellingInputs(compiler, output),
  ]
  const running = runCompiler(job, compiler.program, [...args, '-o', output], { cwd, temporary })
  bench.meanwhile()
  const run = await running
  if (run.ok && debug !== true) await removeDebug(output)
  const read = await readInputs(compiler, output, cwd)
  if (mayRead !== undefined) {
    const all = read ?? (await dependenciesIn(job, bench.kernel, unit, cwd))
    const places = { tree: cwd, source: bench.kernel.source, directories: mayRead }
    if (all !== undefined) refuseOutside(unit, [...all, ...assembledFiles(run.messages)], places)
    // What it has read is unknown, and may stand in its messages.
    else if (!run.ok) return { ...run, messages: withoutWords(run.messages) }
  }
  if (run.ok && key !== undefined && read !== undefined) {
    const own = [...(compilation.own ?? [])].map((file) => path.join(cwd, file)).filter((file) => existsSync(file))
    const hides = (text: string) => mayHideInputs(compiler, text)
    const texts = [...own.map((file) => readFileSync(file, 'latin1')), ...textsByPath(generated).values()]
    if (texts.some(hides)) return run
    const inputs = bench.inputs.record({
      hides,
      read,
      searched: searchedBy(args),
      own: compilation.own ?? new Set(),
      generated: textsByPath(generated),
      since: bench.since,
    })
    if (inputs !== undefined)
      await storeObject(key, Buffer.concat([Buffer.from(renderInputs(inputs)), await readFile(output)]))
  }
  return run
}

/** What the shadow has of its own: the changed files, with their lines numbered as before or not. */
export function shadowFiles(
  kernel: Kernel,
  units: readonly Unit[],
  changes: readonly FileChange[],
  numbered: boolean,
): ShadowFile[] {
  const changed = changes.map((change): ShadowFile => {
    const { after, lineage } = change
    const text =
      numbered && after !== undefined && /\.[ch]$/.test(change.path) ? keepLineNumbers(after, lineage) : after
    return { path: change.path, text }
  })
  // A unit that only includes a changed file must lie in a real directory, or its `../../` would lead into
  // the original tree.
  const including = units
    .map((unit) => unit.source)
    .filter((source) => !changes.some((change) => change.path === source))
    .map((source) => ({ path: source, text: readFileSync(path.join(kernel.source, source), 'latin1') }))
  return [...changed, ...including]
}

/** Both trees and what their objects depend on; shared by all units of one call. */
export interface BuildTrees {
  readonly kernel: Kernel
  /** What kbuild builds, as it was when the work began. */
  readonly known: Units
  readonly changes: readonly FileChange[]
  readonly dir: string
  readonly shadow: string
  /** Directories that every shadow needs as real ones, because paths lead through them and back up. */
  readonly climbed: readonly string[]
  readonly identity: string
  /** What objects in the cache are held against. */
  readonly inputs: InputTree
  /** When the work began: what changed later may have been read before or after, ms. */
  readonly since: number
  /** Begins what needs no object, once; called whenever a compiler runs. */
  readonly meanwhile: () => void
  /** What kbuild generates for a unit; made once. */
  readonly generated: (unit: Unit) => Promise<readonly ShadowFile[]>
}

/** One side of one unit; `own` are the files in which the side differs from the source tree. */
export async function compileSide(
  job: Job,
  bench: BuildTrees,
  unit: Unit,
  compilation: Compilation,
  own: readonly ShadowFile[],
): Promise<CompilerRun> {
  if (await load(bench, compilation)) return { ok: true, messages: '', output: '' }
  const run = await compile(job, bench, compilation)
  if (run.ok || missingFile(run.messages) === undefined) return run
  const generated = await bench.generated(unit)
  if (generated.length === 0) return run
  const tree = await mkdtemp(`${compilation.output}.tree-`)
  makeShadow(bench.kernel.source, tree, [...generated, ...own], bench.climbed)
  return await compile(job, bench, { ...compilation, cwd: tree }, generated)
}

/** The unit's object before the patch. */
export async function compileBefore(job: Job, bench: BuildTrees, unit: Unit): Promise<string> {
  const { kernel, dir } = bench
  const output = path.join(dir, 'before', unit.object)
  const compilation: Compilation = {
    unit: asking(unit, kernel.compiler, output),
    cwd: kernel.source,
    output,
    key: keyOf(bench, unit, []),
    temporary: path.join(dir, 'tmp'),
  }
  const run = await compileSide(job, bench, unit, compilation, [])
  if (!run.ok) throw sourceError(kernel, unit, run.messages)
  const dump = await readAnswer(kernel.compiler, output, run.messages)
  // Empty when the object came from the cache.
  if (dump.clones !== '' || dump.remarks !== '') await keepDump(dumpKey(bench, unit), output, dump)
  return output
}

/**
 * The unit's object after the patch.
 * @throws PatchErrors; Fault `refused/reads-outside`
 */
export async function compileAfter(job: Job, bench: BuildTrees, unit: Unit): Promise<string> {
  const { kernel, dir, changes } = bench
  const compilation: Compilation = {
    unit,
    cwd: bench.shadow,
    output: path.join(dir, 'after', unit.object),
    key: keyOf(
      bench,
      unit,
      changes.flatMap((change) => [change.path, change.after ?? '']),
    ),
    temporary: path.join(dir, 'tmp'),
    own: new Set(changes.map((change) => change.path)),
    mayRead: [macroHeaders().dir],
  }
  const run = await compileSide(job, bench, unit, compilation, shadowFiles(kernel, [unit], changes, true))
  if (run.ok) return compilation.output
  if (exhaustion(run.messages) !== undefined) throw new PatchErrors(kernel, unit, changes, run.messages)
  // Said again with the lines as they are, not as the #line directives have them. If it compiles then,
  // the directives were to blame, and an object with other line numbers is still right.
  const files = shadowFiles(kernel, [unit], changes, false)
  const plain = path.join(dir, 'plain', unit.object)
  makeShadow(kernel.source, plain, files, bench.climbed)
  const again = await compileSide(job, bench, unit, { ...compilation, cwd: plain, key: undefined }, files)
  if (!again.ok) throw new PatchErrors(kernel, unit, changes, again.messages)
  return compilation.output
}

/** What makes an object, but for the files of the tree: those are kept with it. */
function keyOf({ kernel, identity }: BuildTrees, unit: Unit, content: readonly string[]): string {
  return digest([
    objectFormat,
    kernel.source,
    kernel.release,
    kernel.version,
    identity,
    unit.source,
    ...compileArguments(kernel.compiler, unit),
    '\0',
    ...content,
  ])
}

/** What the compiler's words about a unit before the patch are kept by, beside the bytes of its object. */
export function dumpKey(bench: BuildTrees, unit: Unit): string {
  return keyOf(bench, unit, [ipaFormat])
}
