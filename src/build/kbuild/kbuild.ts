// SPDX-License-Identifier: GPL-3.0-or-later
// Asks kbuild how it compiles every unit of a kernel. make runs dry (-n), with its rule for C files
// replaced by one that prints what the rule would use, so that the answer comes from the kernel's own
// makefiles and nothing is built or written. This takes seconds, hence units.ts keeps the answer.
import { writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { command } from '../../ground/command.ts'
import { Fault } from '../../ground/fault.ts'
import type { Job } from '../../ground/job.ts'
import { withScratch } from '../../ground/scratch.ts'
import type { Kernel } from '../../kernel/kernel.ts'

/** What kbuild says about one assembly file, or a linker script that goes through the preprocessor. */
export interface AssemblyAnswer {
  readonly object: string
  readonly source: string
  /** a_flags or cpp_flags, as shell text. */
  readonly flags: string
}

/** What kbuild says about one C file that it compiles. All fields are make's text, not yet split. */
export interface KbuildAnswer {
  readonly object: string
  readonly source: string
  /** `m` part of a module, `y` or `l` of vmlinux; `n` of neither (vdso, boot code, EFI stub, …). */
  readonly kind: string
  /** False when the makefile keeps objtool away from it (OBJECT_FILES_NON_STANDARD). */
  readonly standard: boolean
  /** objtool's arguments for it if it were part of a module. */
  readonly objtool: string
  /** c_flags, as shell text. */
  readonly flags: string
}

// The C that is compiled for Rust's use has a recipe that make runs even when it runs dry (`+`), so its answer is
// printed by make itself. `.DEFAULT` lets make believe in prerequisites that only a real build would make.
// `part-of-module` is bound to `y` around objtool's arguments because a live patch is a module, wherever the unit
// belongs.
const fragment = `
override if_changed_rule = $(if $(filter cc_o_c,$(1)),$(inarch-unit),$(if $(filter as_o_S,$(1)),$(inarch-assembly),$(if $(filter rust_cc_library,$(1)),$(info $(inarch-unit)))@:))
override if_changed = @:
override if_changed_dep = $(if $(filter cpp_lds_S,$(1)),$(inarch-script),@:)
inarch-assembly = inarch-assembly $@ $< @@ $(a_flags) @@
inarch-script = inarch-assembly $@ $< @@ $(cpp_flags) -P -D__ASSEMBLY__ -DLINKER_SCRIPT @@
inarch-kind = $(if $(filter $@,$(real-obj-m)),m,$(if $(filter $@,$(real-obj-y)),y,$(if $(filter $@,$(lib-y)),l,n)))
inarch-standard = $(if $(filter-out y%,$(OBJECT_FILES_NON_STANDARD_$(notdir $(basename $@)).o)$(OBJECT_FILES_NON_STANDARD)n),y,n)
inarch-objtool = $(foreach part-of-module,y,$(objtool-args)$(objtool_args))
inarch-unit = inarch-unit $@ $< $(inarch-kind) $(inarch-standard) @@ $(inarch-objtool) @@ $(c_flags) @@ $(MAKEFILE_LIST) @@
.DEFAULT: ; @:
`

/**
 * Debian builds beside the source and calls files by their names in it. Since 7.2 kbuild says so only where it builds
 * beside the source itself (-fmacro-prefix-map); before, always.
 */
function withNamesAsBuilt(kernel: Kernel, flags: string): string {
  return kernel.origin !== 'debian' || flags.includes('-fmacro-prefix-map=') ? flags : `${flags} -fmacro-prefix-map=./=`
}

const assembly = /^inarch-assembly (\S+) (\S+) @@(.*)@@$/

const answer = /^inarch-unit (\S+) (\S+) ([myln]) ([yn]) @@(.*)@@(.*)@@(.*)@@$/

/**
 * Runs kbuild dry over the whole kernel.
 * @throws Fault `environment/kbuild-failed` when it has no answer
 */
export async function askKbuild(
  job: Job,
  kernel: Kernel,
): Promise<{
  readonly units: KbuildAnswer[]
  readonly assembly: AssemblyAnswer[]
  /** Paths of the makefiles that it read for the units, as far as they are in the tree. */
  readonly makefiles: readonly string[]
}> {
  return await withScratch(async (dir) => {
    const makefile = path.join(dir, 'inarch.mk')
    await writeFile(makefile, fragment)
    const { stdout, stderr } = await command(
      'make',
      [
        // 6.12 calls itself again when these are missing, and would forget -o.
        '-rR',
        '--no-print-directory',
        '-k',
        '-n',
        `-j${os.availableParallelism()}`,
        // Without this make really builds objtool, even under -n.
        ...['-o', 'prepare'],
        `KERNELRELEASE=${kernel.release}`,
        `CC=${kernel.compiler.program}`,
        // Where kbuild tries the compiler's options, one directory for each shell ($$); else the source tree.
        `TMPOUT=${path.join(dir, 'try')}_$$$$`,
        './',
      ],
      {
        cwd: kernel.source,
        env: { MAKEFILES: makefile, TMPDIR: dir },
        signal: job.signal,
        guarded: true,
        // What can't be made is left out (-k); whether that matters is seen when the unit is looked up.
        allowFailure: true,
      },
    )
    const answers: KbuildAnswer[] = []
    const others: AssemblyAnswer[] = []
    const lists = new Set<string>()
    for (const line of stdout.split('\n')) {
      const other = assembly.exec(line)
      if (other !== null) others.push({ object: other[1]!, source: other[2]!, flags: other[3]!.trim() })
      const match = answer.exec(line)
      if (match === null) continue
      const [, object, source, kind, standard, objtool, flags, list] = match as unknown as string[]
      lists.add(list!)
      answers.push({
        object: object!,
        source: source!,
        kind: kind!,
        standard: standard === 'y',
        objtool: objtool!.trim(),
        flags: withNamesAsBuilt(kernel, flags!.trim()),
      })
    }
    if (answers.length === 0)
      throw new Fault('environment', 'kbuild-failed', `kbuild does not say how ${kernel.release} is compiled`, {
        detail: (stderr || stdout).trimEnd().split('\n').slice(-10).join('\n'),
        remedy: 'Fetch the kernel again, or check that its build directory is complete',
      })
    const read = [...lists].flatMap((list) => list.split(' ')).map((file) => path.posix.normalize(file))
    const makefiles = [...new Set(read)].filter((file) => file !== '.' && !path.isAbsolute(file))
    return { units: answers, assembly: others, makefiles }
  })
}
