// SPDX-License-Identifier: GPL-3.0-or-later
// What is known of the functions that a change calls, by the kernel's own names: those that only say or ask something,
// and those that write to what they are given. Everything else is told from its text.

/** Messages, warnings, traces, assertions. */
export const says =
  /^(?:(?:pr|dev|netdev|netif|net|sdev|shost|nvme|pci|hid|v4l2|drm|ibdev|btrfs|ext4|f2fs|xfs|erofs|exfat|ntfs|cifs|nfs|ceph|rdma|wiphy|mlx5_core|vdbg|fs|DM|BTRFS|rbd|bt_dev|bt|batadv|md|loop|scmd|ata|audit)_?(?:emerg|alert|crit|err|error|warn|warning|notice|info|dbg|debug|msg|printk|log)\w*|DM(?:ERR|WARN|INFO|DEBUG)\w*|_?printk\w*|no_printk|dprintk\w*|WARN\w*|VM_(?:BUG|WARN)\w*|BUG\w*|ASSERT\w*|lockdep_\w+|might_\w+|trace_\w+|dump_\w+|NL_SET_\w+|NL_MOD_\w+|GENL_SET_\w+|nl_set_extack\w*|EXT4_ERROR_INODE\w*|ext4_error\w*|ext4_warning\w*|(?:ext4_)?(?:debug|msg)|cifs_dbg|btrfs_(?:err|warn|info|crit|debug)\w*|xfs_\w*(?:verifier_error|corrupt\w*|alert|err|warn)|XFS_(?:IS_CORRUPT|TEST_ERROR|CORRUPTION_ERROR|ERROR_REPORT)|seq_(?:printf|puts|putc|write)|bpf_log|verbose|kmemleak_\w+|kasan_\w+|KUNIT\w*|hid_(?:err|warn|info|dbg)\w*|ubsan\w*|\w*_fs_error\w*|\w+_(?:err|error|warn|warning)_(?:rl|once|ratelimited|msg)|\w+_conn_printk|(?:\w+_)?(?:parse|report|log|syntax)_err(?:or)?|panic|assert_\w+|\w+_assert_\w+|instrument_\w+|data_race|pr_fmt)$/

/** Asks, converts or computes, and leaves everything as it is. */
export const asks =
  /^(?:(?:un)?likely|_Generic|va_\w+|READ_ONCE\w*|per_cpu\w*|this_cpu_\w*|raw_cpu_\w*|__this_cpu_read|p[tmug4]e?d?_(?!clear|mk)\w+|pte_\w+|pmd_\w+|swp_\w+|__alignof__|__aligned|__section|lo(?:wer|cal)_\w+|task_(?:rq|cpu|current|on_\w+)|plist_first\w*|sock_net|dev_net\w*|inet6?_sk|sk_fullsock|sizeof\w*|offsetof\w*|typeof|__builtin_\w+|IS_ERR\w*|PTR_ERR\w*|ERR_PTR|ERR_CAST|(?:min|max|clamp|swap|abs|abs_diff|umin)(?:3|_t|_val|_not_zero)?|ARRAY_SIZE|BIT\w*|GENMASK\w*|FIELD_\w+|container_of\w*|from_timer|list_(?:entry|first_entry|next_entry|prev_entry|last_entry|empty|is_\w+|entry_is_head|for_each\w*)\w*|hlist_(?:entry|empty|unhashed|for_each)\w*|rb_(?:entry|first|next|last|prev)\w*|READ_ONCE|smp_load_acquire|rcu_(?:dereference|access_pointer|assign_pointer_check)\w*|srcu_dereference\w*|array_index_nospec|check_\w+_overflow|(?:size|array|array3|flex_array|struct)_(?:add|sub|mul|size)\w*|array_size|struct_size|mem(?:cmp|chr|chr_inv)|str(?:n|case|ncase)?cmp|strn?len|strn?chr|strrchr|strn?str|sysfs_streq|smp_\w*mb\w*|[rw]?mb|dma_[rw]mb|barrier\w*|cpu_relax|cond_resched\w*|[bl]e\d+_to_cpup?|cpu_to_[bl]e\d+|get_unaligned\w*|htons?|htonl|ntohs|ntohl|hton\w|ntoh\w|test_bit\w*|atomic(?:64|_long)?_read\w*|refcount_read|kref_read|percpu_\w*(?:read|sum)\w*|capable|ns_capable\w*|[a-z]+_capable\w*|access_ok|signal_pending\w*|fatal_signal_pending|need_resched|in_(?:task|interrupt|atomic|nmi)|current_\w+|cpu_online|smp_processor_id|raw_smp_processor_id|num_\w+_cpus|time_(?:after|before)\w*|jiffies_\w+|\w+_to_jiffies|ktime_(?:get|sub|add|compare|before|after|to|us|ms)\w*|div\w*|do_div|round_?(?:up|down)\w*|roundup\w*|rounddown\w*|ALIGN\w*|IS_ALIGNED|PAGE_ALIGN\w*|DIV_ROUND\w*|ilog2|order_base_2|is_power_of_2|fls\w*|__?ffs\w*|ffz|hweight\w*|find_(?:first|next|last)_(?:zero_)?bit\w*|iov_iter_(?:count|is_\w+)|skb_(?:headlen|network_\w+|transport_(?:header|offset)|mac_\w+|is_\w+|shared|cloned|tailroom|headroom|header_pointer|network_offset|rtable|dst|shinfo|end_pointer|tail_pointer|end_offset|queue_len)|(?:ip|ipv6|tcp|udp|eth|vlan|icmp)_hdr\w*|inner_\w+|nla_(?:data|len|get_\w+|ok|type)|nlmsg_(?:data|len)|mutex_is_locked|spin_is_locked|rwsem_is_locked|netif_(?:running|carrier_ok|device_present)|dev_name|dev_get_drvdata|netdev_priv|page_(?:address|to_\w+|count|size|mapcount)|folio_(?:size|nr_pages|test_\w+|mapping|address|order|index|pos|ref_count)|Page[A-Z]\w+|virt_to_\w+|pfn_to_\w+|phys_to_\w+|S_IS\w+|d_(?:inode|is_\w+|really_is\w*|backing_inode|unhashed)|inode_is_locked|file_inode|i_size_read|IS_(?:ENABLED|RDONLY|IMMUTABLE|APPEND|SYNC|DAX|ROOT)\w*|uid_\w+|gid_\w+|kuid\w*|kgid\w*|from_k[ug]id\w*|__?is_\w+|(?:\w+_)?(?:check|checks|verify|valid|validate|permission|permitted|allowed|may|match|matches|cmp|compare)(?:_\w+)?|[a-z]\w*_is_\w+|is_\w+|has_\w+|[a-z]\w*_has_\w+|can_\w+|[A-Z]\w*_IS_\w+|[A-Z][A-Z0-9_]*)$/

/** Writes to one of its arguments, by number. */
const writes: readonly (readonly [RegExp, number, string])[] = [
  [
    /^(?:WRITE_ONCE|smp_store_\w+|rcu_assign_pointer|rcu_replace_pointer|RCU_INIT_POINTER|xchg\w*|cmpxchg\w*|try_cmpxchg\w*)$/,
    0,
    'is set',
  ],
  [
    /^(?:atomic(?:64|_long)?|refcount)_(?:set|add|sub|or|and|xchg|cmpxchg|andnot|fetch_(?:add|sub|or|and))\w*$/,
    0,
    'is set',
  ],
  [
    /^(?:mem(?:set|cpy|move|cpy_and_pad|set_after|set_startat|zero_explicit)|str(?:l|s|n)?(?:cpy|cat)|strscpy\w*|s(?:n|cn)?printf|vs(?:n|cn)?printf|copy_from_user|get_random_bytes\w*|clear_page|copy_page|bitmap_\w+|cpumask_(?:set|clear|copy|and|or|andnot)\w*|put_unaligned\w*|eth_hw_addr_\w+|ether_addr_copy)$/,
    0,
    'is written',
  ],
  [/^this_cpu_(?:write|add|sub|inc|dec|and|or|xchg)\w*$/, 0, 'is set'],
  [/^(?:__)?(?:set|clear|change|assign|test_and_(?:set|clear|change))_bit\w*$/, 1, 'bit'],
  [
    /^(?:INIT_\w+|spin_lock_init|raw_spin_lock_init|mutex_init|init_\w+|timer_setup|hrtimer_(?:init|setup)|tasklet_setup|refcount_init|kref_init|seqcount_\w*init|xa_init\w*|idr_init\w*|ida_init|skb_queue_head_init)$/,
    0,
    'is set up',
  ],
  [/^(?:list|hlist|hlist_nulls|hlist_bl|llist)_(?:add|del|move|splice|replace|cut|rotate)\w*$/, 0, 'is linked'],
  [/^rb_(?:link_node|insert_color|erase|replace_node|add)\w*$/, 0, 'is linked'],
  [
    /^(?:xa_(?:store|erase|insert|alloc|cmpxchg)|idr_(?:alloc|remove|replace)|ida_(?:alloc|free|simple_get|simple_remove)|radix_tree_(?:insert|delete)|rhashtable_(?:insert|remove|lookup_insert)|hash_(?:add|del))\w*$/,
    0,
    'is filled',
  ],
  [
    /^(?:i_size_write|inode_set_\w+|dev_set_drvdata|platform_set_drvdata|i2c_set_clientdata|usb_set_intfdata|pci_set_drvdata|spi_set_drvdata)$/,
    0,
    'is set',
  ],
  [
    /^(?:mod_timer\w*|add_timer\w*|del_timer\w*|timer_(?:delete|shutdown|reduce)\w*|hrtimer_(?:start|cancel|try_to_cancel)\w*)$/,
    0,
    'is armed',
  ],
  [/^(?:queue_work\w*|mod_delayed_work\w*|queue_delayed_work\w*)$/, 1, 'is queued'],
  [
    /^(?:schedule_(?:work|delayed_work)\w*|cancel_(?:delayed_)?work\w*|tasklet_(?:schedule|kill)|flush_work|flush_delayed_work)$/,
    0,
    'is queued',
  ],
]

/** Which argument a function writes to, and how. */
export function writtenBy(name: string): { readonly argument: number; readonly how: string } | undefined {
  for (const [words, argument, how] of writes) if (words.test(name)) return { argument, how }
  return undefined
}

/** Hands the caller in user space what it asked for, as a returned value does. */
export const answers = /^(?:copy_to_(?:user|sockptr|iter)\w*|_?copy_to_iter|put_user|put_cmsg)$/

/** Waits until others are done, and changes nothing itself. */
export const waitsOut =
  /^(?:synchronize_\w+|rcu_barrier\w*|flush_\w+|msleep|usleep_range|fsleep|udelay|ndelay|mdelay|schedule\w*|yield|cpu_relax|del_timer_sync|cancel_\w*work_sync)$/
