// SPDX-License-Identifier: GPL-3.0-or-later
// The names under which things are registered with the kernel, and by which they are found and removed again: as texts
// in the call, as constants, or by way of a local buffer that is filled first.
// Facts: include/linux/{proc_fs,sysfs,kernfs,debugfs,kobject,netdevice,module}.h, include/linux/device.h and
// device/bus.h.

import { argumentsAt, callsIn } from '../../../c/tokens/calls.ts'
import { findOutside, type Token } from '../../../c/tokens/lexer.ts'
import { isMember } from '../../../c/tokens/names.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { parametersOf, variablesOf } from '../../../c/written/local-variables.ts'
import type { Side } from '../../subject/changed-functions.ts'

/** `make`: registers under a name. `find`: looks something up by its name, or removes it. */
export type NameRole = 'make' | 'find'

export interface NameUse {
  readonly role: NameRole
  /** Names of one registry meet; `proc`. */
  readonly registry: string
  /** As a C text, without quotes. */
  readonly name: string
  /** The function that is given the name. */
  readonly word: string
  /** True where the text is not in the call itself. */
  readonly isBuffered: boolean
}

/** Which argument, from 0, is the name. */
type Row = readonly [words: RegExp, registry: string, role: NameRole, argument: number]

const rows: readonly Row[] = [
  [/^remove_proc_(?:entry|subtree)$/, 'proc', 'find', 0],
  [/^proc_net_mkdir$/, 'proc', 'make', 1],
  [/^_?proc_(?:create\w*|mkdir\w*|symlink)$/, 'proc', 'make', 0],
  [/^sysfs_remove_link$/, 'sysfs', 'find', 1],
  [/^sysfs_(?:remove_link_from_group|delete_link|rename_link(?:_ns)?)$/, 'sysfs', 'find', 2],
  [/^sysfs_(?:create_link(?:_nowarn)?)$/, 'sysfs', 'make', 2],
  [/^sysfs_(?:add_link_to_group|rename_link(?:_ns)?)$/, 'sysfs', 'make', 3],
  [/^(?:kernfs|sysfs)_(?:remove_by_name|find_and_get|get_dirent)(?:_ns)?$/, 'sysfs', 'find', 1],
  [/^kernfs_create_(?:dir|link|file|empty_dir)(?:_ns)?$/, 'sysfs', 'make', 1],
  [/^debugfs_lookup(?:_and_remove)?$/, 'debugfs', 'find', 0],
  [/^debugfs_create_\w+$/, 'debugfs', 'make', 0],
  [/^kset_find_obj$/, 'objects', 'find', 1],
  [/^kobject_init_and_add$/, 'objects', 'make', 3],
  [/^kobject_add$/, 'objects', 'make', 2],
  [/^(?:kobject|dev)_set_name$/, 'objects', 'make', 1],
  [/^k(?:object|set)_create_and_add$/, 'objects', 'make', 0],
  [/^(?:device_find_child|class_find_device)_by_name$/, 'objects', 'find', 1],
  [/^bus_find_device_by_name$/, 'objects', 'find', 2],
  [/^device_create$/, 'objects', 'make', 4],
  [/^(?:__)?dev_get_by_name(?:_rcu)?$|^netdev_get_by_name$/, 'interfaces', 'find', 1],
  [/^dev_alloc_name$|^alloc_netdev(?:_mqs?)?$/, 'interfaces', 'make', 1],
]

/** Fill the buffer that is their first argument. */
const fills = /^(?:v?s(?:n|cn)?printf|str[ls]?n?(?:cpy|cat)|strscpy(?:_pad)?)$/

/** What a definition is given as a name where it hands a parameter of its own on as one. */
interface Wrapper {
  readonly row: Row
  /** Number of the parameter. */
  readonly parameter: number
}

export type Wrappers = ReadonlyMap<string, readonly Wrapper[]>

/** The texts that tokens may stand for: texts that stand beside each other are one. */
function textsIn(tokens: readonly Token[], constants: ReadonlyMap<string, string>): string[] {
  const found: string[] = []
  let isOpen = false
  for (const { kind, text } of tokens) {
    const constant = kind === 'name' ? constants.get(text) : undefined
    const quoted = kind === 'string' ? text : constant
    const [, inner] = /^"(.*)"$/.exec(quoted ?? '') ?? []
    if (inner === undefined) isOpen = false
    else if (isOpen) found.push(`${found.pop()}${inner}`)
    else {
      found.push(inner)
      isOpen = true
    }
  }
  // Of a number that is not negative all of these make one text.
  return found.map((text) => text.replace(/%(l{0,2}|h{0,2}|z)[diu]/g, '%d'))
}

/** What a local variable was given last in front of a call; what is put behind a text belongs to it. */
function filling(body: readonly Token[], before: number, name: string): readonly Token[] {
  let found: readonly Token[] = []
  for (let at = before - 1; at >= 0; at--) {
    if (body[at]!.text !== name) continue
    const fill = body[at - 1]?.text === '(' ? (body[at - 2]?.text ?? '') : ''
    if (fills.test(fill)) {
      const [, ...put] = argumentsAt(body, at - 1)
      found = [...put.flat(), ...found]
      if (!/cat$/.test(fill)) return found
    } else if (body[at + 1]?.text === '=' && !isMember(body, at))
      return [...body.slice(at + 2, findOutside(body, at + 2, ';')), ...found]
  }
  return found
}

function wordsOf(word: string, wrappers: Wrappers): readonly Row[] {
  const own = wrappers.get(word)
  if (own !== undefined)
    return own.map(({ row: [words, registry, role], parameter }) => [words, registry, role, parameter])
  return rows.filter(([words]) => words.test(word))
}

/** Each argument of a function's calls that is a name. */
function namesGiven(
  { body }: Definition,
  wrappers: Wrappers,
): { readonly at: number; readonly row: Row; readonly value: readonly Token[] }[] {
  return callsIn(body).flatMap((call) =>
    wordsOf(call.name, wrappers).map((row) => ({ at: call.at, row, value: call.values[row[3]] ?? [] })),
  )
}

const nothing: Wrappers = new Map()

/** The functions of a side that hand a parameter on as a name. */
export function nameWrappers(side: Side): Wrappers {
  const found = new Map<string, readonly Wrapper[]>()
  for (const [name, one] of side.definitions) {
    const given = one.kind === 'function' ? namesGiven(one, nothing) : []
    const list = given.flatMap(({ row, value }): Wrapper[] => {
      const parameter = parametersOf(one).findIndex(({ name: its }) => value.length === 1 && its === value[0]!.text)
      return parameter < 0 ? [] : [{ row, parameter }]
    })
    if (list.length > 0) found.set(name, list)
  }
  return found
}

/**
 * The names that a function's calls register, find or remove.
 * @param constants macros of the files of this side that stand for a text
 */
export function namesIn(
  definition: Definition,
  wrappers: Wrappers,
  constants: ReadonlyMap<string, string> = new Map(),
): NameUse[] {
  const variables = variablesOf(definition)
  return namesGiven(definition, wrappers).flatMap(({ at, row: [, registry, role], value }) => {
    const [first] = value
    const isBuffered = value.length === 1 && variables.get(first!.text)?.isParameter === false
    const tokens = isBuffered ? filling(definition.body, at, first!.text) : value
    const word = definition.body[at]!.text
    return textsIn(tokens, constants).map((name) => ({ role, registry, name, word, isBuffered }))
  })
}
