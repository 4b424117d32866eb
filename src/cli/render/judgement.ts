// SPDX-License-Identifier: GPL-3.0-or-later
// How a judgement looks in a terminal: a page that begins with the verdict and ends with what to do next.

import { objectionsAmong } from '../../check/consent.ts'
import { forecastRules } from '../../check/rules/concurrency/forecast.ts'
import { beyondLines } from '../../check/semantics/plain/description.ts'
import type { Finding } from '../../ground/finding.ts'
import { inNumbers } from '../../ground/in-numbers.ts'
import { sentence } from '../../ground/sentence.ts'
import { grouped } from '../../ground/values/grouped.ts'
import type { Judgement } from '../../module/judgement.ts'
import { bold, cyan, dim, green, red, yellow } from './colour.ts'
import { wrapped } from './width.ts'

/** What was asked, for the next command. */
export interface Asked {
  readonly files: readonly string[]
  readonly options: {
    readonly kernel?: string
    readonly buildDir?: string
    readonly name?: string
    readonly strip?: number
    readonly bind?: string
    readonly allow: readonly string[]
  }
  /** Columns; infinite where nothing is to be broken. */
  readonly width: number
  /** Every reason and every carried item. */
  readonly verbose: boolean
}

function verdictLine({ verdict, kernel, findings }: Judgement): string {
  const open = objectionsAmong(findings).length
  const on = kernel.release
  switch (verdict) {
    case 'possible':
      return `${green('✓')} ${bold(green(`It can be applied live to ${on}.`))}`
    case 'consent':
      return `${yellow('!')} ${bold(yellow(`It waits for your judgement: ${inNumbers(open, 'warning')}.`))}`
    case 'refused':
      return `${red('✗')} ${bold(red(`It can’t be applied live to ${on}.`))}`
    case 'none':
      return `${yellow('–')} ${bold(yellow(`It changes nothing that ${on} runs.`))}`
  }
}

/** The lines of the page. */
export function renderJudgement(judgement: Judgement, asked: Asked): string[] {
  const { name, title, kernel, findings } = judgement
  const { width } = asked
  const foretold = findings.filter(({ rule }) => forecastRules.includes(rule))
  const others = findings.filter((finding) => !foretold.includes(finding))
  return [
    ...wrapped(title ?? name, width, '', bold),
    dim(`${asked.files.join(', ')} on ${kernel.release} (${kernel.version})`),
    '',
    verdictLine(judgement),
    ...replacedLines(judgement, asked),
    ...carriedLines(judgement, asked),
    ...findingGroup('error', others, width),
    ...findingGroup('warning', others, width),
    ...forecastLines(judgement, foretold, width),
    ...findingGroup('note', others, width),
    '',
    ...nextLines(judgement, asked),
  ]
}

/** Functions of which the page shows all reasons. */
const mostFunctions = 30

function replacedLines({ functions, binding }: Judgement, { width, verbose }: Asked): string[] {
  if (functions.length === 0) return []
  const shown = verbose ? functions : functions.slice(0, mostFunctions)
  const objects = [...new Set(functions.map(({ object }) => object))]
  const column = Math.min(40, Math.max(...shown.map(({ name }) => name.length)))
  const lines = shown.flatMap(({ name, unit, reasons, object, beyond }) => {
    const of = objects.length > 1 ? ` of ${object}` : ''
    const why = verbose ? reasons : reasons.slice(0, 1)
    return [
      `  ${name.padEnd(column)}  ${dim(`${unit}${of}`)}`,
      ...why.flatMap((reason) => wrapped(reason, width, '    ')),
      ...(beyond === undefined ? [] : beyondLines(beyond, verbose)).flatMap((line) =>
        wrapped(line, width, '    ', dim),
      ),
    ]
  })
  const rest = functions.length - shown.length
  const of = objects.map((object) => (object === 'vmlinux' ? 'the kernel proper' : `module ${object}`))
  return [
    '',
    `${bold('Replaced')}  ${inNumbers(functions.length, 'function')} of ${of.join(', ')}`,
    ...lines,
    ...(rest > 0 ? [dim(`  and ${rest} more (--verbose shows all)`)] : []),
    ...matchLines(functions, width),
    ...boundLines(binding, width),
  ]
}

/** How what the kernel does not export would be reached. */
function boundLines(binding: Judgement['binding'], width: number): string[] {
  if (binding === undefined) return []
  const ways = [
    ...(binding.distance > 0 ? [`${inNumbers(binding.distance, 'private symbol')} reached by distance`] : []),
    ...(binding.name > 0 ? [`${inNumbers(binding.name, 'private symbol')} by name`] : []),
  ]
  return ways.length === 0 ? [] : wrapped(ways.join(', '), width, '    ')
}

/** Whether what would be replaced is what runs. */
function matchLines(functions: Judgement['functions'], width: number): string[] {
  const matched = functions.filter(({ match }) => match !== undefined)
  if (matched.length === 0) return []
  const fields = matched.reduce((sum, { match }) => sum + (match?.fields ?? 0), 0)
  const which =
    matched.length < functions.length
      ? `${matched.length} of ${functions.length} are`
      : matched.length === 1
        ? 'it is'
        : `all ${matched.length} are`
  const led =
    fields === 0 ? '' : `; ${inNumbers(fields, 'reference')} in ${matched.length === 1 ? 'it' : 'them'} followed`
  const [first = '', ...rest] = wrapped(
    `${which} what the kernel runs, instruction by instruction${led}`,
    width,
    '    ',
  )
  return [`  ${green('✓')} ${first.trimStart()}`, ...rest]
}

/** Carried items that are shown. */
const mostCarried = 8

function carriedLines({ carried }: Judgement, { width, verbose }: Asked): string[] {
  if (carried.length === 0) return []
  const shown = verbose ? carried : carried.slice(0, mostCarried)
  const rest = carried.length - shown.length
  return [
    '',
    `${bold('Carried')}  ${inNumbers(carried.length, 'item')} besides`,
    ...shown.flatMap(({ name, kind, unit, reason }) => wrapped(`${name} (${kind} of ${unit}): ${reason}`, width, '  ')),
    ...(rest > 0 ? [dim(`  and ${rest} more (--verbose shows all)`)] : []),
  ]
}

const looks = {
  error: { colour: red, mark: '✗', title: 'error' },
  warning: { colour: yellow, mark: '!', title: 'warning' },
  note: { colour: dim, mark: '·', title: 'note' },
} as const

function findingGroup(severity: Finding['severity'], findings: readonly Finding[], width: number): string[] {
  const group = findings.filter((finding) => finding.severity === severity)
  if (group.length === 0) return []
  return ['', bold(inNumbers(group.length, looks[severity].title)), ...findingBlocks(group, width)]
}

/** What one rule says of one file with one remedy stands together. */
function findingBlocks(findings: readonly Finding[], width: number): string[] {
  const blocks = grouped(findings, ({ severity, rule, unit, hint, allowed }) =>
    [severity, rule, unit, hint, allowed].join('\n'),
  )
  return [...blocks.values()].flatMap((block) => findingBlock(block as [Finding, ...Finding[]], width))
}

function findingBlock(block: readonly [Finding, ...Finding[]], width: number): string[] {
  const { severity, rule, hint, unit, allowed } = block[0]
  const { colour, mark } = looks[severity]
  const done = allowed === true ? green(' allowed') : ''
  const [first = '', ...more] = hint === undefined ? [] : wrapped(sentence(hint), width, '      ')
  return [
    `  ${colour(mark)} ${bold(rule)}${done}${unit === undefined ? '' : `  ${dim(unit)}`}`,
    ...block.flatMap(({ message }) => wrapped(sentence(message), width, '    ')),
    ...(hint === undefined ? [] : [`    ${cyan('→')} ${first.trimStart()}`, ...more]),
  ]
}

/** What is foretold of the transition: by the rules about it, where there is something to replace. */
function forecastLines({ functions, verdict }: Judgement, foretold: readonly Finding[], width: number): string[] {
  if (foretold.length > 0) return ['', bold('Transition'), ...findingBlocks(foretold, width)]
  if (functions.length === 0 || verdict === 'refused') return []
  return ['', `${bold('Transition')}  no task is known to sleep in what is replaced, so it should finish`]
}

function nextLines(judgement: Judgement, { files, options, width }: Asked): string[] {
  const command = (allow: readonly string[]) =>
    [
      'inarch build',
      ...(options.kernel === undefined ? [] : ['--kernel', quoted(options.kernel)]),
      ...(options.buildDir === undefined ? [] : ['--build-dir', quoted(options.buildDir)]),
      ...(options.strip === undefined ? [] : ['--strip', String(options.strip)]),
      ...(options.name === undefined ? [] : ['--name', quoted(options.name)]),
      ...(options.bind === undefined ? [] : ['--bind', options.bind]),
      ...(allow.length === 0 ? [] : ['--allow', allow.join(',')]),
      ...files.map(quoted),
    ].join(' ')
  const next = (text: string) => {
    const [first = '', ...rest] = wrapped(text, width, '      ')
    return [`${cyan('next:')} ${first.trimStart()}`, ...rest]
  }
  switch (judgement.verdict) {
    case 'possible':
      return [`${cyan('next:')} ${command(options.allow)}`]
    case 'consent': {
      const rules = [...new Set(objectionsAmong(judgement.findings).map(({ rule }) => rule))]
      return [
        ...next('When the warnings are harmless here, say so; it is recorded:'),
        `      ${command([...options.allow, ...rules])}`,
      ]
    }
    case 'refused':
      return next('Change the patch as the remedies say; docs/authoring.md shows how.')
    case 'none':
      return next('There is nothing to do.')
  }
}

/** A word as a shell takes it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
