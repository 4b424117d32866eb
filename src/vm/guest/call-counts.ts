// SPDX-License-Identifier: GPL-3.0-or-later
// The guest's verbs with which its kernel counts how often the new code of a live patch runs, and which make it run. A
// kprobe event on the first instruction counts; it belongs to a trace instance that records nothing, so that the global
// buffer stays the user's. On a function's ftrace entry such a probe is a call of ftrace's, and no task of a transition
// minds it.

export const guestCounts = `tracing=/sys/kernel/tracing counts=/sys/kernel/tracing/instances/inarch probes=

# probed PATCH SECTION OFFSET…: the kernel counts from now on how often these places of a live patch run.
probed() {
  probes=$*
  patch=$1 n=0; shift
  mkdir $counts 2>/dev/null && echo 0 >$counts/tracing_on
  : >/run/unprobed
  while [ $# -gt 1 ]; do
    # The kernel gives this file only in one piece.
    base=$(cat "/sys/module/$patch/sections/$1" 2>/dev/null)
    if [ -z "$base" ]; then
      echo "$n the kernel does not show where $1 of the module is" >>/run/unprobed
    elif ! printf 'p:inarch/inarch_%d 0x%x\n' $n $(( base + $2 )) 2>/run/probe >>$tracing/kprobe_events; then
      echo "$n the kernel takes no probe there" >>/run/unprobed
    elif ! echo 1 2>/run/probe >"$counts/events/inarch/inarch_$n/enable"; then
      echo "$n the kernel does not enable a probe there" >>/run/unprobed
    fi
    n=$(( n + 1 )); shift 2
  done 2>/dev/null
}

# counted ORDER: tells how often they ran, and ends the counting.
counted() {
  while read -r name hits missed; do
    case $name in inarch_*) say ran "$1" \${name#inarch_} $(( hits + missed ));; esac
  done <$tracing/kprobe_profile
  while read -r n why; do
    echo "$why" >/run/probe
    say ran "$1" $n - "$(encoded /run/probe)"
  done </run/unprobed
  echo 0 >$counts/events/inarch/enable
  n=0
  for word in $probes; do
    echo "-:inarch/inarch_$n" >>$tracing/kprobe_events
    n=$(( n + 1 ))
  done
  rmdir $counts
} 2>/dev/null

# True while something that is counted has never run, or nothing is counted.
idling() {
  some=
  while read -r name hits missed; do
    case $name in inarch_*) some=yes; [ "$hits$missed" = 00 ] && return 0;; esac
  done <$tracing/kprobe_profile 2>/dev/null
  [ -z "$some" ]
}

# exercised PART COUNT LIMIT: does one thing after the other that may make the kernel run what is replaced, until all of it ran or
# LIMIT seconds are over. How a thing ends says nothing; what it leaves running is killed.
exercised() {
  clock
  over=$(( now + $3 )) n=0
  mkdir -p /run/exercise /tmp/exercise
  mount -t cgroup2 none /run/exercise 2>/dev/null && mkdir -p /run/exercise/inarch
  tainted
  while [ $n -lt "$2" ] && [ $now -lt $over ] && idling; do
    say exercise $n
    ( [ -e /run/exercise/inarch/cgroup.procs ] && echo 0 >/run/exercise/inarch/cgroup.procs
      cd /tmp/exercise
      exec timeout -s KILL $(( over - now + 2 )) sh "/inarch/parts/$1/exercise.$n" ) >/run/output 2>&1 </dev/null 3>&-
    say exercised $n $?
    tainted
    [ -e /run/exercise/inarch/cgroup.kill ] && echo 1 >/run/exercise/inarch/cgroup.kill
    n=$(( n + 1 ))
    clock
  done
  tries=0
  while ! rmdir /run/exercise/inarch 2>/dev/null && [ $tries -lt 40 ]; do tries=$(( tries + 1 )); usleep 50000; done
  umount /run/exercise 2>/dev/null
  rm -rf /tmp/exercise
  return 0
}
`
