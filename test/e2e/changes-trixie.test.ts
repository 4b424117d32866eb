// SPDX-License-Identifier: GPL-3.0-or-later
// Some of the changes that are proven on Debian 12, on the stock kernel of Debian 13; test/long proves all of them.
import { sample } from '../changes/changes.ts'
import { describeChanges } from '../changes/suite.ts'

describeChanges(
  'trixie',
  sample.filter((_, nth) => nth % 3 === 0),
)
