// SPDX-License-Identifier: GPL-3.0-or-later
// Some of the changes that are proven on 6.1, on a stock kernel of the series 6.12; test/long proves all of them.
import { sample } from '../changes/changes.ts'
import { describeSeries } from '../changes/series.ts'

describeSeries(
  '6.12',
  sample.filter((_, nth) => nth % 3 === 0),
)
