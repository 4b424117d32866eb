// SPDX-License-Identifier: GPL-3.0-or-later
// The bodies of functions that a changed file calls and that stand elsewhere: in the headers that it includes, and in
// the C files of its directory. Most wrappers (`eventfd_ctx_put`, `get_user_ns`) are there. Files are read only when a
// name is asked for, and each once.

import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import path from 'node:path'
import { type MacroDefinition, macrosIn } from '../../c/tokens/directives.ts'
import { closing, type Token, tokenize } from '../../c/tokens/lexer.ts'
import { squeezed } from '../../c/tokens/text.ts'
import { type Definition, definitionsOf } from '../../c/written/functions.ts'
import { remembered } from '../../ground/values/remembered.ts'
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

/** `#define old new`, and `#define old(a, b) new(a, b)`. */
function isAlias({ parameters, body }: MacroDefinition): boolean {
  const rest = parameters === undefined ? '' : `(${parameters.join(',')})`
  return body[0]?.kind === 'name' && squeezed(body.slice(1)) === rest
}

/**
 * @param source the kernel's source tree
 * @param changes the changed C files and headers
 */
export function libraryOf(source: string, changes: readonly FileChange[]): Library {
  const changed = new Map(changes.map((one) => [one.path, one]))
  const root = existsSync(source) ? realpathSync(source) : source

  const textOf = remembered((file: string) => {
    try {
      // A link may lead to another part of a packaged tree, never to a device.
      return readFileSync(realpathSync(path.join(root, file)), 'latin1')
    } catch {
      return ''
    }
  })
  const read = remembered((file: string) => definitionsOf(textOf(file)))
  const resolve = (from: string, name: string, isLocal: boolean): string | undefined => {
    const own = path.dirname(from)
    return [...(isLocal ? [own] : []), 'include', 'arch/x86/include', 'include/uapi', own]
      .map((dir) => path.posix.normalize(path.posix.join(dir, name)))
      .find((file) => !file.startsWith('..') && existsSync(path.join(root, file)))
  }
  const includedBy = (file: string): string[] => {
    const text = changed.get(file)?.before ?? textOf(file)
    return [...text.matchAll(/^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]/gm)].flatMap(
      ([, open, name]) => resolve(file, name!, open === '"') ?? [],
    )
  }
  const cFilesBeside = (files: readonly string[]): string[] =>
    [...new Set(files.map((file) => path.dirname(file)))].flatMap((dir) => {
      let names: string[] = []
      try {
        names = readdirSync(path.join(root, dir)).filter((name) => name.endsWith('.c'))
      } catch {}
      return names.length > mostFiles ? [] : names.map((name) => path.posix.join(dir, name))
    })
  let places: readonly string[] | undefined
  const filesIn = (): readonly string[] => {
    if (places !== undefined) return places
    const all = new Set<string>()
    let layer: readonly string[] = [...changed.keys()]
    for (let depth = 0; depth < deepest; depth++) {
      layer = [...new Set(layer.flatMap(includedBy))].filter((header) => !all.has(header))
      for (const header of layer) all.add(header)
    }
    for (const file of cFilesBeside([...changed.keys()].filter((one) => one.endsWith('.c')))) all.add(file)
    places = [...all].filter((file) => !changed.has(file))
    return places
  }
  return {
    usersOfHeaders(units) {
      const headers = [...changed.keys()].filter((file) => file.endsWith('.h'))
      return [...new Set(units.length > 0 ? units : cFilesBeside(headers))]
        .filter((file) => !changed.has(file) && file.endsWith('.c'))
        .map((file) => ({ path: file, text: textOf(file) }))
    },
    type: remembered((name: string) => {
      const begins = new RegExp(`(?:^|\\s)${name.replace(' ', '\\s+')}\\s*\\{`)
      const file = filesIn().find((one) => begins.test(textOf(one)))
      if (file === undefined) return undefined
      const text = textOf(file)
      const start = text.search(begins)
      const tokens = tokenize(text, start, Math.min(text.length, start + longestType))
      const open = tokens.findIndex((one) => one.text === '{')
      return open < 0 ? undefined : tokens.slice(open + 1, closing(tokens, open) - 1)
    }),
    alias: remembered((name: string) => {
      const defines = new RegExp(`define[ \\t]+${name}\\b`)
      for (const file of filesIn().filter((one) => one.endsWith('.h') && defines.test(textOf(one)))) {
        const found = macrosIn(textOf(file)).find((one) => one.name === name && isAlias(one))
        if (found !== undefined) return found.body[0]!.text
      }
      return name
    }),
    definition: remembered((name: string) => {
      // A body, or a macro.
      const begins = new RegExp(`(?:^|[\\s*])${name}[ \\t]*\\([^;{}]*\\)[^;{}()]*\\{|#[ \\t]*define[ \\t]+${name}\\(`)
      for (const file of filesIn()) {
        const text = textOf(file)
        const one = text.includes(name) && begins.test(text) ? read(file).byName.get(name) : undefined
        if (one !== undefined) return one
      }
      return undefined
    }),
  }
}
