// SPDX-License-Identifier: GPL-3.0-or-later
// Where a kernel's source may lie. The kernel's own build system is made of make and shell, which take a path apart at
// white space, colons, quotes and more; it says so of white space and colons (the kernel's Makefile), and breaks at the
// rest. So it is said before anything is downloaded.
import { cacheRoot } from '../ground/cache.ts'
import { Fault } from '../ground/fault.ts'

const allowed = /^[\p{L}\p{M}\p{N}/._+@~-]*$/u

/** @throws Fault `environment/cache-place` when no kernel can be built in the cache */
export function checkCachePath(): void {
  const place = cacheRoot()
  if (allowed.test(place)) return
  throw new Fault(
    'environment',
    'cache-place',
    `The kernel’s build system can't work in the cache ${JSON.stringify(place)}: its path may have only ` +
      'letters, digits and /._+@~-',
    { remedy: 'Set XDG_CACHE_HOME to a directory with such a path' },
  )
}

/** @throws Fault `usage/build-dir-place` when the kernel's build system can't work in `dir`, an absolute path */
export function checkBuildPath(dir: string): void {
  if (allowed.test(dir)) return
  throw new Fault(
    'usage',
    'build-dir-place',
    `The kernel’s build system can't work in ${JSON.stringify(dir)}: its path may have only letters, ` +
      'digits and /._+@~-',
    { remedy: 'Move the tree, or name it by a link with such a path' },
  )
}
