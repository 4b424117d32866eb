// SPDX-License-Identifier: GPL-3.0-or-later
// What is said about changed files before anything is compiled, and about headers.
import { error, note, warning } from './explanation.ts'

const leaveOut = 'Leave the file out of the patch if the rest is what you need'
const reboot = 'Install the fixed kernel, and reboot'

export const fileRules = [
  error(
    'build-rules-changed',
    'A change of a makefile, a Kconfig file or the configuration',
    'A live patch can only replace code; how the running kernel was configured and built is settled',
    `${leaveOut}, and change the C code instead`,
  ),
  warning(
    'generated-from',
    'A changed header or table of which a makefile makes another source file by a command: names of ' +
      'flags, identifiers, opcodes',
    'No compiler sees the connection, and the live patch does not make the file anew: what is compiled ' +
      'from it stays as it is',
    'Allow it if nothing of the change is to be seen there; else this needs a reboot',
  ),
  error(
    'assembly-changed',
    'A change of an assembly file, or of a header through which one becomes other code',
    'Assembly has no functions that the compiler delimits and that ftrace can redirect',
    'Change the C code that calls it',
  ),
  error('linker-script-changed', 'A change of a linker script', 'The running kernel is linked already', reboot),
  error(
    'device-tree-changed',
    'A change of a device tree source or binding header that goes into a device tree',
    'The kernel reads its device tree once, at the start',
    `${reboot}, or load an overlay if the platform has them`,
  ),
  error(
    'firmware-changed',
    'A change of a firmware image in the source tree',
    'A device keeps the firmware that it was given when its driver started it',
    'Install the new firmware file, and restart the device (unbind and bind its driver)',
  ),
  error(
    'unreachable-code',
    'A change of boot code, of the vDSO or of firmware code',
    'It ran before the kernel did, or runs in user space from a page that was made at the start',
    reboot,
  ),
  error(
    'not-all-compiled',
    'A change of a type’s layout or values, in a header that many units include',
    'Data that are there refuse the patch, and a few units show it; to compile all the others would ' +
      'take hours and change nothing about that, so what they would say is not told',
    'Leave the layout as it is: put what is new into a shadow variable (docs/authoring.md, “Shadow variables”)',
  ),
  error(
    'generated-constants',
    'A header change that gives numbers another value which the build takes from C for assembly',
    'Assembly in the running kernel has the old numbers in its code',
    'Keep the offsets and constants as they are',
  ),
  error(
    'header-changed',
    'A change of a header that the build generates',
    'The next build would overwrite it, and it says how the whole kernel is configured',
    'Change what it is generated from, or the C files that use it',
  ),
  error(
    'file-added',
    'A new C file',
    'No makefile builds it',
    'Put the new functions into a file that is built already',
  ),
  error(
    'file-removed',
    'A removed C file',
    'Its code is in the running kernel and stays there',
    'Keep the file, and change the functions that should do something else',
  ),
  note(
    'not-built',
    'A change of a file that the configuration does not build',
    'The running kernel does not have the code; where the patch changes nothing else, it is refused (nothing-to-patch)',
    'Nothing needs to be done',
  ),
  error(
    'unknown-file',
    'A change of a file of which Inarch does not know what the kernel makes of it',
    'A change that is silently left out would be the worst of outcomes',
    'Leave the file out of the patch if no kernel code comes from it',
  ),
  error(
    'rust-changed',
    'A change of a file of Rust, in a kernel that has Rust in it',
    'Functions of Rust are compiled without an entry for ftrace, so none can be replaced',
    'This fix needs a reboot',
  ),
  error(
    'nothing-to-patch',
    'A patch that touches no code of this kernel',
    'There is nothing that a live patch could replace',
    'Check that the patch is for this kernel and its architecture',
  ),
  note(
    'not-in-kernel',
    'A file of documentation, samples, tools or another architecture; as an error: a function that the ' +
      'kernel has no symbol for',
    'No code of the running kernel comes from it',
    'Nothing needs to be done about a file; for a function, check that the source is the kernel’s',
  ),
  error(
    'reads-outside',
    'A patch that makes the compiler or the assembler read a file outside of the kernel’s source, or ' +
      'ask whether there is one',
    'Whoever wrote the patch could learn what stands in any file of this machine, from a message or from the module',
    'Include files of the kernel’s source only, by their paths in it',
  ),
  error(
    'unit-in-many-objects',
    'A change of a file that is built into several parts of the kernel',
    'The kernel has several copies of the code, and one would stay as it is',
    'Change the callers of this code',
  ),
  error(
    'unit-without-unwinding',
    'A change of a file that objtool never sees',
    'The stack of its functions can’t be unwound reliably, so nobody knows when a task is out of them',
    'Change the callers of this code',
  ),
  note(
    'copy-not-patched',
    'Code that is built into the kernel and into boot code as well',
    'The boot code’s copy stays as it is until the next start',
    'Nothing needs to be done unless the fix is about booting',
  ),
] as const
