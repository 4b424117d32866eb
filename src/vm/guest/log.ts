// SPDX-License-Identifier: GPL-3.0-or-later
// Reads the guest's kernel log: any sign of trouble after the scenario began fails the proof, unless
// the user said that it is expected. What the kernel complained about before, while it booted without
// the live patch, is kept as a remark.

export interface LogFinding {
  /**
   * `warning`, `bug`, `oops`, `panic`, `lockup`, `stall`, `hung-task`, `lockdep`, `livepatch`, `module`, `file-system`,
   * `trace`.
   */
  readonly rule: string
  /** The step during which it came; undefined while the kernel booted. */
  readonly step?: string
  /** 1-based line of the console. */
  readonly line: number
  readonly lines: readonly string[]
  /** True when the user's `--expect` matches it. */
  readonly expected: boolean
}

/** What some messages have in front of their own words: the part of the kernel that speaks, such as `watchdog: `. */
const speaker = String.raw`(?:(?:NMI )?[\w./-]+: )?`
/** What follows is where a message's own words begin. */
const says = (words: string) => new RegExp(`^${speaker}(?:${words})`)
/** A module's message begins with the module's name. */
const module = (words: string) => new RegExp(String.raw`^(?:[\w./-]+: )+(?:${words})`)

/**
 * The first rule that matches names the finding. A rule is held against the words of a message from their beginning:
 * further on stand names of files, patches and devices, command lines, and whatever a program had logged.
 */
const rules: readonly { readonly rule: string; readonly match: RegExp }[] = [
  { rule: 'panic', match: says('Kernel panic - not syncing|PANIC: ') },
  {
    rule: 'lockdep',
    match: says(
      'WARNING: (?:possible (?:circular|recursive|irq lock)|inconsistent lock state|bad unlock ' +
        'balance|suspicious RCU|.*lock held|held lock freed|Nested lock|HARDIRQ|SOFTIRQ)|INFO: ' +
        '(?:possible circular|lockdep is turned off)| *\\*\\*\\* DEADLOCK',
    ),
  },
  { rule: 'lockup', match: says('BUG: (?:soft|workqueue) lockup|(?:Watchdog detected )?hard LOCKUP') },
  { rule: 'stall', match: says('INFO: rcu_\\S+ .*stall|rcu_\\S+ kthread (?:starved|timer wakeup)') },
  { rule: 'hung-task', match: says('INFO: task .* blocked (?:for more than|in)') },
  {
    // The head that die() prints ends in the number of the oops; its words differ.
    rule: 'oops',
    match: /^(?:Oops: |[A-Za-z0-9 ,-]+: [0-9a-f]{4} \[#\d+\])/,
  },
  {
    rule: 'bug',
    match: says(
      'kernel BUG at |BUG: |\\[ BUG: |BUG \\S+ \\((?:Tainted|Not tainted)|UBSAN: |list_(?:add|del) ' +
        'corruption|Kernel stack is corrupted|stack-protector: Kernel|kernel tried to execute',
    ),
  },
  { rule: 'warning', match: says('WARNING: ') },
  {
    // Names stand in quotes, which are taken out before.
    rule: 'livepatch',
    match:
      /^(?:livepatch|inarch): (?:Livepatch patch \(\S+\) is |.*(?:fail|not found|not marked|ambigu|incorrect|invalid|refus|unsupported|not supported|doesn't have|never complete|forcing))/,
  },
  {
    rule: 'module',
    match: module(
      'Unknown symbol |disagrees about version |no symbol version for|version magic |Unknown (?:rela ' +
        ')?relocation|(?:Skipping invalid|Invalid) relocation target|overflow in relocation|Symbol \\S+ ' +
        'has an invalid section|section \\S+ \\(index \\d+\\) has invalid|module uses symbol|exports ' +
        'duplicate symbol|memory allocation\\(s\\) from the module still alive|module is (?:already ' +
        'loaded|marked as livepatch)|Could not allocate \\d+ bytes percpu|Unloadable module',
    ),
  },
  {
    rule: 'module',
    match: says('Invalid ELF |ELF Spec violation|overflow in relocation'),
  },
  {
    rule: 'file-system',
    match:
      /^(?:EXT[234]|F2FS)-fs (?:error|.*panic)|^XFS \([^)]*\): .*(?:Corruption|Internal error|metadata I\/O error)|^BTRFS (?:error|critical)|^Buffer I\/O error|^(?:\w+: )?I\/O error, dev |^JBD2: .*(?:error|abort)/i,
  },
  { rule: 'trace', match: /^Call Trace:/ },
]

const cut = /^-{4,}\[ cut here \]-{4,}/
const endOfTrace = /---\[ end (trace|Kernel panic)/
/** A line that can follow a splat's first line as part of it. */
const follows =
  /Call Trace:|<\/?(TASK|IRQ|NMI|SOFTIRQ|EXCEPTION)>|^\s|^(RIP|RSP|RAX|RBX|RCX|RDX|RSI|RDI|RBP|R\d\d|CR\d|DR\d|CS|DS|FS|GS|PKRU|Code|Modules linked in|CPU|Hardware name|Workqueue|EIP|Oops|Tainted|PGD|#PF|INFO|note|Kernel Offset|Rebooting)\b|\?/

/** The time with which the kernel's own lines begin; what a program left on the console may stand before it. */
const time = /\[\s*\d+\.\d+\](?:\[\s*[TC]\d+\])? ?/
const mark = /^inarch: step (\S+)/

/**
 * The words of a line that the kernel wrote, with the names taken out that it puts in quotes; undefined when it did
 * not.
 */
function wordsOf(line: string, timed: boolean): string | undefined {
  const match = time.exec(line)
  if (match === null && timed) return undefined
  const text = match === null ? line : line.slice(match.index + match[0].length)
  return text.replace(/'[\w.,:-]*'/g, "''")
}

/** The longest block of lines that is shown for one finding. */
const longest = 60

/** The lines of a console, without carriage returns and terminal codes. */
export function consoleLines(text: string): string[] {
  const lines = text
    .replace(/\x1b\[[0-9;?]*[A-Za-z]|\x1bc/g, '')
    .split(/\r*\n/)
    .map((line) => line.replace(/\r/g, '').replace(/[^\t\x20-\x7e\u00a0-\uffff]/g, '�'))
  if (lines.at(-1) === '') lines.pop()
  return lines
}

/** A line of the console with which a part begins. */
const partMark = /inarch: part (\d+)\s*$/

/** The console's lines from the guest's start to its first part, and those of `part`; undefined: of none. */
export function consoleOf(console: readonly string[], part: number | undefined): string[] {
  let current: number | undefined
  return console.filter((line) => {
    const [, number] = partMark.exec(line) ?? []
    if (number !== undefined) current = Number(number)
    return current === undefined || current === part
  })
}

/**
 * Everything in a console's `lines` that speaks of trouble, one finding for each splat.
 * @param expected lines that match one of these are no failure
 */
export function readLog(lines: readonly string[], expected: readonly RegExp[] = []): LogFinding[] {
  const findings: LogFinding[] = []
  // Without the times, which the guest's command line may turn off, every line may be the kernel's.
  const timed = lines.some((line) => time.test(line))
  const textOf = (line: string | undefined) => wordsOf(line ?? '', timed) ?? ''
  let step: string | undefined
  let index = 0
  while (index < lines.length) {
    const start = index
    const line = lines[index] ?? ''
    index++
    const text = textOf(line)
    const marked = mark.exec(text)
    if (marked) {
      step = marked[1]
      continue
    }
    if (text.startsWith('inarch: the scenario begins')) step ??= 'begin'
    const opened = cut.test(text)
    const first = opened ? textOf(lines[index]) : text
    const rule = rules.find(({ match }) => match.test(first))?.rule
    if (rule === undefined) continue
    const block = [line]
    if (opened) {
      block.push(lines[index] ?? '')
      index++
    }
    while (index < lines.length) {
      const next = lines[index] ?? ''
      const nextText = textOf(next)
      const ends = endOfTrace.test(nextText)
      if (mark.test(nextText) || cut.test(nextText)) break
      if (!ends && !opened && !follows.test(nextText)) break
      if (block.length < longest) block.push(next)
      index++
      if (ends) break
    }
    findings.push({
      rule,
      ...(step === undefined ? {} : { step }),
      line: start + 1,
      lines: block,
      expected: expected.some((pattern) => block.some((shown) => pattern.test(shown))),
    })
  }
  return findings
}

/** What the guest has the kernel log when it has nothing more to do. */
const lastMark = /^inarch: the end$/

/**
 * The marks that the guest had the kernel log, as they came: the steps that it began, and whether the last word is
 * there.
 */
export function logMarks(lines: readonly string[]): {
  readonly steps: readonly string[]
  readonly end: boolean
} {
  const words = lines.map((line) => wordsOf(line, false) ?? '')
  return {
    steps: words.flatMap((text) => mark.exec(text)?.[1] ?? []),
    end: words.some((text) => lastMark.test(text)),
  }
}

/** The kernel's taint flags (Documentation/admin-guide/tainted-kernels.rst), by bit. */
const taints = [
  'proprietary module',
  'module force-loaded',
  'CPU out of specification',
  'module force-unloaded',
  'machine check',
  'bad page',
  'user request',
  'oops',
  'ACPI table overridden',
  'warning',
  'staging driver',
  'firmware workaround',
  'out-of-tree module',
  'unsigned module',
  'soft lockup',
  'live patch',
  'auxiliary',
  'randomised structures',
  'in-kernel test',
]

/** What a live patch module is known to set: out-of-tree, unsigned, live patch. */
const usualTaint = (1 << 12) | (1 << 13) | (1 << 15)

const hasBit = (bits: number, bit: number) => Math.floor(bits / 2 ** bit) % 2 === 1

/** The names of those of the flags `wanted` (all by default) that are set. */
export function taintNames(
  taint: number,
  wanted: readonly number[] = Array.from({ length: 32 }, (_, bit) => bit),
): string[] {
  return wanted.filter((bit) => hasBit(taint, bit)).map((bit) => taints[bit] ?? `bit ${bit}`)
}

/** The names of the taint flags that were set on the way and that no live patch should set. */
export function unexpectedTaint(before: number, after: number): string[] {
  const known = taintNames(before)
  return taintNames(after).filter((name) => !known.includes(name) && !taintNames(usualTaint).includes(name))
}
