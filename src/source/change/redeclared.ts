// SPDX-License-Identifier: GPL-3.0-or-later
// Variables of the running kernel that the patch declares anew. One that keeps its name and its size goes on with the
// value that it has: that must still be a value of its type, and it must be the same variable, not another one that
// took over the name.

import { directivesIn } from '../../c/tokens/directives.ts'
import { tokenize } from '../../c/tokens/lexer.ts'
import type { Change } from '../../diff/change.ts'
import { isState } from '../../diff/lost-state.ts'
import { bareName, sourceName } from '../../diff/object/compiler-names.ts'
import { isStaticLocal, staticUsers } from '../../diff/statics/static-locals.ts'
import type { Finding } from '../../ground/finding.ts'
import type { FileChange } from '../../patch/patch.ts'
import type { UnitDeclarations } from './static-declarations.ts'

/** The variables of the kernel that the patched code goes on with. */
function kept({ correlation, after }: Change) {
  const data = new Set(after.data)
  return correlation.pairs.filter((pair) => data.has(pair.after) && isState(pair.after))
}

/**
 * A look at the text only: whether a variable may have been declared anew. In doubt it has.
 * @param changes of the unit and of what it includes
 */
export function mayBeRedeclared(change: Change, changes: readonly FileChange[]): boolean {
  const pairs = kept(change)
  if (pairs.length === 0) return false
  const names = new Set(pairs.map((pair) => bareName(pair.after.name)))
  const declared = new Set<string>()
  for (const { path: file, after, lineage } of changes) {
    if (after === undefined || !/\.[ch]$/.test(file)) continue
    const all = tokenize(after)
    const isDirective = new Set(directivesIn(after, all).flatMap(({ from, to }) => all.slice(from, to)))
    let [depth, isNew, isStatic] = [0, false, false]
    let meant: string[] = []
    for (const token of all) {
      if (isDirective.has(token)) continue
      const { text: word, line, start } = token
      if (word === ';' || word === '{' || word === '}') {
        if (isNew && meant.length > 0 && (isStatic || depth === 0)) return true
        if (isStatic) for (const name of meant) declared.add(name)
        if (word !== ';') depth += word === '{' ? 1 : -1
        // Both branches of an #if may open a block that is closed once; a function ends at the margin.
        if (word === '}' && after[start - 1] === '\n') depth = 0
        isNew = isStatic = false
        meant = []
        continue
      }
      isNew ||= lineage[line - 1] === 0
      isStatic ||= word === 'static'
      if (names.has(word)) meant.push(word)
    }
  }
  // What no file declares is a macro's, whose line may have moved.
  const differing = new Set(change.changed.map((one) => one.after))
  const unsaid = new Set(
    pairs.filter(({ after }) => isStaticLocal(after) && !declared.has(bareName(after.name))).map(({ after }) => after),
  )
  return (
    unsaid.size > 0 &&
    staticUsers(change.after)
      .code(unsaid)
      .some((code) => differing.has(code))
  )
}

/** Variables that keep their place and size, and get another type. */
export function retypedVariables(change: Change, declarations: UnitDeclarations): Finding[] {
  const differing = new Set(change.changedData)
  return kept(change).flatMap(({ before, after }): Finding[] => {
    const [was, is] = [declarations.before.get(before.name), declarations.after.get(after.name)]
    if (differing.has(after) || was?.type === undefined || is?.type === undefined) return []
    if (was.type.meaning === is.type.meaning) return []
    const name = bareName(after.name)
    return [
      {
        severity: 'warning',
        rule: 'variable-retyped',
        symbol: after.name,
        unit: change.unit,
        message:
          `The patch makes ${name} (${is.file}:${is.line}), which is ${was.type.text} in the running ` +
          `kernel, ${is.type.text}: the new code takes what is in it for that`,
        hint:
          'Give the new variable another name, or convert the value in a callback (INARCH_PRE_PATCH); ' +
          `if each value that ${name} can have means the same in both types, allow it`,
      },
    ]
  })
}

/** Static variables that the patched code takes for ones of the running kernel by nothing but their names. */
export function inheritedVariables(change: Change, { identities, before, after }: UnitDeclarations): Finding[] {
  const found = new Map<string, { names: string[]; symbol: string; place: string; old: string; user: string }>()
  const users = staticUsers(change.after)
  for (const pair of kept(change)) {
    const { before: b, after: a } = pair
    if (!isStaticLocal(a) || pair.by === 'place' || pair.by === 'declaration') continue
    const [was, is] = [before.get(b.name), after.get(a.name)]
    const said = identities.after.get(a.name)
    if (was === undefined || is === undefined) continue
    if (said !== undefined && said === identities.before.get(b.name)) continue
    const [place, old] = [is, was].map(({ file, line }) => `${file}:${line}`) as [string, string]
    const [owner = ''] = users.of(a) ?? []
    const known = found.get(`${place} ${old}`)
    if (known !== undefined) known.names.push(bareName(a.name))
    else
      found.set(`${place} ${old}`, {
        names: [bareName(a.name)],
        symbol: a.name,
        place,
        old,
        user: sourceName(owner.slice(owner.indexOf(' ') + 1)),
      })
  }
  return [...found.values()].map(({ names, symbol, place, old, user }): Finding => {
    const list = names.sort().join(' and ')
    return {
      severity: 'warning',
      rule: 'state-inherited',
      symbol,
      unit: change.unit,
      message:
        `The patch declares ${list} of ${user} at ${place}, and takes away the one of that name at ` +
        `${old}: the new code goes on with what the running kernel has in the old one, and nothing ` +
        'proves that they are the same',
      hint: 'If it is another variable, give it another name; if it is the same one in another block, allow it',
    }
  })
}
