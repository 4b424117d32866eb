// SPDX-License-Identifier: GPL-3.0-or-later
// What makes it right that a part of the bundle takes the exports of another part once: no part gives an export another
// value after it was loaded, and no two parts wait for one another.
import ts from 'typescript'
import { expect, test } from 'vitest'

interface Bundle {
  readonly outputFiles: readonly { readonly path: string; readonly text: string }[]
}

const script = new URL('../../scripts/build.mjs', import.meta.url)
const { splitBundle }: { splitBundle(outdir: string): Promise<Bundle> } = await import(script.href)

/** The names in a part that it exports and gives a value outside of their declaration. */
function assignedExports(file: ts.SourceFile): string[] {
  const exported = new Set<string>()
  for (const statement of file.statements)
    if (ts.isExportDeclaration(statement) && statement.exportClause && ts.isNamedExports(statement.exportClause))
      for (const { name, propertyName } of statement.exportClause.elements) exported.add((propertyName ?? name).text)
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    const isAssignment =
      ts.isBinaryExpression(node) &&
      node.operatorToken.kind >= ts.SyntaxKind.FirstAssignment &&
      node.operatorToken.kind <= ts.SyntaxKind.LastAssignment
    const isStep = ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)
    const target = isAssignment ? node.left : isStep ? node.operand : undefined
    if (target !== undefined && ts.isIdentifier(target) && exported.has(target.text)) found.push(target.text)
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}

/** The parts that a part loads before it runs. */
function importsOf(file: ts.SourceFile): string[] {
  return file.statements.flatMap((statement) =>
    ts.isImportDeclaration(statement) && ts.isStringLiteral(statement.moduleSpecifier)
      ? [statement.moduleSpecifier.text.replace('./', '')]
      : [],
  )
}

const parse = (name: string, text: string) => ts.createSourceFile(name, text, ts.ScriptTarget.Latest)

const { outputFiles } = await splitBundle('/nowhere')
const parts = outputFiles.map(({ path, text }) => parse(path.replace('/nowhere/', ''), text))

test('an assignment to an export is seen', () => {
  expect(assignedExports(parse('part.js', 'var a=1,b=2,c=3;function f(){a=2;b++;let d=c}export{a,b,c as d};'))).toEqual(
    ['a', 'b'],
  )
})

test('an export of a part keeps its value', () => {
  expect(parts.length).toBeGreaterThan(20)
  expect(parts.flatMap((part) => assignedExports(part).map((name) => `${part.fileName}: ${name}`))).toEqual([])
})

test('parts import one another in one direction', () => {
  const imports = new Map(parts.map((part) => [part.fileName, importsOf(part)]))
  const done = new Set<string>()
  const open = (name: string, above: readonly string[]): void => {
    expect(above).not.toContain(name)
    if (done.has(name)) return
    for (const next of imports.get(name) ?? []) open(next, [...above, name])
    done.add(name)
  }
  for (const name of imports.keys()) open(name, [])
  expect(done.size).toBeGreaterThan(20)
})
