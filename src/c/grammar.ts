// SPDX-License-Identifier: GPL-3.0-or-later
// tree-sitter's grammar of C, for what tokens alone do not tell: which names are local and how far. What the grammar
// gets wrong on the kernel's C is taken out here, in this one place, before it sees the text; offsets stay the same.
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { Language, Parser, Query } from 'web-tree-sitter'
import { shippedFile } from '../ground/installation.ts'
import { attributeEnd } from './declarators.ts'
import { closing, type Token } from './lexer.ts'

/** Where names are declared inside of one top-level declaration. Offsets are those of its tokens. */
export interface Scopes {
  /** Each local name: from where to where it hides a name of the file. */
  readonly locals: ReadonlyMap<string, readonly { readonly from: number; readonly to: number }[]>
  /** Offsets of words that are members or labels. */
  readonly others: ReadonlySet<number>
}

export interface Grammar {
  /** The scopes of the declaration that `tokens` are. */
  scopes(tokens: readonly Token[]): Scopes
}

/** The place of a file of a package: beside the bundle, or where npm puts it. */
function packaged(name: string, file: string): string {
  const beside = path.join(import.meta.dirname, file)
  return existsSync(beside) ? beside : shippedFile(`node_modules/${name}/${file}`)
}

const question = `
(_ declarator: (identifier) @local)
(_ declarator: (type_identifier) @local)
(parameter_list (identifier) @local)
(enumerator name: (identifier) @local)
(field_identifier) @other
(statement_identifier) @other
(compound_statement) @block
(for_statement) @block
(parameter_list) @parameters
`

/** Whether asm is one of these words. */
const asmWord = /^(?:asm|__asm__|__asm)$/
const typeofWord = /^(?:typeof|__typeof__|__typeof|typeof_unqual|__typeof_unqual__)$/

/**
 * The text of the tokens, at their offsets less that of the first, without what the grammar stumbles over: attributes
 * and assembly are left out, `typeof(…)` becomes a word, the far ends of ranges in `case` vanish.
 */
function digestible(tokens: readonly Token[]): string {
  const base = tokens[0]!.start
  let text = ''
  const put = (at: number, what: string) => {
    if (text.length < at - base) text += ' '.repeat(at - base - text.length)
    text += what
  }
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index]!
    const word = token.text
    if (token.kind === 'name') {
      if (word === '__extension__' || word === '__restrict' || word === '__restrict__') continue
      if (asmWord.test(word)) {
        let open = index + 1
        while (tokens[open]?.kind === 'name') open++
        if (tokens[open]?.text === '(') {
          index = closing(tokens, open) - 1
          continue
        }
      }
      const attribute = attributeEnd(tokens, index, tokens.length)
      if (attribute !== undefined) {
        index = attribute - 1
        continue
      }
      if (typeofWord.test(word) && tokens[index + 1]?.text === '(') {
        put(token.start, 'typeof')
        index = closing(tokens, index + 1) - 1
        continue
      }
      if (word === '__label__') {
        put(token.start, 'int')
        continue
      }
      if (word === '__auto_type') {
        put(token.start, 'int')
        continue
      }
      if (
        /^__builtin_(?:offsetof|types_compatible_p|va_arg)$/.test(word) &&
        tokens[index + 1]?.text === '('
      ) {
        put(token.start, '0')
        index = closing(tokens, index + 1) - 1
        continue
      }
    }
    // case 1 ... 3:
    if (word === '...' && tokens[index - 1]?.text !== ',' && tokens[index - 1]?.text !== '(') {
      while (index + 1 < tokens.length && !/^[:\]]$/.test(tokens[index + 1]!.text)) {
        const next = tokens[index + 1]!.text
        index = next === '(' ? closing(tokens, index + 1) - 1 : index + 1
      }
      continue
    }
    // goto *address;
    if (word === '*' && tokens[index - 1]?.text === 'goto') continue
    if (word === '&&' && /^(?:=|\(|,|\{|\[|return)$/.test(tokens[index - 1]?.text ?? '')) {
      put(token.start, '&')
      continue
    }
    put(token.start, word)
  }
  return text
}

let loaded: Promise<Grammar> | undefined

async function load(): Promise<Grammar> {
  const wasmBinary = await readFile(packaged('web-tree-sitter', 'web-tree-sitter.wasm'))
  await Parser.init({ wasmBinary })
  const language = await Language.load(await readFile(packaged('tree-sitter-c', 'tree-sitter-c.wasm')))
  const parser = new Parser()
  parser.setLanguage(language)
  const query = new Query(language, question)
  return {
    scopes(tokens) {
      const locals = new Map<string, { from: number; to: number }[]>()
      const others = new Set<number>()
      const base = tokens[0]!.start
      const end = tokens.at(-1)!.end
      const tree = parser.parse(digestible(tokens))
      if (tree === null) return { locals, others }
      try {
        const open: { kind: string; end: number }[] = []
        for (const { name, node } of query.captures(tree.rootNode)) {
          const start = node.startIndex
          while (open.length > 0 && open.at(-1)!.end <= start) open.pop()
          if (name === 'other') others.add(base + start)
          else if (name === 'local') {
            // A function's own parameters are known in all of it.
            const inBlock = open.some(({ kind }) => kind === 'block')
            const to = inBlock || open.length > 1 ? base + open.at(-1)!.end : end
            const list = locals.get(node.text)
            if (list === undefined) locals.set(node.text, [{ from: base + start, to }])
            else list.push({ from: base + start, to })
          } else open.push({ kind: name, end: node.endIndex })
        }
      } finally {
        tree.delete()
      }
      return { locals, others }
    },
  }
}

/**
 * Loads the grammar, once.
 * @throws Fault `environment/incomplete-installation`
 */
export function openGrammar(): Promise<Grammar> {
  loaded ??= load()
  return loaded
}
