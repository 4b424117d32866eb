// SPDX-License-Identifier: GPL-3.0-or-later
// The files of a live patch's source directory, from the plan and the extracted texts.
import type { FileChange } from '../../patch/patch.ts'
import { unitComment } from '../../source/directory/header-comment.ts'
import { renderKbuild } from '../../source/directory/kbuild-text.ts'
import {
  descriptionFile,
  headersDirectory,
  renderDescription,
  type SourceFile,
  wrapperFile,
} from '../../source/directory/layout.ts'
import type { Plan } from '../../source/directory/plan.ts'
import { renderWrapper } from '../../source/directory/wrapper-text.ts'

/** What stands for a unit, and the line that names the unit's licence. */
export interface UnitText {
  readonly licence: string
  readonly text: string
}

/**
 * The files of the directory.
 * @param texts of the units, in their order
 * @param others what else the fix changes
 */
export function filesOf(plan: Plan, texts: readonly UnitText[], others: readonly FileChange[]): SourceFile[] {
  const headers = others.filter(({ path: file }) => /\.[ch]$/.test(file))
  const { name, kernel, patches, units } = plan
  return [
    {
      path: descriptionFile,
      text: renderDescription({
        name,
        kernel,
        patches: [...patches],
        units: [...units],
        headers: headers.map(({ path: file }) => file),
      }),
    },
    { path: 'Kbuild', text: renderKbuild(plan, headers.length > 0) },
    { path: wrapperFile, text: renderWrapper(plan) },
    ...units.map(({ file, source }, index) => {
      const { licence, text } = texts[index]!
      return { path: file, text: `${licence}${unitComment(plan, source)}${text}` }
    }),
    ...headers.map(({ path: file, after = '' }) => ({ path: `${headersDirectory}/${file}`, text: after })),
  ]
}

/** The line in which a C file names its licence; the kernel's own one when it has none. */
export function licenceOf(text: string): string {
  const [, licence = 'GPL-2.0-only'] = /SPDX-License-Identifier: ([\w.+() -]*\w\)?)/.exec(text.slice(0, 500)) ?? []
  return `// SPDX-License-Identifier: ${licence}\n`
}
