// SPDX-License-Identifier: GPL-3.0-or-later
// Reads a unified diff as git, quilt and diff -u write it. What is not understood is refused: a hunk
// that was skipped would make a live patch that does less than its author thinks. The format is GNU
// diffutils' "Detailed Description of Unified Format" and git's "Generating patch text with -p".
import { createHash } from 'node:crypto'
import { Fault } from '../ground/fault.ts'
import { defined } from '../ground/values/defined.ts'
import type { FilePatch, Hunk, HunkLine, Patch } from './patch.ts'

const hunkHeader = /^@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@/
const extendedHeader =
  /^(old mode|new mode|deleted file mode|new file mode|copy from|copy to|rename from|rename to|similarity index|dissimilarity index|index) (.*)$/

/** Bytes of a line of source; the longest of Linux has 1500. What reads source later need not be quick with more. */
const longestLine = 10_000

/** A patch being read: its lines, and how to complain about one of them. */
interface Text {
  readonly file: string
  readonly lines: readonly string[]
}

function fail(text: Text, index: number, code: string, message: string, remedy?: string): never {
  throw new Fault('patch', code, `${text.file}:${index + 1}: ${message}`, { remedy })
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8')
}

/** Decodes git's C-style quoting of a path, starting at a `"`; returns the path and where it ended. */
function unquote(quoted: string): { path: string; end: number } | undefined {
  const simple: Record<string, string> = {
    a: '\x07',
    b: '\b',
    t: '\t',
    n: '\n',
    v: '\v',
    f: '\f',
    r: '\r',
    '"': '"',
    '\\': '\\',
  }
  let path = ''
  for (let i = 1; i < quoted.length; i++) {
    const c = quoted[i]!
    if (c === '"') return { path, end: i + 1 }
    if (c !== '\\') {
      path += c
      continue
    }
    const octal = /^[0-3][0-7]{2}/.exec(quoted.slice(i + 1, i + 4))
    if (octal !== null) {
      path += String.fromCharCode(Number.parseInt(octal[0], 8))
      i += 3
      continue
    }
    const plain = simple[quoted[++i] ?? '']
    if (plain === undefined) return undefined
    path += plain
  }
  return undefined
}

/** What stands behind `--- ` or `+++ `. */
interface HeaderName {
  /** Undefined for /dev/null. */
  readonly path: string | undefined
  /** True when the timestamp is the epoch: how `diff -N` marks a file that is not there. */
  readonly epoch: boolean
}

function parseName(text: Text, index: number): HeaderName {
  const rest = text.lines[index]!.slice(4)
  let path: string
  let stamp = ''
  if (rest.startsWith('"')) {
    const quoted = unquote(rest)
    if (quoted === undefined)
      fail(text, index, 'malformed-patch', 'The quoted path does not end, or has an unknown escape')
    path = quoted.path
    stamp = rest.slice(quoted.end)
  } else {
    const tab = rest.indexOf('\t')
    const spaced = /\s\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}/.exec(rest)
    const end = tab !== -1 ? tab : (spaced?.index ?? rest.length)
    path = rest.slice(0, end).trimEnd()
    stamp = rest.slice(end)
  }
  if (path === '') fail(text, index, 'malformed-patch', 'The file header names no file')
  const iso = /(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})(?:\.\d+)?(?: ([+-]\d{2})(\d{2}))?/.exec(stamp)
  const zone = iso?.[3] === undefined ? 'Z' : `${iso[3]}:${iso[4]}`
  const epoch = iso !== null && Date.parse(`${iso[1]}T${iso[2]}${zone}`) === 0
  return { path: path === '/dev/null' ? undefined : checkPath(text, index, path), epoch }
}

function checkPath(text: Text, index: number, latin1: string): string {
  if (latin1.includes('\0')) fail(text, index, 'hostile-path', 'A path holds a NUL byte')
  if (latin1.includes('\n')) fail(text, index, 'hostile-path', 'A path holds a newline')
  if (latin1.length > 4095 || latin1.split('/').some((name) => name.length > 255))
    fail(text, index, 'path-too-long', 'A path is longer than Linux allows: 255 bytes a name, 4095 in all')
  if (latin1.split('/').includes('..'))
    fail(
      text,
      index,
      'path-leaves-tree',
      `The path ${utf8(latin1)} has .. in it`,
      'Write it without .., from the top of the source tree',
    )
  return utf8(latin1)
}

function isFileHeader(lines: readonly string[], index: number): boolean {
  return lines[index]!.startsWith('--- ') && lines[index + 1]?.startsWith('+++ ') === true
}

function readHunk(text: Text, start: number): { hunk: Hunk; next: number } {
  const { lines } = text
  const match = hunkHeader.exec(lines[start]!)
  if (match === null) fail(text, start, 'malformed-patch', 'The hunk header can not be read')
  const oldCount = match[2] === undefined ? 1 : Number(match[2])
  const newCount = match[4] === undefined ? 1 : Number(match[4])
  let oldLeft = oldCount
  let newLeft = newCount
  const body: HunkLine[] = []
  let i = start + 1
  const disagree = (): never =>
    fail(
      text,
      i,
      'hunk-counts-disagree',
      `The hunk at line ${start + 1} says ${oldCount} old and ${newCount} new lines, but its lines say otherwise`,
      'The patch was cut off, reflowed by a mailer or edited by hand: make the diff again',
    )
  const add = (kind: HunkLine['kind'], line: string) => {
    if (line.length > longestLine)
      fail(text, i, 'line-too-long', `A line has more than ${longestLine} bytes`, 'Break it, as the kernel does')
    body.push({ kind, text: line, patchLine: i + 1, noNewline: false })
    if (kind !== 'added') oldLeft--
    if (kind !== 'removed') newLeft--
    if (oldLeft < 0 || newLeft < 0) disagree()
  }
  for (; i < lines.length; i++) {
    const line = lines[i]!
    if (line.startsWith('\\')) {
      const last = body.at(-1)
      if (last === undefined) disagree()
      else body[body.length - 1] = { ...last, noNewline: true }
      continue
    }
    if (oldLeft === 0 && newLeft === 0) break
    // Mailers strip the single space of an empty context line.
    if (line === '') add('context', '')
    else if (line[0] === ' ') add('context', line.slice(1))
    else if (line[0] === '-') add('removed', line.slice(1))
    else if (line[0] === '+') add('added', line.slice(1))
    else disagree()
  }
  if (oldLeft !== 0 || newLeft !== 0) disagree()
  const follower = lines[i] ?? ''
  const isFooter = follower.startsWith('-- ') || follower === '--' || follower === '---'
  if (/^[-+ ]/.test(follower) && !isFooter && !isFileHeader(lines, i) && follower.trim() !== '') disagree()
  const hunk: Hunk = {
    oldStart: Number(match[1]),
    oldCount,
    newStart: Number(match[3]),
    newCount,
    lines: body,
    patchLine: start + 1,
  }
  return { hunk, next: i }
}

function readHunks(text: Text, start: number): { hunks: Hunk[]; next: number } {
  const hunks: Hunk[] = []
  let next = start
  while (text.lines[next]?.startsWith('@@ ') === true) {
    const read = readHunk(text, next)
    hunks.push(read.hunk)
    next = read.next
  }
  return { hunks, next }
}

/** The two names of a `diff --git` line, which are only needed when no other line has them. */
function gitNames(text: Text, index: number, headers: ReadonlyMap<string, string>): [string, string] {
  const rest = text.lines[index]!.slice('diff --git '.length)
  const bad = (): never => fail(text, index, 'malformed-patch', 'The names of the changed file can not be read')
  // Two paths, each byte of which may be written in four.
  if (rest.length > 2 * 4 * 4096) bad()
  const plain = (name: string): string => (name.startsWith('"') ? (unquote(name)?.path ?? bad()) : name)
  const from = headers.get('rename from')
  const to = headers.get('rename to')
  if (from !== undefined && to !== undefined) {
    const [a, b] = [plain(from), plain(to)]
    return rest === `${a} ${b}` ? [a, b] : [`a/${a}`, `b/${b}`]
  }
  if (rest.startsWith('"')) {
    const first = unquote(rest) ?? bad()
    return [first.path, plain(rest.slice(first.end).trimStart())]
  }
  // Unquoted names may hold spaces: the right split is the one where both sides are the same file.
  for (let space = rest.indexOf(' '); space !== -1; space = rest.indexOf(' ', space + 1)) {
    const [a, b] = [rest.slice(0, space), rest.slice(space + 1)]
    if (a === b || a.slice(a.indexOf('/') + 1) === b.slice(b.indexOf('/') + 1)) return [a, b]
  }
  return bad()
}

function readGitFile(text: Text, start: number): { file: FilePatch | undefined; next: number } {
  const { lines } = text
  const headers = new Map<string, string>()
  let i = start + 1
  for (; i < lines.length; i++) {
    const match = extendedHeader.exec(lines[i]!)
    if (match === null) break
    headers.set(match[1]!, match[2]!)
  }
  if (headers.has('copy from'))
    fail(
      text,
      start,
      'copy-in-patch',
      'The patch copies a file, which Inarch does not read',
      'Make the diff with `git diff --no-renames`',
    )
  for (const [name, value] of headers)
    if (/mode$/.test(name) && /^(120000|160000)/.test(value))
      fail(text, start, 'not-a-regular-file', 'The patch changes a symbolic link or a submodule')
  refuseBinary(text, i)
  const isNew = headers.has('new file mode')
  const isRemoved = headers.has('deleted file mode')
  if (i < lines.length && isFileHeader(lines, i)) {
    const oldName = parseName(text, i).path
    const newName = parseName(text, i + 1).path
    if ((oldName === undefined) !== isNew || (newName === undefined) !== isRemoved)
      fail(text, i, 'malformed-patch', 'The headers disagree whether the file is new, removed or changed')
    const { hunks, next } = readHunks(text, i + 2)
    if (hunks.length === 0) fail(text, i, 'malformed-patch', 'The file header has no hunk')
    return { file: filePatch(oldName, newName, headers.has('rename from'), hunks, start, text), next }
  }
  if (!isNew && !isRemoved && !headers.has('rename from')) return { file: undefined, next: i }
  const [a, b] = gitNames(text, start, headers).map((name) => checkPath(text, start, name)) as [string, string]
  return {
    file: filePatch(isNew ? undefined : a, isRemoved ? undefined : b, headers.has('rename from'), [], start, text),
    next: i,
  }
}

function filePatch(
  oldPath: string | undefined,
  newPath: string | undefined,
  renamed: boolean,
  hunks: readonly Hunk[],
  start: number,
  text: Text,
): FilePatch {
  if (oldPath === undefined && newPath === undefined)
    fail(text, start, 'malformed-patch', 'Both sides of the file are /dev/null')
  return {
    ...defined({ oldPath, newPath }),
    renamed,
    hunks,
    patchLine: start + 1,
  }
}

function readPlainFile(text: Text, start: number): { file: FilePatch; next: number } {
  const oldName = parseName(text, start)
  const newName = parseName(text, start + 1)
  const { hunks, next } = readHunks(text, start + 2)
  const first = hunks[0]
  if (first === undefined) fail(text, start, 'malformed-patch', 'The file header has no hunk')
  const isNew = oldName.epoch && first.oldStart === 0 && first.oldCount === 0
  const isRemoved = newName.epoch && first.newStart === 0 && first.newCount === 0
  return {
    file: filePatch(isNew ? undefined : oldName.path, isRemoved ? undefined : newName.path, false, hunks, start, text),
    next,
  }
}

function refuseBinary(text: Text, index: number): void {
  const line = text.lines[index] ?? ''
  if (line === 'GIT binary patch' || /^Binary files .* differ$/.test(line))
    fail(
      text,
      index,
      'binary-patch',
      'The patch changes a binary file',
      'Leave the binary file out of the patch: only source can be live patched',
    )
}

/**
 * Reads a patch.
 * @param bytes the patch file's content
 * @param file its name, for messages and for {@link FileChange.origins}
 * @throws Fault of kind `patch`: `empty-patch`, `binary-patch`, `context-diff`, `copy-in-patch`,
 *   `not-a-regular-file`, `path-leaves-tree`, `path-too-long`, `hostile-path`, `line-too-long`,
 *   `hunk-counts-disagree`, `malformed-patch`
 */
export function parsePatch(bytes: Uint8Array, file: string): Patch {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  let lines = whole.split('\n')
  if (lines.at(-1) === '') lines.pop()
  // A patch that went through a DOS editor has CRs even where diff never writes them.
  if (lines.some((line) => hunkHeader.test(line) && line.endsWith('\r')))
    lines = lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line))
  const text: Text = { file, lines }
  const files: FilePatch[] = []
  let sawDiff = false
  let preambleEnd: number | undefined
  for (let i = 0; i < lines.length; ) {
    const line = lines[i]!
    if (line.startsWith('diff --git ')) {
      preambleEnd ??= i
      sawDiff = true
      const read = readGitFile(text, i)
      if (read.file !== undefined) files.push(read.file)
      i = read.next
    } else if (isFileHeader(lines, i)) {
      preambleEnd ??= i
      const read = readPlainFile(text, i)
      files.push(read.file)
      i = read.next
    } else if (hunkHeader.test(line)) {
      fail(text, i, 'malformed-patch', 'A hunk stands here without the name of its file')
    } else {
      refuseBinary(text, i)
      if (line.startsWith('*** ') && lines[i + 1]?.startsWith('--- ') && lines[i + 2]?.startsWith('********'))
        fail(text, i, 'context-diff', 'This is a context diff', 'Make a unified diff with `diff -u`')
      if (/^(diff (-\S+ )|Index: )/.test(line)) preambleEnd ??= i
      i++
    }
  }
  if (files.length === 0)
    throw new Fault(
      'patch',
      'empty-patch',
      sawDiff ? `${file} changes no file's content` : `There is no unified diff in ${file}`,
      {
        remedy: sawDiff
          ? 'Modes and names of files are nothing that runs: leave the patch out'
          : 'Make one with `git diff`, `git format-patch` or `diff -u`',
      },
    )
  return {
    file,
    preamble: utf8(lines.slice(0, preambleEnd ?? 0).join('\n')).trim(),
    files,
    text: utf8(whole),
    sha256: createHash('sha256').update(bytes).digest('hex'),
  }
}
