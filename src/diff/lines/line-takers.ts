// SPDX-License-Identifier: GPL-3.0-or-later
// The kernel's functions that are handed `__LINE__`, and which argument it is. A number that anybody else gets is no
// line, whatever stands in front of it: a limit may follow a name, too. From the prototypes of 4.4 to 6.12.
import { addTo } from '../../ground/values/grouped.ts'

/** They take `__FILE__` and `__LINE__` first (linux/kernel.h, asm-generic/bug.h, lockdep.h, rcupdate.h). */
const takesFileAndLine =
  /^(?:warn_slowpath_(?:null|fmt|fmt_taint)|__warn|_{2,3}might_(?:sleep|resched|fault)|__cant_(?:sleep|migrate)|lockdep_rcu_suspicious)$/

/** By the argument, from 0, that is a line behind the name of a file, a function or a module of ACPI. */
const behindName: readonly (readonly [argument: number, functions: string])[] = [
  // ext4 and jbd2
  [
    1,
    '__ext4_check_dir_entry __ext4_ext_check __ext4_ext_dirty __ext4_forget __ext4_grp_locked_error ' +
      '__ext4_handle_dirty_metadata',
  ],
  [1, '__ext4_journal_get_create_access __ext4_journal_get_write_access __ext4_journal_stop'],
  [1, '__read_extent_tree_block ext4_check_blockref ext4_journal_abort_handle'],
  [2, '__check_block_validity __ext4_error __ext4_error_file __ext4_error_inode __ext4_std_error'],
  [2, '__ext4_warning __ext4_warning_inode __warn_no_space_for_csum'],
  [3, '__dump_mmp_msg __ext4_mark_inode_dirty __ext4_xattr_check_block check_igot_inode __jbd2_debug'],
  [4, '__ext4_iget __ext4_read_dirblock __xattr_check_inode'],
  [5, 'save_error_info'],
  [6, 'ext4_handle_error check_xattrs'],
  // btrfs, xfs, gfs2, ocfs2, ubifs, NTFS
  [2, '__btrfs_abort_transaction __btrfs_handle_fs_error __btrfs_panic assertfail btrfs_assertfail'],
  [3, 'assfail asswarn xfs_do_force_shutdown xfs_errortag_test'],
  [2, 'xfs_errortag_test'],
  [4, 'xfs_error_report'],
  [6, 'xfs_corruption_error'],
  [3, 'gfs2_consist_i gfs2_consist_inode_i gfs2_consist_rgrpd_i gfs2_io_error_i'],
  [4, 'gfs2_assert_warn_i gfs2_assert_withdraw_i gfs2_io_error_bh_i gfs2_meta_check_ii'],
  [5, 'gfs2_meta_check_ii gfs2_metatype_check_i'],
  [6, 'gfs2_metatype_check_ii'],
  [2, '__mlog_printk ocfs2_dump_meta_lvb_info'],
  [3, 'ubifs_assert_failed'],
  [1, '__ntfs_debug'],
  // ACPI
  [1, 'acpi_error acpi_exception acpi_warning acpi_bios_error acpi_bios_exception acpi_bios_warning'],
  [1, 'acpi_ut_allocate_object_desc_dbg acpi_ut_create_internal_object_dbg acpi_ut_method_error'],
  [1, 'acpi_ut_namespace_error acpi_ut_prefixed_namespace_error'],
  [1, 'acpi_ut_predefined_bios_error acpi_ut_predefined_info acpi_ut_predefined_warning'],
  // Credentials, sound, XDP
  [2, '__invalid_creds __validate_creds __validate_process_creds __snd_printk xdp_warn'],
]

/** The same for a line that stands alone (fs/ext4/ext4_jbd2.h, fs/jbd2/transaction.c). */
const alone: readonly (readonly [argument: number, functions: string])[] = [
  [1, '__ext4_journal_start __ext4_journal_start_reserved'],
  [6, 'jbd2__journal_start'],
]

/** Functions that print, by the argument, from 0, that says how. */
const printers: readonly (readonly [format: number, functions: string])[] = [
  [0, '_printk printk __warn_printk panic'],
  [1, '_dev_emerg _dev_alert _dev_crit _dev_err _dev_warn _dev_notice _dev_info'],
  // On 4.4, and with a taint in front since 5.x.
  [2, 'warn_slowpath_fmt'],
  [3, 'warn_slowpath_fmt'],
]

function byFunction(lists: readonly (readonly [argument: number, functions: string])[]) {
  const found = new Map<string, number[]>()
  for (const [argument, functions] of lists) for (const name of functions.split(' ')) addTo(found, name, argument)
  return found
}

const linesBehindNames = byFunction(behindName)
const linesAlone = byFunction(alone)
const formats = byFunction(printers)

/** A number that is handed to a function. */
export interface HandedNumber {
  readonly callee: string
  /** Which argument it is, from 0. */
  readonly argument: number
  /** What the argument in front of it is. */
  readonly behind: 'file' | 'name' | undefined
  /** The text that an argument leads to. */
  readonly textAt: (argument: number) => string | undefined
  /** True when an argument is a number, too. */
  readonly isNumber: (argument: number) => boolean
}

/**
 * Whether a function takes a line there.
 * @returns `told` when every kernel's does, `known` when only some do, or it is told by what is printed
 */
export function lineTaken(number: HandedNumber): 'told' | 'known' | undefined {
  const { callee, argument, behind, isNumber } = number
  if (behind === 'file' && argument === 1 && takesFileAndLine.test(callee)) return 'told'
  if (behind !== undefined && linesBehindNames.get(callee)?.includes(argument)) return 'known'
  if (linesAlone.get(callee)?.includes(argument)) return 'known'
  // From 6.4 on the inode comes first, and the line third; what stood there is the kind of the transaction, behind the
  // line.
  if (callee === '__ext4_journal_start_sb' && argument === (isNumber(1) ? 1 : 2)) return 'known'
  return behind !== undefined && isPrintedAsLine(number, behind) ? 'known' : undefined
}

/** True when the text says that the number is a line: `%s:%d` of a file, `%s line %d`. */
function isPrintedAsLine({ callee, argument, textAt }: HandedNumber, behind: 'file' | 'name'): boolean {
  return (formats.get(callee) ?? []).some((format) => {
    const text = textAt(format)
    // Widths that are arguments would have to be counted.
    if (text === undefined || /%[-+ #0]*(\*|\d*\.\*)/.test(text)) return false
    const conversions = [...text.matchAll(/%(?:%|[-+ #0]*\d*(?:\.\d+)?(?:hh|h|ll|l|z)?([a-zA-Z]))/g)].filter(
      ([, kind]) => kind !== undefined,
    )
    const nth = argument - format - 1
    const [name, line] = [conversions[nth - 1], conversions[nth]]
    if (name?.[1] !== 's' || line === undefined || !/[diu]/.test(line[1] ?? '')) return false
    const between = text.slice(name.index + name[0].length, line.index)
    if (/^[,:]? (at )?line:? $/i.test(between)) return true
    return behind === 'file' && /^(:| ?\()$/.test(between)
  })
}
