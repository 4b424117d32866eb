// SPDX-License-Identifier: GPL-3.0-or-later
// Live patches made of source on the second series.
import { describeMade } from '../e2e/source/made.ts'

describeMade('6.12', ['shadow', 'include'])
