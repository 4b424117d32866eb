// SPDX-License-Identifier: GPL-3.0-or-later
// The audit of live patches, of each engine on the other kernel.
import { describeAudited, describeCases } from '../e2e/audited.ts'

describeCases('trixie')
describeAudited('trixie', 'binary')
describeAudited('bookworm', 'source')
