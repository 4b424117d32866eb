// SPDX-License-Identifier: GPL-3.0-or-later
// Functions that run where the consistency of a live patch ends: below an NMI or a machine check, in what redirects
// functions, and in what decides whether a task can switch. Found in the running kernel's own code by following its
// direct calls from a few roots, so that no list of functions grows old; what an NMI reaches only when
// something is badly wrong (a message, a warning, a wake-up that is put off) is not followed.
// Facts: kernel/livepatch/{patch,transition}.c, arch/x86/kernel/nmi.c, kernel/entry/common.c, kernel/sched/idle.c.
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { CallGraph } from '../../calls/call-graph.ts'
import { openCallGraph } from '../../calls/kept-calls.ts'
import type { Job } from '../../ground/job.ts'
import { keepFile } from '../../ground/kept-file.ts'
import { stampOfAll } from '../../ground/stamp.ts'
import type { Kernel } from '../../kernel/kernel.ts'

/** Raised whenever what is kept, or how it is found out, changes. */
const format = 'inarch-contexts-3'

const kinds = ['nmi', 'redirection', 'stack-walk', 'switching-point', 'start'] as const

export interface Context {
  readonly name: (typeof kinds)[number]
  /** From the root to the function. */
  readonly path: readonly string[]
}

/** Where the way of an NMI ends: what only comes into play outside of one, or when the kernel is dying. */
const notFollowed =
  /preempt_schedule|^__SCT__(?!x86_pmu|intel_pmu|perf)|unlock_special|__traceiter|printk|printf|ratelimit|_raw_|__?warn|panic|oops|^die|dump|show_|raise_softirq|call_rcu|get_user_pages|folio_put|put_page|put_devmap|page_cache_release|^free_|wake_up|schedule|cond_resched|__dynamic|x86_indirect|x86_return|__fentry__|^_*mem(?:cpy|set|move|cmp)|__sw_|_find_|copy_user|__get_user|kfree|tick_nohz|console|__stack_chk|list_.*_valid|\.cold$|rcu_irq|bust_|print_debug|swake|mutex_|down_|up_|crash_|emergency|__const_udelay|refcount_warn|paravirt_|llist_add|^__rcu_read_|smp_call|on_each_cpu|synchronize_|_rq_lock|queue_work|flush_work|wait_|task_work|stop_this_cpu|^str|^(?:__pfx_|perf_trace_|trace_event_raw_|trace_raw_|bpf_trace_run|__bpf_trace)|^rcu_|cpus_allowed|set_cpu_online|migrate_|kick_process|^xa_|^__free|iounmap|ioremap|bcd2bin|guid_equal|print_bool|bitmap|_addr_valid$|_unit$/

/** Roots whose names are fixed, by context; `depth` says how many calls are followed. */
const roots: readonly {
  readonly context: Context['name']
  readonly names: readonly string[]
  readonly depth: number
}[] = [
  {
    context: 'redirection',
    names: ['klp_ftrace_handler', 'arch_ftrace_ops_list_func', 'ftrace_ops_list_func', 'ftrace_ops_assist_func'],
    depth: 8,
  },
  {
    context: 'redirection',
    names: ['ftrace_modify_all_code', 'ftrace_replace_code', 'text_poke_bp_batch', 'smp_text_poke_batch_finish'],
    depth: 1,
  },
  { context: 'stack-walk', names: ['stack_trace_save_tsk_reliable', 'arch_stack_walk_reliable'], depth: 8 },
  {
    context: 'nmi',
    names: ['exc_nmi', 'default_do_nmi', 'do_machine_check', 'exc_double_fault', 'nmi_cpu_backtrace_handler'],
    depth: 5,
  },
]

const nmiCallback =
  /^(?!(?:un)?(?:__)?register_|set_|__SCT__|__pfx_|__traceiter_|perf_trace_|trace_|__bpf_trace_|__probestub_)\w*(?:_nmi_(?:handler|\w*callback)|_notify_nmi|_pmu_handle_irq)$/

/** True of a function that is called through a pointer in an NMI. */
function isNmiCallback(name: string): boolean {
  return nmiCallback.test(name) && !name.includes('register_')
}

/** @returns by name, the first context in which each function runs */
export function contextsOf(graph: CallGraph): Map<string, Context> {
  const found = new Map<string, Context>()
  // A task is switched, whatever is on its stack, where it calls this on its way out of the kernel or in the idle loop.
  for (const of of graph.named('klp_update_patch_state'))
    for (const caller of graph.callers(of)) {
      const name = graph.name(caller)
      if (!/^(?:klp|__pfx)_/.test(name)) found.set(name, { name: 'switching-point', path: [name, graph.name(of)] })
    }
  for (const { context, names, depth } of roots) {
    const all = names.flatMap((name) => [...graph.named(name)])
    for (let of = 0; context === 'nmi' && of < graph.count; of++) if (isNmiCallback(graph.name(of))) all.push(of)
    let level = all.map((of) => ({ of, way: [graph.name(of)] }))
    for (let step = 0; step <= depth; step++)
      level = level.flatMap(({ of, way }) => {
        const name = way.at(-1)!
        if (found.has(name)) return []
        found.set(name, { name: context, path: way })
        return [...graph.callees(of)].flatMap((callee) => {
          const called = graph.name(callee)
          return found.has(called) || notFollowed.test(called) ? [] : [{ of: callee, way: [...way, called] }]
        })
      })
  }
  for (const of of onlyAtStart(graph)) {
    const name = graph.name(of)
    const [caller] = graph.callers(of)
    if (!found.has(name) && graph.named(name).length === 1 && caller !== undefined)
      found.set(name, { name: 'start', path: [graph.name(caller), name] })
  }
  return found
}

/**
 * Functions outside of .init.text that only .init.text calls, directly or through other functions found here. A
 * function whose address is taken or stands in data, as an export's does, can be called by anybody.
 */
function onlyAtStart(graph: CallGraph): Set<number> {
  const [from] = graph.named('_sinittext').map((of) => graph.starts[of]!)
  const [to] = graph.named('_einittext').map((of) => graph.starts[of]!)
  const found = new Set<number>()
  if (from === undefined || to === undefined) return found
  const isInit = (of: number) => graph.starts[of]! >= from && graph.starts[of]! < to
  for (let of = 0; of < graph.count; of++)
    if (!isInit(of) && graph.takers(of).length === 0 && graph.held(of).length === 0)
      if (graph.callers(of).length > 0 && !/^__(?:SCT__|pfx_)|\.cold$/.test(graph.name(of))) found.add(of)
  for (let before = -1; before !== found.size; ) {
    before = found.size
    for (const of of found)
      if (!graph.callers(of).every((caller) => isInit(caller) || (caller !== of && found.has(caller)))) found.delete(of)
  }
  return found
}

/** A line for each function: its name, its context, the path to it. The first line says what it was found out from. */
function render(contexts: ReadonlyMap<string, Context>, head: string): string {
  const rows = [...contexts].map(([name, context]) => [name, context.name, context.path.join(' ')].join('\t'))
  return `${[head, ...rows].join('\n')}\n`
}

/** @returns undefined when it is of another kernel or format, or damaged */
function parse(text: string, head: string): Map<string, Context> | undefined {
  if (!text.startsWith(`${head}\n`) || !text.endsWith('\n')) return undefined
  const found = new Map<string, Context>()
  for (const row of text.slice(head.length + 1, -1).split('\n')) {
    const [name, context, way] = row.split('\t')
    const kind = kinds.find((one) => one === context)
    if (name === undefined || way === undefined || kind === undefined) return undefined
    found.set(name, { name: kind, path: way.split(' ') })
  }
  return found
}

/** `contextsOf` the kernel, found out once and kept in its directory: it takes some tenths of a second. */
export async function openContexts(job: Job, kernel: Kernel): Promise<ReadonlyMap<string, Context>> {
  const file = path.join(kernel.dir, 'contexts')
  const head = `${format}\t${stampOfAll(kernel.vmlinux)}`
  const kept = await readFile(file, 'latin1').then(
    (text) => parse(text, head),
    () => undefined,
  )
  if (kept !== undefined) return kept
  const contexts = contextsOf(await openCallGraph(job, kernel))
  await keepFile(file, Buffer.from(render(contexts, head), 'latin1'))
  return contexts
}
