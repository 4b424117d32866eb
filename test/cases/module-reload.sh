#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
mtu() { ip link add agc type dummy; cat /sys/class/net/agc/mtu; ip link del agc; }
case $1 in
before|reverted) [ "$(mtu)" = 1500 ];;
after)
	[ "$(mtu)" = 1401 ] || { echo "mtu before the reload is $(mtu)"; exit 1; }
	rmmod dummy || exit 2
	if ! modprobe dummy; then echo "modprobe dummy failed under the live patch:"; dmesg | tail -6; exit 3; fi
	[ "$(mtu)" = 1401 ] || { echo "mtu after the reload is $(mtu)"; exit 4; };;
esac
