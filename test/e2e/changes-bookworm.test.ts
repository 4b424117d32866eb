// SPDX-License-Identifier: GPL-3.0-or-later
// Real changes to real units, one of each kind, proven on the stock kernel of Debian 12.
import { sample } from '../changes/changes.ts'
import { describeChanges } from '../changes/suite.ts'

describeChanges('bookworm', sample)
