// SPDX-License-Identifier: GPL-3.0-or-later
// Real changes to real units, one of each kind, proven on a stock kernel of the series 6.1.
import { sample } from '../changes/changes.ts'
import { describeSeries } from '../changes/series.ts'

describeSeries('6.1', sample)
