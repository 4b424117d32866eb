// SPDX-License-Identifier: GPL-3.0-or-later
// Code that runs when something comes: a device is bound, a file system mounted, a processor brought up. What is there
// already has been through the old code, and keeps what that gave it.

import type { Token } from '../../../c/tokens/lexer.ts'
import { isInitOrExit } from '../../../c/written/functions.ts'
import { listed } from '../../../ground/listed.ts'
import type { ChangedFunctions, Side } from '../../subject/changed-functions.ts'
import { type Found, foundIn, note, ofTexts } from '../../subject/rule.ts'

const processors = 'processors that are online'

/** What exists already, by the member of a table of operations that leads to the code. */
const arrivals: readonly (readonly [RegExp, string])[] = [
  [
    /^(?:probe(?:_new)?|probe_type|connect|bind|attach|add_dev|add_one|add_port|slave_alloc|slave_configure|sdev_configure|sdev_init|target_alloc|input_mapping|input_configured|init_controller|enable_device|register_device|match_device|init_hctx|init_request)$/,
    'devices that are bound',
  ],
  [/^(?:ndo_init|newlink|setup|validate_link|rtnl_newlink)$/, 'network devices that exist'],
  [/^(?:mount|fill_super|get_tree|init_fs_context|parse_param|read_super)$/, 'file systems that are mounted'],
  [
    /^(?:c_init|c_early_init|c_bsp_init|c_identify|c_detect_tlb|starting|startup|cpu_prepare|cpu_starting|hotplug_prepare)$/,
    processors,
  ],
]
/** Functions that take such code as an argument. */
const takers: readonly (readonly [RegExp, string])[] = [
  [
    /^(?:mount_(?:bdev|nodev|single|mtd|ns)|get_tree_(?:bdev|nodev|single|keyed|mtd)\w*|vfs_get_super)$/,
    'file systems that are mounted',
  ],
  [/^cpuhp_setup_state\w*$/, processors],
  [/^alloc_netdev\w*$/, 'network devices that exist'],
]

/** What stays as it is when the code of a name changes; undefined when the name leads elsewhere as well. */
function keepers(side: Side, name: string, seen = new Set<string>()): Set<string> | undefined {
  if (seen.has(name)) return new Set()
  seen.add(name)
  const definition = side.definitions.get(name)
  const found = new Set<string>()
  for (const [at, { text }] of side.rest.entries()) {
    if (text !== name || side.rest[at + 1]?.text === '(') continue
    // `.probe = name`; an export, or a table whose member is not named, leads anywhere.
    const isMember = side.rest[at - 1]?.text === '=' && side.rest[at - 3]?.text === '.'
    const kind = isMember ? (kindOf(arrivals, side.rest[at - 2]!.text) ?? ofTable(side.rest, at)) : undefined
    if (kind === undefined) return undefined
    found.add(kind)
  }
  if (definition === undefined || (!definition.isPrivate && found.size === 0)) return undefined
  for (const user of side.users(name)) {
    const passed = passedTo(side, user, name)
    if (passed === 'kept') return undefined
    const kinds = passed === undefined ? keepers(side, user, seen) : new Set([passed])
    if (kinds === undefined) return undefined
    for (const kind of kinds) found.add(kind)
  }
  return found
}

/** `.init` says what it is by its table: `static struct pernet_operations x = { .init = name }`. */
function ofTable(rest: readonly Token[], at: number): string | undefined {
  if (rest[at - 2]?.text !== 'init') return undefined
  for (let index = at; index >= 0; index--) {
    if (rest[index]!.text === ';') return undefined
    if (rest[index]!.text === 'pernet_operations') return 'network namespaces that exist'
  }
  return undefined
}

function kindOf(kinds: readonly (readonly [RegExp, string])[], word: string): string | undefined {
  return kinds.find(([words]) => words.test(word))?.[1]
}

/** The existing objects that a changed function does not reach, as it runs only for new ones; undefined for others. */
export function keptBy(functions: ChangedFunctions, name: string): ReadonlySet<string> | undefined {
  return keepers(functions.after, name)
}

/** What becomes of a function's name in another function, where it is not called: `kept` when it can't be told. */
function passedTo(side: Side, user: string, name: string): string | undefined {
  const body = side.definitions.get(user)?.body ?? []
  const calls: (string | undefined)[] = []
  for (const [at, { text, kind }] of body.entries()) {
    if (text === '(') calls.push(body[at - 1]?.text)
    else if (text === ')') calls.pop()
    else if (kind === 'name' && text === name && body[at + 1]?.text !== '(')
      return kindOf(takers, calls.at(-1) ?? '') ?? 'kept'
  }
  return undefined
}

export function arrivalFindings(functions: ChangedFunctions): Found[] {
  const found = new Map<string, { names: string[]; file: string }>()
  for (const { name, file, before, after } of functions.all) {
    if (before === undefined || after === undefined || after.kind === 'macro' || isInitOrExit(after)) continue
    const kinds = keepers(functions.after, name)
    if (kinds === undefined || kinds.size === 0) continue
    const what = listed([...kinds])
    const known = found.get(what) ?? { names: [], file }
    known.names.push(name)
    found.set(what, known)
  }
  const whole = functions.all.filter(({ before, after }) => before !== undefined && after !== undefined).length
  return [...found].map(([what, { names, file }]) => {
    const isAll = names.length === whole
    return foundIn(
      { name: names[0]!, file },
      `${listed(names)} ${names.length === 1 ? 'runs' : 'run'} only when something new comes; ${what} keep ` +
        `what the old code gave them${isAll ? ', so for them the fix has no effect' : ''}`,
      { ...(isAll && what === processors ? { severity: 'warning' as const } : {}), functions: names },
    )
  })
}

export const reachesOnlyNew = note(
  'reaches-only-new',
  'A changed function that runs only when something comes: a device is bound, a file system mounted, ' +
    'a processor brought up, a namespace made',
  'What is there already has been through the old code, and the fix does not reach it',
  'Bind, mount or bring up again what must be fixed, or correct what is there in a callback (INARCH_PRE_PATCH)',
  ['Documentation/livepatch/callbacks.rst: to init and probe functions'],
  ofTexts(arrivalFindings),
)
