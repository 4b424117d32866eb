// SPDX-License-Identifier: GPL-3.0-or-later
// What is said when the code before and after the patch is compared, and when the live patch is cut out.
import { error, note, warning } from './explanation.ts'

const report = 'Report this with the kernel version and the compiler'

export const codeRules = [
  error(
    'data-changed',
    'Existing data, or a variable of a function, with another initial value or shape',
    'The running kernel has its copy since it started, and keeps the value',
    'Set the new value from a callback (INARCH_PRE_PATCH), keep new state in a shadow variable, or give ' +
      'the patched code a copy of its own (INARCH_INCLUDE_SECTION)',
  ),
  error(
    'init-code',
    'A changed or new function that runs only while the kernel or a module starts or ends',
    'Its time is over: replacing it has no effect. What is built into the kernel and would run at its ' +
      'end never runs: that is a note',
    'Do in a callback (INARCH_PRE_PATCH) what it should have done, and leave this part out (INARCH_IGNORE_FUNCTION)',
  ),
  error(
    'registration-added',
    'New data in a section that the kernel reads only while it starts or loads a module: initcalls, ' +
      'parameters, exports, per-CPU variables',
    'Nobody reads the section again. An export that the fix’s own functions use is left out, with a ' +
      'note: they reach it without',
    'Register it in a callback (INARCH_PRE_PATCH), or leave this part out (INARCH_IGNORE_SECTION)',
  ),
  note(
    'registration-removed',
    'Data that the patch takes out of such a section: an export, a parameter, an initcall',
    'The kernel has read the section, and what it registered stays: modules go on using the export, the ' +
      'parameter can still be set',
    'Nothing, unless the fix needs it to be gone: then undo it in a callback (INARCH_PRE_PATCH), or ' +
      'boot the fixed kernel',
  ),
  error(
    'section-changed',
    'A changed section that is not known to be safe',
    'What the kernel reads it for, and when, is not known',
    'Leave this part out of the live patch',
  ),
  error(
    'unreadable-table',
    'A table about code that is not understood',
    'An entry that is lost can crash the kernel long after the patch was applied',
    report,
  ),
  error(
    'merged-functions',
    'Two functions that the patch tells apart and that are one piece of code in the running kernel',
    'A replacement would change both',
    'Make the same change to both, or fix the callers',
  ),
  error(
    'shared-section',
    'A changed function that shares a section with others and jumps into one of them by a short jump, ' +
      'or has instructions that are not known',
    'The jump does not reach from the live patch, or is not even seen',
    'Change the callers of this function',
  ),
  error(
    'not-traceable',
    'A changed function without an ftrace entry: notrace, noinstr, entry code, what ftrace itself is made of',
    'The kernel redirects a function at its ftrace entry, and only there',
    'Fix the bug in its callers',
  ),
  error(
    'boot-constant',
    'A changed function with a number in its code that the kernel puts there when it starts',
    'In the live patch the number would be the compiler’s placeholder',
    'Change the callers of this function',
  ),
  error(
    'unknown-relocation',
    'A reference of a kind that is not understood',
    'The live patch could refer to something else',
    report,
  ),
  error(
    'into-function',
    'A reference to the middle of a function that stays',
    'Only a function’s entry has a name in the running kernel',
    report,
  ),
  warning(
    'address-of-new-function',
    'A new function whose address the patch stores or passes: to a timer, a work item, a table, a list of callbacks',
    'Who keeps it calls into the live patch, also after it is unloaded',
    'Undo in a callback (INARCH_PRE_UNPATCH) what the patched code has set up, or never unload the live patch',
  ),
  warning(
    'new-function-left-out',
    'Of two bare objects: a new function that nothing in the unit calls which changes',
    'It is meant for other units, and what is cut out of this one has it not',
    'Give all units of the change to `inarch build`',
  ),
  warning(
    'copy-not-shared',
    'A datum of which the live patch has a copy while others use the running kernel’s',
    'What one side writes, the other one does not see',
    'Let every function that uses it come with the patch, or use the running kernel’s',
  ),
  note(
    'copy-starts-anew',
    'A copy of a variable in the live patch',
    'It begins with the source’s value, not with the one that the variable has now',
    'Copy the value in a callback (INARCH_PRE_PATCH)',
  ),
  warning(
    'state-lost',
    'A new variable beside one that nobody uses any more: a static variable that is renamed, gets ' +
      'another type, or moves to another function',
    'It begins with the source’s value; what the running kernel has in the old one (the entries of a ' +
      'list, who holds a lock, a count) is lost to the new code',
    'Keep the old name, or take the old value over in a callback (INARCH_PRE_PATCH)',
  ),
  warning(
    'variable-retyped',
    'A variable that keeps its name and its size, and gets another type: `int` that becomes `unsigned`, ' +
      'a struct that becomes another, a pointer to something else',
    'The new code takes what the running kernel has in it for a value of the new type. Types whose ' +
      'bytes mean the same, such as `long` and `s64`, are no finding',
    'Give the new variable another name, or convert the value in a callback (INARCH_PRE_PATCH)',
  ),
  warning(
    'state-inherited',
    'A static variable of a function that is taken away, while one of the same name is declared in ' +
      'another block, or by another use of a macro such as `DO_ONCE`; or one that lets something be ' +
      'done once, which is something else after the patch',
    'The new code goes on with what the running kernel has in the old one, and nothing proves that the ' +
      'two are the same variable; what has been done once is not done again',
    'Give another variable another name; a macro’s state can’t be named, so let the old use stay, or do ' +
      'what is new in a callback (INARCH_PRE_PATCH)',
  ),
  error(
    'static-local-copied',
    'An extract with a copy of a function’s static variable',
    'The value that the running code has is lost',
    'Externalize the variable',
  ),
  error(
    'writable-copied',
    'An extract with a copy of a variable that can be written',
    'There would be two of it, each with a value of its own',
    'Externalize the variable',
  ),
  warning(
    'constant-copied',
    'With the source engine: a constant inside a function whose address is taken, and which a macro ' +
      'declares, or of which the function has several of one name',
    'Who keeps the address has a pointer into the live patch, which may be unloaded',
    'Build with the binary engine; if nobody keeps the address, allow it',
  ),
  error(
    'top-level-changed',
    'With the source engine: a change beside functions, data and types, such as assembly of its own',
    'Nothing that can be replaced comes from it',
    'Leave this part out of the patch',
  ),
  note(
    'line-numbers',
    'A function that differs in line numbers only',
    'They serve messages and warnings, and nothing else',
    'Nothing needs to be done',
  ),
  note(
    'same-source-other-code',
    'With the source engine: a function whose code changes though its source does not',
    'The compiler decides anew what to inline; the running code is still right',
    'Build with --engine both to see what the other engine makes of it',
  ),
  error(
    'engines-differ',
    'With --engine both: a difference between what the two engines make',
    'One of them may be wrong',
    report,
  ),
  error(
    'no-functional-change',
    'A patch that leaves all code as it is',
    'There is nothing to replace',
    'Check that the patch changes what you mean',
  ),
] as const
