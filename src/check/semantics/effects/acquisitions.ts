// SPDX-License-Identifier: GPL-3.0-or-later
// What is held across calls and is neither memory nor a plain reference: pinned pages, interrupts, clocks, mappings,
// numbers. Most words tell by their parts what they take and what gives it back (`request_irq` and `free_irq`); the few
// others stand in a table.

import { callsIn } from '../../../c/tokens/calls.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { withHelpers } from '../../locks/operations.ts'
import { primitiveOf } from '../../locks/primitives.ts'
import type { ChangedFunctions, Side } from '../../subject/changed-functions.ts'
import type { Found } from '../../subject/rule.ts'
import { onlyIn } from '../reading/differences.ts'
import { asks } from '../reading/known-callees.ts'

export interface Acquisition {
  readonly role: 'take' | 'give'
  readonly word: string
  /** What it is and how it is held, such as `irq` and `devm`. */
  readonly thing: readonly string[]
  readonly manner: string
}

type Row = readonly [words: RegExp, role: Acquisition['role'], thing: string, manner: string]

/**
 * include/linux/{mm,highmem,highmem-internal,io,interrupt,dma-mapping}.h. Without high memory, as on x86-64, kmap and
 * kmap_local do nothing; kmap_atomic disables preemption. `dma_unmap_single` is `dma_unmap_page`.
 */
const irregular: readonly Row[] = [
  [/^get_user_pages\w*$/, 'take', 'page', ''],
  [/^(?:put_page|folio_put|release_pages)$/, 'give', 'page', ''],
  [/^kmap_atomic\w*$/, 'take', 'kmap', 'atomic'],
  [/^kunmap_atomic$/, 'give', 'kmap', 'atomic'],
  [/^kmap(?:_local_\w+)?$/, 'take', 'kmap', ''],
  [/^kunmap(?:_local)?$/, 'give', 'kmap', ''],
  [/^devm_ioremap\w*$/, 'take', 'ioremap', 'devm'],
  [/^devm_iounmap$/, 'give', 'ioremap', 'devm'],
  [/^ioremap\w*$/, 'take', 'ioremap', ''],
  [/^iounmap$/, 'give', 'ioremap', ''],
  [/^dma_map_(?:single|page)\w*$/, 'take', 'dma_page', 'map'],
  [/^dma_unmap_(?:single|page)\w*$/, 'give', 'dma_page', 'map'],
]

/** Who gives it back when its device goes. */
const managed = /^(?:devm|devres|pcim|drmm)$/
/** How something is held, with what ends that. */
const mannerBegins = /^(?:pin|prepare|enable|register|map|attach)$/
const mannerEnds: Readonly<Record<string, string>> = {
  unpin: 'pin',
  unprepare: 'prepare',
  disable: 'enable',
  unregister: 'register',
  deregister: 'register',
  unmap: 'map',
  detach: 'attach',
}
const takes = /^(?:alloc|request|get|hold|acquire|claim|reserve|create|open)$/
const gives = /^(?:free|put|release|remove|destroy|close|unref)$/
/** Only reads or writes something. */
const moves = /^(?:nla|nlmsg|seq|skb|get_user|put_user|.*(?:unaligned|_u?(?:8|16|32|64)$|[bl]e\d+))/

/** Of a word that does two things, such as `clk_prepare_enable`, each. */
export function acquisitionsBy(word: string): Acquisition[] {
  const row = irregular.find(([words]) => words.test(word))
  if (row !== undefined) return [{ word, role: row[1], thing: row[2].split('_'), manner: row[3] }]
  if (moves.test(word) || !word.includes('_')) return []
  const thing: string[] = []
  const manners: string[] = []
  const roles = new Set<Acquisition['role']>()
  for (const part of word.split('_')) {
    if (part === '') continue
    const manner = mannerEnds[part]
    if (manner !== undefined || gives.test(part)) roles.add('give')
    else if (mannerBegins.test(part) || takes.test(part)) roles.add('take')
    else if (!managed.test(part)) thing.push(part.replace(/s$/, ''))
    if (manner !== undefined || mannerBegins.test(part)) manners.push(manner ?? part)
  }
  const [role] = roles
  if (role === undefined || roles.size !== 1 || thing.length === 0) return []
  if (role === 'take' && asks.test(word)) return []
  const by = word.split('_').some((part) => managed.test(part)) ? 'managed ' : ''
  return (manners.length === 0 ? [''] : manners).map((manner) => ({
    word,
    role,
    thing,
    manner: `${by}${manner}`,
  }))
}

/** `pin_user_pages_fast` goes back by `unpin_user_page`, `ida_alloc` by `ida_simple_remove`. */
export function isSameResource(one: Acquisition, other: Acquisition): boolean {
  const holds = (all: readonly string[], some: readonly string[]) => some.every((part) => all.includes(part))
  return one.manner === other.manner && (holds(one.thing, other.thing) || holds(other.thing, one.thing))
}

/** What a function and its new helpers take and give. */
function acquisitionsOf(side: Side, definition: Definition, other: Side): Acquisition[] {
  return withHelpers(side, definition, other).flatMap(({ body }) =>
    callsIn(body).flatMap(({ name }) => {
      // What only one side has is read itself.
      const isOneSided = side.definitions.has(name) && !other.definitions.has(name)
      return isOneSided ? [] : acquisitionsBy(name)
    }),
  )
}

/** What a function takes and gives back on one side only. */
interface AcquisitionChange {
  readonly gone: readonly Acquisition[]
  readonly come: readonly Acquisition[]
}

/** True when a function gives back what it takes itself, as far as its change tells. */
function isSelfContained({ gone, come }: AcquisitionChange): boolean {
  return [gone, come].some((list) =>
    list.some(
      (one) => one.role === 'take' && list.some((other) => other.role === 'give' && isSameResource(one, other)),
    ),
  )
}

/** What is taken in one function and given back in another one, and both otherwise than before. */
export function acquisitionFindings(functions: ChangedFunctions): Found[] {
  const isSame = (one: Acquisition, other: Acquisition) => one.role === other.role && isSameResource(other, one)
  const isSameWord = (one: Acquisition, other: Acquisition) => one.word === other.word
  const changes = functions.rewritten.map(({ name, file, before, after }) => {
    const old = acquisitionsOf(functions.before, before, functions.after)
    const young = acquisitionsOf(functions.after, after, functions.before)
    const words = { gone: onlyIn(old, young, isSameWord), come: onlyIn(young, old, isSameWord) }
    return { name, file, gone: onlyIn(old, young, isSame), come: onlyIn(young, old, isSame), words }
  })
  const isReference = (one: Acquisition) =>
    primitiveOf(one.word, (word) => functions.before.mentions(word) || functions.after.mentions(word))?.kind ===
    'reference'
  const isSaid = (take: Acquisition, give: Acquisition) => isReference(take) && isReference(give)
  const found: Found[] = []
  for (const maker of changes)
    for (const other of changes) {
      if (other === maker || !functions.areApart(maker.name, other.name)) continue
      // Each of them takes and gives back in one patch state.
      if (isSelfContained(maker) && isSelfContained(other)) continue
      const [gone, come] = (['gone', 'come'] as const).map((side) => {
        const takes = maker[side].filter(({ role }) => role === 'take')
        const gives = other[side].filter(({ role }) => role === 'give')
        const pairs = takes.flatMap((take) => gives.map((give) => ({ take, give })))
        return pairs.filter(({ take, give }) => isSameResource(take, give) && !isSaid(take, give))
      })
      const sharing = (side: 'gone' | 'come', { thing }: Acquisition) =>
        maker.words[side].find((one) => one.role === 'take' && one.thing.some((part) => thing.includes(part)))
      for (let at = 0; at < Math.max(gone!.length, come!.length); at++) {
        const [was, is] = [gone![at], come![at]]
        const old = was?.take ?? (is && sharing('gone', is.take))
        const young = is?.take ?? (was && sharing('come', was.take))
        if (old === undefined || young === undefined) continue
        const end =
          is === undefined
            ? `no longer gives it back by ${was!.give.word}; what the old code has taken is never given back`
            : was === undefined
              ? `now gives it back by ${is.give.word}; what the old code has taken so is not to be given back by it`
              : `gives it back by ${is.give.word} and no longer by ${was.give.word}; what the old code has ` +
                'taken is given back in the wrong way'
        const message = `${maker.name} now takes by ${young.word} what it took by ${old.word}, and ${other.name} ${end}`
        if (found.some((one) => one.message === message)) continue
        found.push({
          symbol: maker.name,
          unit: maker.file,
          functions: [other.name],
          message,
        })
      }
    }
  return found
}
