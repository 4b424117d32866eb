// SPDX-License-Identifier: GPL-3.0-or-later
// Static variables in real units; test/long has the other suite's.
import { describeStatics } from './statics.ts'

describeStatics('trixie')
