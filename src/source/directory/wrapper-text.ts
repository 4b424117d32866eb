// SPDX-License-Identifier: GPL-3.0-or-later
// Writes the wrapper of a live patch (livepatch.c): the tables that tell the kernel what is replaced
// (include/linux/livepatch.h), and the module's beginning and end.
import { type Model, modelInC } from '../../kernel/model.ts'
import { wrapperComment } from './header-comment.ts'
import type { Plan, PlannedObject } from './plan.ts'

/** A C string; what is not plain ASCII becomes `?`. */
function quoted(text: string): string {
  return `"${text.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, '\\$&')}"`
}

/** What the list of an object's functions is called. */
function listName(object: string): string {
  // The names of some modules begin with a digit (8021q, 9p).
  return `${object.replace(/[^A-Za-z0-9_]/g, '_').replace(/^(?=\d)/, '_')}_functions`
}

function functionTable({ name, functions }: PlannedObject): string[] {
  if (functions.length === 0) return []
  return [
    `static struct klp_func ${listName(name)}[] = {`,
    ...functions.flatMap(({ oldName, replacement, position }) => [
      '\t{',
      `\t\t.old_name = ${quoted(oldName)},`,
      `\t\t.new_func = ${replacement},`,
      ...(position === 0 ? [] : [`\t\t.old_sympos = ${position},`]),
      '\t},',
    ]),
    '\t{ }',
    '};',
    '',
  ]
}

function objectEntry({ name, functions, callbacks }: PlannedObject, empty: string): string[] {
  return [
    '\t{',
    ...(name === 'vmlinux' ? ['\t\t/* The kernel proper has no name. */'] : [`\t\t.name = ${quoted(name)},`]),
    `\t\t.funcs = ${functions.length === 0 ? empty : listName(name)},`,
    ...(callbacks.length === 0
      ? []
      : ['\t\t.callbacks = {', ...callbacks.map(({ kind, name: one }) => `\t\t\t.${kind} = ${one},`), '\t\t},']),
    '\t},',
  ]
}

/** The call that hands the live patch to who carries it. */
function enabling(model: Model): string {
  return model === 'kernel'
    ? 'klp_enable_patch(&inarch_patch)'
    : `inarch_enable_patch(&inarch_patch, ${modelInC(model)})`
}

/** The whole text of `livepatch.c`. */
export function renderWrapper(plan: Plan): string {
  const { objects, states, replace, description, model } = plan
  const functions = objects.flatMap((object) => object.functions)
  const callbacks = objects.flatMap((object) => object.callbacks)
  const withoutFunctions = objects.some((object) => object.functions.length === 0)
  const lines = [
    '#include <linux/livepatch.h>',
    '#include <linux/module.h>',
    ...(model === 'kernel' ? [] : ['#include "inarch-core.h"']),
    ...(functions.length === 0 ? [] : ['#include "inarch-source.h"']),
    '',
    ...functions.map(({ replacement }) => `LIVEPATCH_REPLACEMENT(${replacement});`),
    ...(functions.length === 0 ? [] : ['']),
    ...callbacks.map(
      ({ kind, name }) => `${kind === 'pre_patch' ? 'int' : 'void'} ${name}(struct klp_object *object);`,
    ),
    ...(callbacks.length === 0 ? [] : ['']),
    ...objects.flatMap(functionTable),
    // livepatch wants a list, be it empty.
    ...(withoutFunctions ? ['static struct klp_func no_functions[] = {', '\t{ }', '};', ''] : []),
    'static struct klp_object objects[] = {',
    ...objects.flatMap((object) => objectEntry(object, 'no_functions')),
    '\t{ }',
    '};',
    '',
    ...(states.length === 0
      ? []
      : [
          '/* What outlives the live patch, for the ones that come after it. */',
          'static struct klp_state states[] = {',
          ...states.map(
            ({ name, id, version }) =>
              `\t{ .id = ${id}, .version = ${version} },\t/* ${name.replace(/[^\w .-]/g, '?')} */`,
          ),
          '\t{ }',
          '};',
          '',
        ]),
    'struct klp_patch inarch_patch = {',
    '\t.mod = THIS_MODULE,',
    '\t.objs = objects,',
    ...(states.length === 0 ? [] : ['\t.states = states,']),
    ...(replace ? ['\t.replace = true,'] : []),
    '};',
    '',
    'static int __init livepatch_init(void)',
    '{',
    `\treturn ${enabling(model)};`,
    '}',
    '',
    '/* The kernel lets the module go when nothing of it runs any more. */',
    'static void __exit livepatch_exit(void)',
    '{',
    '}',
    '',
    'module_init(livepatch_init);',
    'module_exit(livepatch_exit);',
    'MODULE_LICENSE("GPL");',
    'MODULE_INFO(livepatch, "Y");',
    `MODULE_DESCRIPTION(${quoted(description)});`,
  ]
  return `// SPDX-License-Identifier: GPL-2.0-only\n${wrapperComment(plan)}${lines.join('\n')}\n`
}
