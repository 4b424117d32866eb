// SPDX-License-Identifier: GPL-3.0-or-later
// All changes of docs/changes.md, proven on a stock kernel of the series 6.12.
import { changes } from '../changes/changes.ts'
import { describeSeries } from '../changes/series.ts'

describeSeries('6.12', changes)
