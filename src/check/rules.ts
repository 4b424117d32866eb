// SPDX-License-Identifier: GPL-3.0-or-later
// All rules, in the order in which their findings are told.
import type { Rule } from './rule.ts'
import { countTrusted } from './rules/count-trusted.ts'
import { countedOtherwise } from './rules/counted-otherwise.ts'
import { definedElsewhere } from './rules/defined-elsewhere.ts'
import { exportCrc } from './rules/export-crc.ts'
import { longSleepers, neverFinishes } from './rules/forecast.ts'
import { givenBackOtherwise } from './rules/given-back-otherwise.ts'
import { heldOtherwise } from './rules/held-otherwise.ts'
import { inlinedCopy } from './rules/inlined-copy.ts'
import { ioctlNumber } from './rules/ioctl-number.ts'
import { keptElsewhere } from './rules/kept-elsewhere.ts'
import { keptText } from './rules/kept-text.ts'
import { livePointer } from './rules/live-pointer.ts'
import { lockBalance } from './rules/lock-balance.ts'
import { locklessReaders } from './rules/lockless-readers.ts'
import { meantOtherwise } from './rules/meant-otherwise.ts'
import { moduleInfoRule } from './rules/module-info.ts'
import { namedOtherwise } from './rules/named-otherwise.ts'
import { placedOtherwise } from './rules/placed-otherwise.ts'
import { reachesOnlyNew } from './rules/reaches-only-new.ts'
import { refcountBalance } from './rules/refcount-balance.ts'
import { runsOnlyAtStart } from './rules/runs-only-at-start.ts'
import { setUpByOldCode } from './rules/set-up-by-old-code.ts'
import { shadowVariable } from './rules/shadow-variable.ts'
import { signature } from './rules/signature.ts'
import { staticKey } from './rules/static-key.ts'
import { storedOtherwise } from './rules/stored-otherwise.ts'
import { tracepointChanged } from './rules/tracepoint-changed.ts'
import { typeLayout } from './rules/type-layout.ts'
import { uapiChanged } from './rules/uapi-changed.ts'
import { unsafeContext } from './rules/unsafe-context.ts'
import { unusedMacro } from './rules/unused-macro.ts'
import { variableFolded } from './rules/variable-folded.ts'
import { wakeUp } from './rules/wake-up.ts'
import { writtenAfterBoot } from './rules/written-after-boot.ts'

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
