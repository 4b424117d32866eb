// SPDX-License-Identifier: GPL-3.0-or-later
// Files that are built into several objects, on the suite that `npm test` leaves out.
import { describeSeveralObjects } from '../e2e/several-objects.ts'

describeSeveralObjects('trixie')
