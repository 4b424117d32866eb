// SPDX-License-Identifier: GPL-3.0-or-later
// Writes the Kbuild file of a live patch's source. kbuild compiles the files with it, for a look at them or for an
// editor; the relocations that bind them to the running kernel are Inarch's work.
import path from 'node:path'
import { makefileComment } from './header-comment.ts'
import { headersDirectory, wrapperFile } from './layout.ts'
import type { Plan } from './plan.ts'

function objectOf(file: string): string {
  return file.replace(/\.c$/, '.o')
}

/** @param headers whether the directory has headers of its own */
export function renderKbuild({ name, kernel, units, model }: Plan, headers: boolean): string {
  const module = `livepatch-${name}`
  const objects = [wrapperFile, ...units.map(({ file }) => file)].map(objectOf)
  return [
    '# SPDX-License-Identifier: GPL-2.0-only',
    makefileComment([
      `Live patch ${name} for Linux ${kernel.release}`,
      '',
      `inarch build ${module}  makes the module. It compiles each file as kbuild compiles the unit that it`,
      'stands for, and binds what is only declared to the running kernel.',
      '',
      'kbuild compiles the files, too; it can not bind them:',
      `make -C KERNEL M=$PWD INARCH_HEADERS=DIRECTORY ${objects.join(' ')}`,
      `where DIRECTORY has ${model === 'kernel' ? '' : 'inarch-core.h and '}inarch-source.h.`,
    ]),
    `obj-m := ${module}.o`,
    `${module}-y := ${objects.join(' ')}`,
    '',
    'ccflags-y := $(if $(INARCH_HEADERS),-idirafter $(INARCH_HEADERS))',
    ...(headers ? [`ccflags-y += -I$(src)/${headersDirectory}/include`] : []),
    ...units.map(({ file, source }) => {
      const beside = path.posix.dirname(source)
      const changed = headers ? `-iquote $(src)/${headersDirectory}/${beside} ` : ''
      return `CFLAGS_${objectOf(file)} := ${changed}-iquote $(srctree)/${beside}`
    }),
    '',
  ].join('\n')
}
