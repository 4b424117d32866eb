// SPDX-License-Identifier: GPL-3.0-or-later
// What of a unit comes along with some of its functions: declarations that are copied, names that are only declared,
// and why.
import type { Use } from '../../c/expanded/name-uses.ts'
import type { Finding } from '../../ground/finding.ts'
import type { Attribute } from '../view/attributes.ts'
import type { RunningSymbol } from '../view/request.ts'
import type { Item } from '../view/unit-view.ts'
import type { BoundLocal } from './bound-statics.ts'

/** A name of the unit that is only declared. */
export interface Binding {
  readonly name: string
  readonly kind: 'function' | 'variable'
  readonly running: RunningSymbol
  /** Where its type is taken from, and where its first declaration stands. */
  readonly item: Item
  readonly first: Item
  /** Its size is asked for. */
  readonly needsBound: boolean
  /** The symbol that an asm label of the unit gives it. */
  readonly label: string | undefined
}

export interface Closure {
  /** Declarations that are in the output as they are. */
  readonly whole: ReadonlySet<Item>
  /** Of these, only the types that they define. */
  readonly typesOnly: ReadonlySet<Item>
  /** Types that are only announced, such as `struct x`, and the line in front of which they must be. */
  readonly forwards: ReadonlyMap<string, number>
  readonly bindings: ReadonlyMap<string, Binding>
  readonly locals: ReadonlyMap<Item, readonly BoundLocal[]>
  /** The item of each function to extract. */
  readonly targets: ReadonlyMap<string, Item>
  /** Why each declaration is in the output. */
  readonly reasons: ReadonlyMap<Item, string>
  readonly findings: readonly Finding[]
  /** Functions whose name differs in the output, and their names there. */
  readonly renamed: ReadonlyMap<string, string>
  /** The first declaration in the output that uses a function. */
  firstUse(name: string): Item | undefined
  /** The uses of the file's names in a declaration. */
  usesIn(item: Item): readonly Use[]
  /** The symbol that an asm label gives a function, be it one of a header. */
  labelOf(name: string): string | undefined
  /**
   * The attributes that other declarations of a name give what `item` defines, and that are not in the output with
   * them.
   */
  attributesBeside(item: Item, name: string): readonly Attribute[]
}
