// SPDX-License-Identifier: GPL-3.0-or-later
// The examples of the guide for patch authors on the second series.
import { describeAuthoring } from '../e2e/authoring.ts'

describeAuthoring('trixie')
