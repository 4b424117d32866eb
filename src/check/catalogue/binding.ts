// SPDX-License-Identifier: GPL-3.0-or-later
// What is said when the live patch is bound to the running kernel and made a module.
import { error, note, warning } from './explanation.ts'

const report = 'Report this with the kernel version and the compiler'
const source = 'Check that the source, the configuration and the compiler are the kernel’s own'

export const bindingRules = [
  error(
    'code-differs',
    'A function that is replaced, or a private one that the patch refers to, whose code in the kernel ' +
      'is not what the compiler makes of the unpatched source',
    'The live patch would replace something else than the source says',
    source,
  ),
  note(
    'unconfirmed-symbol',
    'A reference to private data of a unit to which none of the unit’s code that runs leads',
    'Only its name tells where it is; the name is unique, but nothing confirms the place',
    'Look at the symbol in the kernel, if its place matters',
  ),
  error(
    'no-symbol',
    'A reference to something that the running kernel has no symbol for',
    'Its address can’t be found',
    source,
  ),
  error(
    'not-one-place',
    'A function that the live patch replaces, whose name and position are several places of the kernel, ' +
      'or one that another function has, too',
    'The kernel would replace another function, or one of the two only',
    source,
  ),
  error(
    'freed-after-boot',
    'A reference to code or data (__init, __initdata, __exit) that is freed when the kernel or the module has started',
    'The first use would read or run memory that belongs to somebody else by then',
    'Do what it does in a function of the patch; keep what is needed of it in a variable of the patch',
  ),
  error(
    'ambiguous-static',
    'A reference to one of several private things of one name, where the code does not tell which',
    'The live patch could use the wrong one',
    'Refer to it through something with a name of its own',
  ),
  error(
    'ambiguous-symbol',
    'A symbol name that occurs several times, where the code does not tell which one is meant',
    'The live patch could use the wrong one',
    report,
  ),
  error(
    'ambiguous-reference',
    'A reference to the edge of one of several variables of a section',
    'It can mean the end of one or the beginning of the next',
    'Leave out the section attribute (such as __read_mostly) of the new variable',
  ),
  error(
    'across-modules',
    'Code of one module that refers to a private thing of another one',
    'The other module may not be loaded, or may be loaded later',
    'Split the fix into one live patch for each module',
  ),
  error(
    'module-symbol',
    'A reference to a module that may not be loaded when the live patch is',
    'The live patch could not be loaded',
    'Split the fix into one live patch for each module',
  ),
  warning(
    'module-needed',
    'Code of a module that uses what another module exports, on which the patched module does not depend',
    'Nobody loads the other module: the live patch, or the patched module under it, is refused by the ' +
      'kernel (“Unknown symbol”)',
    'Load the other module before the live patch and keep it loaded, or do without',
  ),
  error(
    'late-special-section',
    'Code of a module with entries (static calls, jump labels, alternatives) that the kernel handles ' +
      'before the module’s addresses are known',
    'The entries would be applied to nothing',
    'Use the plain call or test in the patched function',
  ),
  warning(
    'module-reload',
    'A module whose private things the live patch uses, in a kernel that does not let it come back once ' +
      'it was unloaded',
    'The kernel leaves in the live patch what belonged to the module that went, and refuses the module ' +
      'for it; from Linux 6.3 on it clears it, and before the live patch does, where it can (Linux 5.6 or later)',
    'Revert the live patch before the module is unloaded',
  ),
  note(
    'tracepoint-lost',
    'A tracepoint of a module in replaced code',
    'In the live patch’s copy it stays off',
    'Nothing needs to be done unless somebody traces it',
  ),
  error(
    'no-landing-pad',
    'The address of a function to which the kernel lets no indirect call lead (IBT)',
    'The processor would stop the call with a fault',
    'Call it directly, or through a function of the live patch',
  ),
  error(
    'weak-function',
    'A changed fallback (__weak) that the kernel does not use',
    'Another function is in its place',
    'Change the function that the kernel uses',
  ),
  error(
    'symbol-name-too-long',
    'A symbol with a name longer than the kernel’s livepatch code reads',
    'The kernel would refuse the module',
    report,
  ),
  warning(
    'objtool',
    'What objtool says about the live patch’s code',
    'Without its tables a stack can’t be unwound through this code',
    'See whether the running kernel’s own build says the same',
  ),
  warning(
    'compiler-warning',
    'What the compiler says about a directory’s file',
    'It may mean that the file says something else than the kernel',
    'Mend the file',
  ),
] as const
