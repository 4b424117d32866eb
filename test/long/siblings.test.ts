// SPDX-License-Identifier: GPL-3.0-or-later
// What a change does to objects that live, on the suite that `npm test` leaves out.
import { describeSiblings } from '../e2e/siblings.ts'

describeSiblings('trixie')
