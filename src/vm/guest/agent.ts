// SPDX-License-Identifier: GPL-3.0-or-later
// What runs inside the virtual machine: an init in busybox's shell. It offers the verbs of a scenario
// (see scenario.ts), runs the scenario, and tells on the control channel what happened and when. It
// judges nothing but its own verbs; whether the proof holds is decided outside (proof.ts).
//
// Each line on the control channel reads `inarch NUMBER LENGTH KIND WORD…`; free text travels in base64.

import { guestCounts } from './call-counts.ts'

/** Where things stand inside the guest that are for all proofs of a boot. */
export const guestPaths = {
  scenario: 'inarch/scenario',
  load: 'inarch/load.sh',
  parts: 'inarch/parts',
  core: 'inarch/inarch_core.ko',
} as const

/** Where the things of one proof stand inside the guest, by its number. */
export function partPaths(part: number) {
  const base = `${guestPaths.parts}/${part}`
  return {
    script: `${base}/script`,
    patch: (name: string) => `${base}/${name}.ko`,
    load: (index: number) => `${base}/load.${index}`,
    exercise: (index: number) => `${base}/exercise.${index}`,
  }
}

/** The init script. `deadline` in seconds: the guest powers itself off then, whatever happens outside. */
export function guestInit(deadline: number): string {
  return `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
# A small kernel may have no devtmpfs.
mount -t devtmpfs dev /dev 2>/dev/null || { mount -t tmpfs dev /dev; mdev -s; }
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mount -t debugfs debug /sys/kernel/debug 2>/dev/null
mount -t tracefs trace /sys/kernel/tracing 2>/dev/null
stty -F /dev/ttyS1 raw -echo 2>/dev/null
exec 3>/dev/ttyS1 </dev/null
export PATH=/bin HOME=/tmp TERM=dumb
ip link set lo up 2>/dev/null

( sleep ${deadline}; echo '<2>inarch: the time is over' >/dev/kmsg; reboot -f ) 3>&- &

# The guest's only clock, for its limits: seconds that were slept. What the kernel says of time may be patched.
( n=0; while :; do echo $n >/run/clock; sleep 1; n=$(( n + 1 )); done ) 3>&- &
now=0
clock() { read -r tick 2>/dev/null </run/clock && now=$tick; }

event=0
say() {
  event=$(( event + 1 ))
  set -- "$*"
  echo "inarch $event \${#1} $1" >&3
}
encoded() { head -c 65536 "$1" | base64 -w 0; }
# A sysctl file gives only its first character to read, which asks byte by byte.
tainted() { say taint "$(cat /proc/sys/kernel/tainted)"; }

# Ends the machine: QEMU takes a reboot for the end, and every kernel can do that.
# Closing the channel waits until all of it was sent.
finish() {
  tainted
  echo '<6>inarch: the end' >/dev/kmsg
  say bye
  exec 3>&-
  sync
  reboot -f
}

# part NUMBER: what follows is about another live patch. Nothing is tried on a kernel that died, found a bad
# page or locked up (bits 7, 5 and 14) before: this boot ends there.
part() {
  if [ $(( $(cat /proc/sys/kernel/tainted) & 16544 )) != 0 ]; then say unfit; finish; fi
  say part "$1"
  tainted
  echo "<6>inarch: part $1" >/dev/kmsg
}

# step ID VERB WORD…: runs a verb as one step; a failed one ends the scenario. A verb may say that its outcome is another.
step() {
  id=$1; shift
  say begin "$id"
  echo "<6>inarch: step $id" >/dev/kmsg
  : >/run/why
  outcome=failed
  if "$@"; then say end "$id" done; return; fi
  say end "$id" $outcome "$(encoded /run/why)"
  [ $outcome = failed ] && finish
}

${guestCounts}
# bring NAME FILE…: loads modules in this order, those that are not there yet.
bring() {
  while [ $# -gt 1 ]; do
    if [ ! -d "/sys/module/$1" ] && ! insmod "$2" 2>/run/why; then return 1; fi
    shift 2
  done
}

# removed NAME…: unloads modules. One that stays ends this boot, but is no failure.
removed() {
  for name; do
    if ! rmmod "$name" 2>/run/why; then say stays "$name" "$(encoded /run/why)"; finish; fi
  done
}

# reloaded ORDER PATCH FILE CARRIER MODEL LIMIT NAME… -- NAME FILE…: unloads modules and loads them again, under a live
# patch. Where the kernel refuses that, the live patch goes and comes again, so that the rest can be seen.
reloaded() {
  order=$1 patch=$2 file=$3 carrier=$4 wanted=$5 limit=$6; shift 6
  while [ "$1" != -- ]; do
    if ! rmmod "$1" 2>/run/why; then
      while [ "$1" != -- ]; do shift; done
      shift
      cp /run/why /run/kept
      bring "$@" || return 1
      cp /run/kept /run/why
      outcome=kept
      return 1
    fi
    shift
  done
  shift
  bring "$@" && return 0
  cp /run/why /run/refused
  counted "$order"
  disabled "$patch" && settled "$id" "$patch" 1 "$limit" && unloaded "$patch" &&
    loaded "$patch" "$file" "$carrier" "$wanted" && settled "$id" "$patch" 0 "$limit" && bring "$@" || return 1
  probed $probes
  cp /run/refused /run/why
  outcome=refused
  return 1
}

mounted() { mount -t "$1" "$2" /mnt 2>/run/why; }
unmounted() { umount /mnt 2>/run/why; }

# Where the live patch NAME is, which the kernel's own livepatch carries, or the core.
of() {
  home=/sys/kernel/livepatch/$1
  [ -d "/sys/kernel/inarch/$1" ] && home=/sys/kernel/inarch/$1
}

# loaded NAME FILE CARRIER MODEL: loads a live patch module, which then is in /sys/kernel/CARRIER. Only the core tells
# the model.
loaded() {
  insmod "$2" 2>/run/why || return 1
  model=kernel
  read -r model 2>/dev/null <"/sys/kernel/$3/$1/model"
  [ -d "/sys/kernel/$3/$1" ] && [ "$model" = "$4" ] && return 0
  echo "the module was loaded, but there is no live patch $1 of the model $4 in /sys/kernel/$3" >/run/why
  return 1
}

# left NAME: unloads a module that nothing may use any more.
left() {
  tries=0
  while [ "$(cat "/sys/module/$1/refcnt" 2>/dev/null)" != 0 ] && [ $tries -lt 100 ]; do
    tries=$(( tries + 1 ))
    usleep 50000
  done
  rmmod "$1" 2>/run/why
}

# asleep ORDER PATTERN: the tasks that have a function on their stack whose line matches, with their stacks.
asleep() {
  grep -lE "$2" /proc/[0-9]*/task/[0-9]*/stack 2>/dev/null >/run/asleep
  while read -r file; do
    read -r line 2>/dev/null <"$\{file%stack}stat" || continue
    echo "task $line"
    cat "$file"
  done </run/asleep >/run/stacks 2>/dev/null
  set -- "$1" /proc/[0-9]*/task/[0-9]*
  say asleep "$1" $(( $# - 1 )) "$(encoded /run/stacks)"
}

# moved STATE: the tasks of which a transition is known to have begun, in $total, and those that are left, in $left. The
# kernel tells the state of each task, the core which are left.
moved() {
  if [ -e "$home/tasks" ]; then
    set -- /proc/[0-9]*/task/[0-9]*
    total=$#
    cat "$home/tasks" >/run/tasks 2>/dev/null || : >/run/tasks
    left=$(grep -c '^[0-9]' /run/tasks)
    more=$(sed -n 's/^and \\([0-9]*\\) more$/\\1/p' /run/tasks)
    left=$(( left + $\{more:-0} ))
    return
  fi
  states=$(cat /proc/[0-9]*/task/[0-9]*/patch_state 2>/dev/null)
  left=$(echo "$states" | grep -cx "$1")
  total=$(echo "$states" | wc -l)
}

# stuck STATE: the tasks whose patch state is STATE, with their stacks; what the core tells of those that are left.
stuck() {
  if [ -e "$home/tasks" ]; then
    while read -r pid rest; do
      echo "task $\{pid%:} $rest"
      sed 's/^/    /' "/proc/$pid/stack" 2>/dev/null
    done <"$home/tasks" >/run/stuck
    return
  fi
  for task in /proc/[0-9]*/task/[0-9]*; do
    read -r state 2>/dev/null <"$task/patch_state" && [ "$state" = "$1" ] || continue
    read -r name 2>/dev/null <"$task/comm"
    echo "task $\{task##*/} $name"
    sed 's/^/    /' "$task/stack" 2>/dev/null
  done >/run/stuck
}

# settled ID NAME STATE LIMIT: waits for the end of the transition. Tasks may be left in STATE for at most
# LIMIT seconds; when none is, the kernel is busy with ftrace, for which there is the machine's whole time.
settled() {
  of "$2"
  dir=$home moving=
  clock
  end=$(( now + $4 )) signal=$(( now + 16 )) told=
  # The kernel wakes who sleeps after 15 s, the core when it is told to.
  [ -e "$dir/tasks" ] && signal=$(( now + 4 ))
  while read -r moving 2>/dev/null <"$dir/transition"; do
    moved "$3"
    say sample "$1" "$left" "$total"
    [ "$moving" = 0 ] && break
    if [ "$left" = 0 ]; then usleep 50000; continue; fi
    clock
    if [ -z "$told" ] && [ $now -ge $signal ]; then
      told=yes
      stuck "$3"
      say stuck "$1" "$(encoded /run/stuck)"
      for wake in "$dir/signal" "$dir/wake"; do [ -w "$wake" ] && echo 1 2>/dev/null >"$wake"; done
    fi
    if [ $now -ge $end ]; then
      stuck "$3"
      say stuck "$1" "$(encoded /run/stuck)"
      echo "the transition did not end within $4 s" >/run/why
      return 1
    fi
    usleep 50000
  done
  # The kernel's work that ended the transition may still hold what the next step needs.
  enabled=0
  read -r enabled 2>/dev/null <"$dir/enabled"
  [ "$3 $enabled" != '0 0' ] && [ "$3 $enabled" != '1 1' ] && return 0
  echo "the live patch is $([ "$3" = 0 ] && echo not || echo still) enabled" >/run/why
  return 1
}

# replaced NAME: tells which functions the live patch replaces, and whether it does so now.
replaced() {
  of "$1"
  for dir in "$home"/*/; do
    dir=$\{dir%/} object=$\{dir##*/} now=-
    read -r now 2>/dev/null <"$dir/patched"
    for function in "$dir"/*/; do
      # An object may have callbacks and no function.
      [ -d "$function" ] || continue
      function=$\{function%/}
      say replaces "$object" "$\{function##*/}" "$now"
    done
  done
}

# stands NAME: a live patch on which another was stacked must still be enabled.
stands() {
  now=no
  of "$1"
  read -r now 2>/dev/null <"$home/enabled"
  [ "$now" = 1 ] && return 0
  echo "the live patch $1 is not enabled any more" >/run/why
  return 1
}

# disabled NAME: begins the way back.
disabled() {
  of "$1"
  echo 0 2>/run/why >"$home/enabled"
}

# unloaded NAME: removes the module of a live patch that was disabled or replaced, once nothing uses it.
unloaded() {
  tries=0
  while of "$1"; [ -d "$home" ] || [ "$(cat "/sys/module/$1/refcnt" 2>/dev/null)" != 0 ]; do
    tries=$(( tries + 1 ))
    if [ $tries -gt 200 ]; then
      if [ -d "$home" ]; then echo "the kernel still has the live patch $1" >/run/why
      else echo "the module is still in use $(cat "/sys/module/$1/refcnt" 2>/dev/null) times" >/run/why; fi
      return 1
    fi
    usleep 50000
  done
  rmmod "$1" 2>/run/why
}

# checked ID LIMIT WORD…: runs a command and tells what it printed.
checked() {
  check=$1 limit=$2; shift 2
  timeout -s KILL "$limit" "$@" >/run/output 2>&1 </dev/null 3>&-
  say output "$check" $? "$(encoded /run/output)"
}

# busy PART COUNT: starts the background load, each command again and again.
busy() {
  rm -f /run/load.*
  : >/run/load.on
  n=0
  while [ $n -lt "$2" ]; do
    setsid sh /${guestPaths.load} "$1" $n </dev/null >/dev/null 2>&1 3>&- &
    echo $! >/run/load.$n.pid
    n=$(( n + 1 ))
  done
}

# idle COUNT: ends the background load; a command that failed by itself is a failure.
idle() {
  rm -f /run/load.on
  n=0 bad=0
  while [ $n -lt "$1" ]; do
    read -r pid </run/load.$n.pid
    tries=0
    while [ -d "/proc/$pid" ] && [ $tries -lt 40 ]; do tries=$(( tries + 1 )); usleep 50000; done
    kill -9 "-$pid" 2>/dev/null
    rounds=0
    [ -e /run/load.$n.rounds ] && read -r rounds </run/load.$n.rounds
    say load $n "$rounds"
    if [ -e /run/load.$n.failed ]; then
      bad=1
      { echo "load $(( n + 1 )) failed with exit code $(cat /run/load.$n.failed)"; cat /run/load.$n.out; } >>/run/why
    fi
    n=$(( n + 1 ))
  done
  return $bad
}

say hello "$(uname -r)"
tainted
echo '<6>inarch: the scenario begins' >/dev/kmsg
. /${guestPaths.scenario}
say done
finish
`
}

/**
 * The program that repeats a command of the background load, given by its proof's number and its own, until told to
 * end.
 */
export const guestLoad = `rounds=0
while [ -e /run/load.on ]; do
  sh /${guestPaths.parts}/$1/load.$2 >/run/load.$2.out 2>&1 || { echo $? >/run/load.$2.failed; exit 1; }
  rounds=$(( rounds + 1 ))
  echo $rounds >/run/load.$2.rounds
done
`
