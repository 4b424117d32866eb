#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# With the live patch: the module goes, comes again with a parameter that its init refuses, and again without.
coming() { dmesg | grep -c "to loading module 'loop'"; }
case $1 in
before|reverted) [ -e /dev/loop0 ];;
after)
	rmmod loop || exit 2
	came=$(coming)
	if modprobe loop max_part=1000000 2>/dev/null; then exit 3; fi
	[ $(coming) -gt $came ] || exit 3
	for again in 1 2; do
		if ! modprobe loop; then echo "modprobe loop failed under the live patch:"; dmesg | tail -6; exit 4; fi
		[ -e /dev/loop0 ] || exit 5
		[ $again = 2 ] || rmmod loop || exit 6
	done
	dmesg | grep -q 'loop_add 0, max_part 0' || exit 7;;
esac
