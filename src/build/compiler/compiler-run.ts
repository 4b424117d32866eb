// SPDX-License-Identifier: GPL-3.0-or-later
// Runs the kernel's compiler. Its input is a patch, so it may take only so much: a macro that doubles forty times, or
// a header that includes itself, ends here and not in the machine's last page or block.
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { command, type Limits } from '../../ground/command.ts'
import type { Job } from '../../ground/job.ts'
import type { Compiler } from '../../kernel/kernel.ts'

const gigabyte = 1024 ** 3

/** The largest units of a kernel take 1.5 GB and 40 s on a slow machine, sanitizers included. */
const limits: Limits = {
  memory: Math.max(gigabyte, Math.min(4 * gigabyte, Math.floor(os.totalmem() / 2))),
  cpu: 120,
  fileSize: gigabyte / 4,
}

export interface CompilerRun {
  readonly ok: boolean
  /** What the compiler said on its standard error. */
  readonly messages: string
  /** What it said on its standard output. */
  readonly output: string
}

export function isClang({ versionText }: Pick<Compiler, 'versionText'>): boolean {
  return /\bclang\b/.test(versionText)
}

/**
 * Runs the compiler's program to its end, whatever comes of it.
 * @param where the directory to run in, and one for temporary files
 * @throws Fault `environment/program-missing` when there is no prlimit
 */
export async function runCompiler(
  job: Job,
  program: string,
  args: readonly string[],
  where: { readonly cwd: string; readonly temporary?: string; readonly input?: string | Uint8Array },
): Promise<CompilerRun> {
  const { exitCode, stderr, stdout } = await command(program, args, {
    cwd: where.cwd,
    ...(where.temporary === undefined ? {} : { env: { TMPDIR: where.temporary } }),
    ...(where.input === undefined ? {} : { input: where.input }),
    signal: job.signal,
    limits,
    allowFailure: true,
  })
  return { ok: exitCode === 0, messages: stderr, output: stdout }
}

/** Why a compiler ended that said nothing about its input; undefined when it did. A part of a sentence. */
export function exhaustion(messages: string): string | undefined {
  // What a program says of itself, not of a line of its input.
  if (/^(?!.* error: )\S[^‘'"\n]*(?:out of memory|memory exhausted|annot allocate memory|bad_alloc)/m.test(messages))
    return `needs more than ${(limits.memory / gigabyte).toFixed(1)} GB of memory`
  if (/CPU time limit exceeded|Killed signal terminated/.test(messages))
    return `needs more than ${limits.cpu} s of processor time`
  if (/File size limit exceeded|File too large/.test(messages))
    return `makes a file of more than ${limits.fileSize / 1024 ** 2} MB`
  return undefined
}

/**
 * A dependency file as the compiler (-MF) and the assembler (--MD) write it. Where a path goes up again it is left as
 * it is: behind a link, that leads elsewhere than it looks.
 */
export function parseDependencies(text: string): string[] {
  const files = text.slice(text.indexOf(': ') + 1).split(/(?<!\\)\s+|\\\n/)
  return files
    .filter((file) => file !== '')
    .map((file) => file.replaceAll(/\\([ #\\])/g, '$1').replaceAll('$$', '$'))
    .map((file) => (/(?:^|\/)\.\.\//.test(file) ? file : path.posix.normalize(file)))
}

/** A path that a program names which runs in `cwd`, with its `..` as they are. */
export function pathIn(cwd: string, file: string): string {
  return path.isAbsolute(file) ? file : `${cwd}/${file}`
}

/** The compiler's arguments that make it, and the assembler behind it, write down which files they read. */
export function tellingInputs(compiler: Compiler, base: string): string[] {
  const told = ['-MD', '-MF', `${base}.d`]
  // clang assembles by itself, and does not tell what `.incbin` reads (`mayHideInputs`).
  return isClang(compiler) ? told : [...told, '-Xassembler', '--MD', '-Xassembler', `${base}.as.d`]
}

/**
 * The files that were read, as the compiler names them; undefined when it came to no end.
 * @param cwd where it ran
 */
export async function readInputs(compiler: Compiler, base: string, cwd: string): Promise<string[] | undefined> {
  const [byCompiler, byAssembler] = await Promise.all(
    [`${base}.d`, `${base}.as.d`].map((file) => readFile(file, 'latin1').catch(() => undefined)),
  )
  if (byCompiler === undefined || (byAssembler === undefined && !isClang(compiler))) return undefined
  // The assembler also names its own input, which is gone, and what `#line` said.
  const assembled = parseDependencies(byAssembler ?? '').filter((file) => existsSync(pathIn(cwd, file)))
  return [...new Set([...parseDependencies(byCompiler), ...assembled])]
}

/** Lines of comments, and what divides a string from the next, which the compiler joins. In linear time. */
const between = /^[ \t]*\*[ \t].*$|^[ \t]*#[ \t]*include.*$|\/\*[^*\n]*\*\/|(?<!\\)"(?:\s|\\\n)*"/gm

/**
 * True when a text may make the compiler look at files of which it does not tell: whether one is there
 * (`__has_include`); and, where it assembles by itself (clang), `.incbin`, `.include`, or a piece of such a word in
 * assembly.
 */
export function mayHideInputs(compiler: Pick<Compiler, 'versionText'>, text: string): boolean {
  if (/__has_(?:include|embed)/.test(text) && /\b__has_(?:include|include_next|embed)\s*\(/.test(plainText(text)))
    return true
  if (!isClang(compiler) || !/incbin|\.inc|\.in?"/i.test(text)) return false
  return /incbin|\.(?:in?"|inc(?:lude)?\b)/i.test(plainText(text))
}

function plainText(text: string): string {
  return text.replace(between, '')
}
