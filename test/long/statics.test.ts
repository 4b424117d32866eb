// SPDX-License-Identifier: GPL-3.0-or-later
// Static variables in real units, on the suite that `npm test` leaves out.
import { describeStatics } from '../e2e/statics.ts'

describeStatics('bookworm')
