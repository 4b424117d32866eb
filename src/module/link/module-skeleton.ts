// SPDX-License-Identifier: GPL-3.0-or-later
// The part of a live patch module that every patch has, with this patch's name and information in it.
import { redraft } from '../../elf/redraft.ts'
import type { ObjectDraft } from '../../elf/write.ts'
import { Fault } from '../../ground/fault.ts'
import { coreExports, coreModule, needsCore } from '../../kernel/model.ts'
import type { Binding } from '../bind/bind.ts'
import { isLayout, type ModuleTemplate } from '../structures/template.ts'

export interface ModuleOptions {
  /** The module's name as the kernel knows it. */
  readonly module: string
  readonly description: string
  /** The kernel objects that it patches. */
  readonly objects: readonly string[]
  /** Further `key=value` lines for `.modinfo`. */
  readonly info: readonly string[]
}

/** Whether the core carries the live patch: then the core does what the kernel does for others. */
export function isCarriedByCore({ object }: ModuleTemplate, bindings: Iterable<Binding>): boolean {
  if (needsCore(object)) return true
  return [...bindings].some((binding) => binding.kind === 'exported' && coreExports.includes(binding.name))
}

/** The part that every patch has, with the module's name and information in it. */
export function moduleSkeleton(
  template: ModuleTemplate,
  options: ModuleOptions,
  named: Map<string, Binding>,
): ObjectDraft {
  const { layout } = template
  const draft = redraft(template.object, (section) => !isLayout(section.name) && section.name !== '.comment')
  const namespaces = new Set<string>()
  for (const binding of named.values())
    if (binding.kind === 'exported' && binding.namespace !== '') namespaces.add(binding.namespace)
  const info = [
    `description=${options.description}`,
    `name=${options.module}`,
    `depends=${isCarriedByCore(template, named.values()) ? coreModule : ''}`,
    ...[...namespaces].sort().map((namespace) => `import_ns=${namespace}`),
    ...options.info,
  ]
  if (options.module.length >= layout.module.nameSize)
    throw new Fault('usage', 'name-too-long', `The module's name ${options.module} is too long`, {
      remedy: `Choose a name of at most ${layout.module.nameSize - 1} characters with --name`,
    })
  for (const section of draft.sections) {
    if (typeof section.data === 'number') continue
    if (section.name === '.modinfo') section.data = Buffer.concat([section.data, strings(info)])
    if (section.name === '.gnu.linkonce.this_module') {
      section.data = Buffer.from(section.data)
      section.data.write(options.module, layout.module.name, 'latin1')
    }
  }
  return draft
}

function strings(lines: readonly string[]): Buffer {
  return Buffer.from(lines.map((line) => `${line.replace(/[\0\n]/g, ' ')}\0`).join(''), 'utf8')
}
