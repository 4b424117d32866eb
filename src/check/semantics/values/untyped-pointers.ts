// SPDX-License-Identifier: GPL-3.0-or-later
// Pointers without a type: `private_data`, `driver_data`, a timer's or a work item's container, a callback's cookie,
// what a table leads to. What they hold is only agreed upon, by who stores it and who takes it out. The agreement is in
// the types of the variables and casts on both sides.

import { argumentsAt, callAround } from '../../../c/tokens/calls.ts'
import { closing, openingOf, type Token } from '../../../c/tokens/lexer.ts'
import { isMember } from '../../../c/tokens/names.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { parametersOf, type Variable, variablesOf } from '../../../c/written/local-variables.ts'
import { textOf } from '../../subject/changed-functions.ts'
import { accessPathOf, accessPathStart, isCast, pathBefore } from '../reading/access-paths.ts'

/** One taking out or putting in. */
export interface Holding {
  /** `private_data`, `dev_get_drvdata()`, `container_of timer`, `parameter data`. */
  readonly holder: string
  readonly does: 'takes' | 'puts'
  /** The struct, or number, as which it is taken or put. */
  readonly as: string
}

const getters =
  /^(?:\w+_get_(?:drvdata|clientdata|intfdata|platdata)|pde_data|PDE_DATA|kthread_data|idr_find|xa_load|radix_tree_lookup|rhashtable_lookup\w*|idr_remove|xa_erase|netdev_priv|shost_priv|iommu_priv|crypto_tfm_ctx|\w+_tfm_ctx\w*|\w+_request_ctx|\w+_priv|(?:page|folio_get)_private)$/
const setters =
  /^(?:\w+_set_(?:drvdata|clientdata|intfdata)|xa_store\w*|idr_alloc\w*|radix_tree_insert|rhashtable_insert\w*|set_page_private|attach_page_private|folio_(?:attach|change)_private)$/
/** Functions that keep an argument for a callback, by its number from 0, or from the end. */
const keepers: readonly (readonly [RegExp, number, string])[] = [
  [/^single_open(?:_size|_net)?$/, 2, 'private of struct seq_file'],
  [/^(?:devm_)?request_(?:threaded_|percpu_)?irq$/, -1, 'the cookie of an interrupt'],
  [/^kthread_(?:run|create|create_on_node|create_on_cpu)$/, 1, 'the argument of a thread'],
  [/^proc_create(?:_single|_seq)?_data$/, -1, 'the data of a /proc file'],
  [/^debugfs_create_file(?:_unsafe|_size)?$/, 3, 'the data of a debugfs file'],
]
const containers =
  /^(?:container_of\w*|from_timer|from_tasklet|from_work|to_\w+_container|rb_entry\w*|list_(?:first_|last_)?entry\w*|hlist_entry\w*)$/

const pure = (type: string | undefined): type is string =>
  type !== undefined && (isStruct(type) || /^(?:int|long|short|[us](?:16|32|64)|u?int(?:16|32|64)_t)$/.test(type))

/** Of numbers only that they are no struct is sure. */
export function isStruct(type: string): boolean {
  return /^(?:struct|union) \w/.test(type)
}

/**
 * What a function's text takes out of pointers without a type, and puts in.
 * @param find the function of a name
 */
export function holdingsIn(
  definition: Definition,
  isAddressTaken: boolean,
  find: (name: string) => Definition | undefined,
): Holding[] {
  const { body } = definition
  const variables = variablesOf(definition)
  const found: Holding[] = []
  const put = (holder: string, does: Holding['does'], as: string | undefined) => {
    if (pure(as)) found.push({ holder, does, as })
  }
  const typeOfTarget = (equals: number): string | undefined => {
    const target = pathBefore(body, equals)
    return target.length === 1 ? typeOfPointer(variables.get(target[0]!.text)) : undefined
  }
  /** The type of the value at `at`: that of a cast in front of it, or of the variable that gets it. */
  const takenAs = (at: number): string | undefined => {
    let from = at
    // `*(struct x **)&file->private_data`.
    if (body[from - 1]?.text === '&') from--
    while (body[from - 1]?.text === '(' && body[from - 2]?.kind !== 'name') from--
    if (body[from - 1]?.text === ')') {
      const open = openingOf(body, from - 1)
      if (isCast(body, open)) {
        const words = body.slice(open + 1, from - 1).map((token) => token.text)
        if (/^(?:struct|union)$/.test(words[0]!)) return `${words[0]} ${words[1]}`
        return words
          .filter((word) => !/^(?:const|unsigned|signed)$/.test(word))
          .join(' ')
          .replace(/ \*$/, '')
      }
    }
    if (body[from - 1]?.text === '=') return typeOfTarget(from - 1)
    // Of `&x->work` the type is that of the member.
    return body[at - 1]?.text === '&' ? undefined : typeOfParameter(from)
  }
  /** The struct of the parameter to which the value at `from` is handed as it is: `file_inode(m->private)`. */
  const typeOfParameter = (from: number): string | undefined => {
    const call = /^[(,]$/.test(body[from - 1]?.text ?? '') ? callAround(body, from) : undefined
    const callee = call && find(call.name)
    return callee?.kind === 'function' ? typeOfPointer(parametersOf(callee)[call!.index]) : undefined
  }
  for (let at = 0; at < body.length; at++) {
    const { kind, text } = body[at]!
    if (kind !== 'name') continue
    const next = body[at + 1]?.text
    if (isMember(body, at)) {
      const start = accessPathStart(body, at + 1)
      const holder = `${text} of ${accessPathOf(body.slice(start, at + 1), variables)?.object ?? 'an object'}`
      if (next === '=') put(holder, 'puts', putAs(body, at + 2))
      else if (endsValue(next)) put(holder, 'takes', takenAs(start))
      continue
    }
    if (next === '(') {
      const inner = argumentsAt(body, at + 1)
      if (containers.test(text))
        put(`the ${inner[2]?.at(-1)?.text ?? text} within`, 'takes', textOf((inner[1] ?? []).slice(0, 2)))
      else if (getters.test(text)) put(`${text}()`, 'takes', takenAs(at))
      else if (setters.test(text)) {
        const types = inner.slice(1).map((value) => putAs(value))
        put(`${text}()`, 'puts', types.find(pure))
      } else {
        const keeper = keepers.find(([words]) => words.test(text))
        if (keeper !== undefined) put(keeper[2], 'puts', putAs(inner.at(keeper[1])))
      }
      continue
    }
    // A callback's `void *data`.
    const { isParameter, type, pointers } = variables.get(text) ?? {}
    if (isAddressTaken && isParameter === true && type === 'void' && pointers === 1 && endsValue(next))
      put(`the parameter ${text}`, 'takes', takenAs(at))
  }
  return found

  function putAs(tokens: readonly Token[] = [], start = 0): string | undefined {
    const first = tokens[start]
    if (first?.text === '(' && isCast(tokens, start)) return putAs(tokens, closing(tokens, start))
    return endsValue(tokens[start + 1]?.text) ? typeOfPointer(variables.get(first?.text ?? '')) : undefined
  }
}

function typeOfPointer(variable: Variable | undefined): string | undefined {
  return variable?.pointers === 1 ? variable.type : undefined
}

function endsValue(next: string | undefined): boolean {
  return next === undefined || /^[;,)]$/.test(next)
}
