// SPDX-License-Identifier: GPL-3.0-or-later
// All changes of docs/changes.md, proven on the stock kernel of Debian 13.
import { changes } from '../changes/changes.ts'
import { describeChanges } from '../changes/suite.ts'

describeChanges('trixie', changes)
