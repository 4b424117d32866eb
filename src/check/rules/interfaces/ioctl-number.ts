// SPDX-License-Identifier: GPL-3.0-or-later
// Requests to a device have numbers that programs are compiled with.

import { macroValues } from '../../../c/written/macro-values.ts'
import type { FileChange } from '../../../patch/patch.ts'
import { kernelFiles } from '../../subject/kernel-files.ts'
import { type Found, warning } from '../../subject/rule.ts'

const request = /\b_(?:IO|IOR|IOW|IOWR|IOC)\b/

export function ioctlFindings(changes: readonly FileChange[]): Found[] {
  return kernelFiles(changes).flatMap(({ path, before, after }) => {
    const [old, young] = [macroValues(before ?? ''), macroValues(after ?? '')]
    return [...old]
      .filter(([name, value]) => request.test(value) && young.get(name) !== value)
      .map(([name]): Found => {
        const what = young.has(name) ? 'gets another number' : 'goes'
        return {
          symbol: name,
          unit: path,
          message: `The ioctl ${name} ${what}; running programs and open files go on with the old number`,
        }
      })
  })
}

export const ioctlNumber = warning(
  'ioctl-number',
  'An ioctl whose number changes, or that goes',
  'Programs are compiled with the number; with the live patch they get ENOTTY, or another request ' +
    'than they mean, and after its revert it is the other way round',
  'Accept the old number as well',
  ['Documentation/driver-api/ioctl.rst: Command number definitions'],
  (subject) => ioctlFindings(subject.changes),
)
