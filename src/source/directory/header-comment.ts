// SPDX-License-Identifier: GPL-3.0-or-later
// The comments at the head of a live patch's C files, for whoever finds them years later.
import type { Plan, PlannedFunction } from './plan.ts'

const width = 80

/** Text from outside, such that it can stand in a comment of one line. */
function harmless(text: string): string {
  return text
    .replace(/[^\x20-\x7e]/g, '?')
    .replaceAll('*/', '*?')
    .replaceAll('/*', '?*')
}

/** Words in lines of at most `width` characters. */
function wrap(text: string, first: string, next: string): string[] {
  const lines: string[] = []
  let line = first
  for (const word of harmless(text).split(/ +/)) {
    if (line.length + 1 + word.length > width && line.trim() !== first.trim() && line.trim() !== next.trim()) {
      lines.push(line)
      line = next
    }
    line += line === '' || line.endsWith(' ') ? word : ` ${word}`
  }
  return [...lines, line]
}

function said(lines: readonly string[]): string {
  return `/*\n${lines.map((line) => ` *${line === '' ? '' : ` ${line}`}`.trimEnd()).join('\n')}\n */\n`
}

function becauseOf({ oldName, reasons }: PlannedFunction, where: string): string[] {
  const [reason = '', ...others] = reasons
  return [
    ...wrap(`${oldName}()${where}: ${reason}`, '  ', '    '),
    ...others.flatMap((other) => wrap(`and ${other}`, '    ', '    ')),
  ]
}

const build = (name: string) => [`To build it, also after a change:  inarch build livepatch-${name}`]

/** The comment of the wrapper. */
export function wrapperComment(plan: Plan): string {
  const functions = plan.objects.flatMap((object) =>
    object.functions.flatMap((one) => {
      const part = object.name === 'vmlinux' ? '' : `, module ${object.name}`
      return becauseOf(one, ` of ${one.unit}${part}`)
    }),
  )
  const callbacks = plan.objects.flatMap(({ name, callbacks: list }) =>
    list.map((callback) => `  ${callback.name}(): ${callback.kind} of ${name}`),
  )
  return said([
    `Live patch ${plan.name} for Linux ${plan.kernel.release} (${plan.kernel.version})`,
    '',
    ...wrap(plan.title ?? plan.description, '', ''),
    '',
    'Made by Inarch of:',
    ...plan.patches.flatMap(({ file, sha256 }) => [`  ${harmless(file)}`, `    sha256 ${sha256}`]),
    '',
    ...(functions.length === 0 ? ['It replaces no function.'] : ['It replaces:', ...functions]),
    ...(callbacks.length === 0 ? [] : ['', 'The kernel calls:', ...callbacks]),
    ...(plan.replace ? ['', 'Loading it replaces every earlier live patch.'] : []),
    ...(plan.model === 'kernel' ? [] : ['', `inarch_core.ko carries it, by its model ${plan.model}.`]),
    '',
    ...build(plan.name),
  ])
}

/** The comment of the file that stands for a unit. */
export function unitComment(plan: Plan, source: string): string {
  const functions = plan.objects.flatMap((object) => object.functions.filter(({ unit }) => unit === source))
  return said([
    ...wrap(
      `Live patch ${plan.name}: what it replaces of ${source} in Linux ${plan.kernel.release} ` +
        `(${plan.kernel.version}). That file names its authors.`,
      '',
      '',
    ),
    '',
    ...functions.flatMap((one) => becauseOf(one, '')),
    ...(functions.length === 0 ? ['It replaces no function.'] : []),
    '',
    "What is only declared here is the running kernel's own.",
    '',
    ...build(plan.name),
  ])
}

/** A comment of a makefile. */
export function makefileComment(lines: readonly string[]): string {
  return `${lines.map((line) => `#${line === '' ? '' : ` ${harmless(line)}`}`).join('\n')}\n`
}
