// SPDX-License-Identifier: GPL-3.0-or-later
// All rules, in the order in which their findings are told.

import { longSleepers, neverFinishes } from './rules/concurrency/forecast.ts'
import { lockBalance } from './rules/concurrency/lock-balance.ts'
import { locklessReaders } from './rules/concurrency/lockless-readers.ts'
import { refcountBalance } from './rules/concurrency/refcount-balance.ts'
import { unsafeContext } from './rules/concurrency/unsafe-context.ts'
import { wakeUp } from './rules/concurrency/wake-up.ts'
import { definedElsewhere } from './rules/interfaces/defined-elsewhere.ts'
import { exportCrc } from './rules/interfaces/export-crc.ts'
import { ioctlNumber } from './rules/interfaces/ioctl-number.ts'
import { moduleInfoRule } from './rules/interfaces/module-info.ts'
import { signature } from './rules/interfaces/signature.ts'
import { staticKey } from './rules/interfaces/static-key.ts'
import { tracepointChanged } from './rules/interfaces/tracepoint-changed.ts'
import { typeLayout } from './rules/interfaces/type-layout.ts'
import { uapiChanged } from './rules/interfaces/uapi-changed.ts'
import { inlinedCopy } from './rules/reach/inlined-copy.ts'
import { runsOnlyAtStart } from './rules/reach/runs-only-at-start.ts'
import { unusedMacro } from './rules/reach/unused-macro.ts'
import { countTrusted } from './rules/state/count-trusted.ts'
import { countedOtherwise } from './rules/state/counted-otherwise.ts'
import { givenBackOtherwise } from './rules/state/given-back-otherwise.ts'
import { heldOtherwise } from './rules/state/held-otherwise.ts'
import { keptElsewhere } from './rules/state/kept-elsewhere.ts'
import { keptText } from './rules/state/kept-text.ts'
import { livePointer } from './rules/state/live-pointer.ts'
import { meantOtherwise } from './rules/state/meant-otherwise.ts'
import { namedOtherwise } from './rules/state/named-otherwise.ts'
import { placedOtherwise } from './rules/state/placed-otherwise.ts'
import { reachesOnlyNew } from './rules/state/reaches-only-new.ts'
import { setUpByOldCode } from './rules/state/set-up-by-old-code.ts'
import { shadowVariable } from './rules/state/shadow-variable.ts'
import { storedOtherwise } from './rules/state/stored-otherwise.ts'
import { variableFolded } from './rules/state/variable-folded.ts'
import { writtenAfterBoot } from './rules/state/written-after-boot.ts'
import type { Rule } from './subject/rule.ts'

export const rules: readonly Rule[] = [
  neverFinishes,
  longSleepers,
  lockBalance,
  refcountBalance,
  wakeUp,
  setUpByOldCode,
  givenBackOtherwise,
  heldOtherwise,
  storedOtherwise,
  placedOtherwise,
  keptElsewhere,
  namedOtherwise,
  countTrusted,
  countedOtherwise,
  meantOtherwise,
  locklessReaders,
  definedElsewhere,
  variableFolded,
  livePointer,
  keptText,
  unsafeContext,
  inlinedCopy,
  runsOnlyAtStart,
  writtenAfterBoot,
  reachesOnlyNew,
  staticKey,
  tracepointChanged,
  ioctlNumber,
  uapiChanged,
  typeLayout,
  signature,
  exportCrc,
  shadowVariable,
  moduleInfoRule,
  unusedMacro,
]
