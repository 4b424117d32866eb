// SPDX-License-Identifier: GPL-3.0-or-later
// Functions of the kernel that only say something. What guards nothing but their call, whatever it is called, serves a
// message.

/** Who says something to the kernel's log, and does nothing else. */
export const speaker =
  /printk|^__warn|^warn_slowpath|_warn(ing)?$|^dump_(stack|page)|^skb_dump$|^lockdep_rcu_suspicious$|^__dynamic_\w*(dbg|debug)$|^_*(dev|netdev|xfs|drm)_(emerg|alert|crit|err|notice|info|dbg)$/

/** Whose name is asked for, to be said. */
export const nameGiver = /_name$|^dev_driver_string$/
