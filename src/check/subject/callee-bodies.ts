// SPDX-License-Identifier: GPL-3.0-or-later
// The bodies of functions that a changed file calls and that stand elsewhere: in the headers that it includes, and in
// the C files of its directory. Most wrappers (`eventfd_ctx_put`, `get_user_ns`) are there. Files are read only when a
// name is asked for, and each once.
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import path from 'node:path'
import { closing, type Token, tokenize } from '../../c/tokens/lexer.ts'
import { type Definition, definitionsOf } from '../../c/written/functions.ts'
import type { FileChange } from '../../patch/patch.ts'

export interface Library {
  /** A function or a macro with parameters, as it is before the patch; undefined when it is not found. */
  definition(name: string): Definition | undefined
  /** What stands between the braces of a struct or union, by `struct name`; undefined when it is not found. */
  type(name: string): readonly Token[] | undefined
  /**
   * What a macro of a header says that a name stands for: `spi_controller` for `spi_master`; the name itself for most.
   */
  alias(name: string): string
  /** The unchanged ones of these C files; without any, those in the directories of the changed headers. */
  usersOfHeaders(units: readonly string[]): readonly SourceFile[]
}

export interface SourceFile {
  /** In the source tree. */
  readonly path: string
  readonly text: string
}

export const emptyLibrary: Library = {
  definition: () => undefined,
  type: () => undefined,
  alias: (name) => name,
  usersOfHeaders: () => [],
}

/** Files of a directory beyond this are not searched. */
const mostFiles = 200
/** Of a struct's text more characters are not read. */
const longestType = 60_000
/** How far includes of includes are followed. */
const deepest = 3

/**
 * @param source the kernel's source tree
 * @param changes the changed C files and headers
 */
export function libraryOf(source: string, changes: readonly FileChange[]): Library {
  const texts = new Map<string, string>()
  const parsed = new Map<string, ReturnType<typeof definitionsOf>>()
  const found = new Map<string, Definition | undefined>()
  const types = new Map<string, readonly Token[] | undefined>()
  const aliases = new Map<string, string>()
  const changed = new Set(changes.map((one) => one.path))
  const root = existsSync(source) ? realpathSync(source) : source
  let places: readonly string[] | undefined

  const textOf = (file: string): string => {
    const known = texts.get(file)
    if (known !== undefined) return known
    let text = ''
    try {
      const real = realpathSync(path.join(root, file))
      // A link may lead to another part of a packaged tree, never to a device.
      text = readFileSync(real, 'latin1')
    } catch {}
    texts.set(file, text)
    return text
  }
  const resolve = (from: string, name: string, isLocal: boolean): string | undefined => {
    const dirs = [
      ...(isLocal ? [path.dirname(from)] : []),
      'include',
      'arch/x86/include',
      'include/uapi',
      path.dirname(from),
    ]
    return dirs
      .map((dir) => path.posix.normalize(path.posix.join(dir, name)))
      .find((file) => !file.startsWith('..') && existsSync(path.join(root, file)))
  }
  const cFilesBeside = (files: readonly string[]): string[] =>
    [...new Set(files.map((file) => path.dirname(file)))].flatMap((dir) => {
      let names: string[] = []
      try {
        names = readdirSync(path.join(root, dir)).filter((name) => name.endsWith('.c'))
      } catch {}
      return names.length > mostFiles ? [] : names.map((name) => path.posix.join(dir, name))
    })
  const filesIn = (): readonly string[] => {
    if (places !== undefined) return places
    const all = new Set<string>()
    const files = changes.map((one) => one.path)
    let layer: readonly string[] = files
    for (let depth = 0; depth < deepest; depth++) {
      const next: string[] = []
      for (const file of layer) {
        const text = changes.find((one) => one.path === file)?.before ?? textOf(file)
        for (const [, open, name] of text.matchAll(/^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]/gm)) {
          const header = resolve(file, name!, open === '"')
          if (header === undefined || all.has(header)) continue
          all.add(header)
          next.push(header)
        }
      }
      layer = next
    }
    for (const file of cFilesBeside(files.filter((one) => one.endsWith('.c')))) all.add(file)
    places = [...all].filter((file) => !changed.has(file))
    return places
  }
  return {
    usersOfHeaders(units) {
      const headers = changes.map((one) => one.path).filter((file) => file.endsWith('.h'))
      return [...new Set(units.length > 0 ? units : cFilesBeside(headers))]
        .filter((file) => !changed.has(file) && file.endsWith('.c'))
        .map((file) => ({ path: file, text: textOf(file) }))
    },
    type(name) {
      if (types.has(name)) return types.get(name)
      const begins = new RegExp(`(?:^|\\s)${name.replace(' ', '\\s+')}\\s*\\{`)
      const file = filesIn().find((one) => begins.test(textOf(one)))
      const text = file === undefined ? '' : textOf(file)
      const start = text.search(begins)
      const tokens = start < 0 ? [] : tokenize(text, start, Math.min(text.length, start + longestType))
      const open = tokens.findIndex((one) => one.text === '{')
      const one = open < 0 ? undefined : tokens.slice(open + 1, closing(tokens, open) - 1)
      types.set(name, one)
      return one
    },
    alias(name) {
      const known = aliases.get(name)
      if (known !== undefined) return known
      // `#define old new`, and `#define old(a, b) new(a, b)`.
      const stands = new RegExp(
        `^[ \\t]*#[ \\t]*define[ \\t]+${name}(\\([^()]*\\))?[ \\t]+([A-Za-z_]\\w*)(\\([^()]*\\))?[ \\t]*$`,
        'm',
      )
      let found = name
      for (const file of filesIn()) {
        const text = file.endsWith('.h') ? textOf(file) : ''
        const [, parameters, other, values] = (text.includes(name) && stands.exec(text)) || []
        if (other === undefined || parameters !== values) continue
        found = other
        break
      }
      aliases.set(name, found)
      return found
    },
    definition(name) {
      if (found.has(name)) return found.get(name)
      let one: Definition | undefined
      // A body, or a macro.
      const begins = new RegExp(`(?:^|[\\s*])${name}[ \\t]*\\([^;{}]*\\)[^;{}()]*\\{|#[ \\t]*define[ \\t]+${name}\\(`)
      for (const file of filesIn()) {
        const text = textOf(file)
        if (!text.includes(name) || !begins.test(text)) continue
        const all = parsed.get(file) ?? definitionsOf(text)
        parsed.set(file, all)
        one = all.byName.get(name)
        if (one !== undefined) break
      }
      found.set(name, one)
      return one
    },
  }
}
