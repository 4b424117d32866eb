// SPDX-License-Identifier: GPL-3.0-or-later
// What is said about the author's own words: the macros of inarch.h, and the tables of a directory.
import { error, note, warning } from './explanation.ts'

export const authoringRules = [
  error(
    'bad-directive',
    'A callback that is not a function of the file, or a state with an id that can’t be one',
    'The kernel would call, or compare, something else',
    'Mend the macro’s arguments',
  ),
  warning(
    'directive-without-effect',
    'A macro that names what is not there',
    'The patch does not do what its author thinks',
    'Mend the name, or take the macro out',
  ),
  note(
    'ignored',
    'A part that the patch leaves out on purpose',
    'A reviewer should see it',
    'Nothing needs to be done',
  ),
  note(
    'force-unsafe',
    'A wish for what the kernel’s livepatch no longer has',
    'The kernel waits for each task all the same',
    'Nothing needs to be done',
  ),
  error(
    'duplicate-callback',
    'Two callbacks of a kind for one object',
    'The kernel calls one',
    'Do both in one function',
  ),
  error(
    'duplicate-state',
    'A state that is declared in two ways',
    'The kernel compares one version',
    'Declare it once',
  ),
  error(
    'callbacks-unsupported',
    'Callbacks, on a kernel whose livepatch has none',
    'Nobody would call them',
    'Leave them out, or use a newer kernel',
  ),
  error(
    'states-unsupported',
    'States, on a kernel whose livepatch has none',
    'Nobody would read them',
    'Leave them out, or use a newer kernel',
  ),
  error(
    'not-in-unit',
    'A directory’s table that names a function which its unit does not have',
    'The wrong function, or none, would be replaced',
    'Mend the table',
  ),
  error(
    'wrong-object',
    'A directory’s table that names another object than the one that holds the unit',
    'The kernel would look for the function in the wrong place',
    'Mend the table',
  ),
  error(
    'wrong-position',
    'A directory’s table with another sympos than the kernel’s symbols have',
    'Another function of the same name would be replaced',
    'Mend the table, or leave the number to Inarch',
  ),
  error(
    'no-replacement',
    'A directory’s table that names a new function which no file defines',
    'There is nothing to run in its place',
    'Define it, or take the row out',
  ),
  error(
    'duplicate-function',
    'A function that a directory’s table names twice',
    'The kernel would run one of the two',
    'Take one row out',
  ),
  error(
    'duplicate-definition',
    'A name that two files of a directory define',
    'The module could not be linked',
    'Make one of them static, or rename it',
  ),
  error(
    'note-in-source',
    'A macro of inarch.h in a directory’s file',
    'The macros are for patches; a directory says the same in its table',
    'Say it in the table',
  ),
  note('not-used', 'A name after --externalize that nothing needs', 'It may be misspelt', 'Take it out'),
  error(
    'extract-does-not-compile',
    'An extract that the compiler refuses although the file compiles',
    'Something that it needs was left out',
    'Report this with the file',
  ),
  error(
    'extract-differs',
    'An extract that makes other code than the file, also where each function is compiled by itself; ' +
      'only a warning where the compiler may have chosen it, by other registers, an order or inlining',
    'It may say something else than the file',
    'Compare both by hand and report what does not do the same; a warning can be allowed',
  ),
  note(
    'same-by-source',
    'A function of an extract that is other code only because the compiler saw fewer functions',
    'Compiled by itself, it is the same code',
    'Nothing needs to be done',
  ),
  note(
    'not-compared',
    'A function that the compiler puts into all its callers, so that it has no code to compare an extract with',
    'That the extract is right is not shown by its code',
    'Read it',
  ),
  error(
    'alias-copied',
    'An extract that needs another name of something, made by an alias attribute',
    'The compiler makes such a name only beside what it names',
    'Use the first name',
  ),
  warning(
    'extract-warns',
    'An extract about which the compiler says more than about the file',
    'It may say something else than the file',
    'Report this with the file',
  ),
] as const
