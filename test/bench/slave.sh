#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# slave.sh - what a slave costs its host, beside collectd with the same checks: resident memory, CPU a minute.
#
# Both run at the same time, once with checks every 60 s and once every 10 s, and send to one server that
# reads and acknowledges.  MINUTES=N measures so long (2).  CPU is what the scheduler counted, in ns.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=test/scenario/common.bash
. test/scenario/common.bash
BATS_TEST_DIRNAME=$PWD/test/scenario BATS_TEST_COMPLETED=1
common_setup
trap common_teardown EXIT
minutes=${MINUTES:-2}
port=$(free_port)
collectd=$(PATH=$PATH:/usr/sbin command -v collectd || true)

"$BUILD/test/bench/readack" "$port" &
PIDS+=("$!")
until_true 10 listens "$port"

# The sample's checks, and the one that collectd's processes plugin is.
slave() {	# INTERVAL: sets PID
	mkdir -p "$T/s$1"
	sed -n '/^checks = (/,/^);/p' etc/slave.cfg | sed "s/interval = 60/interval = $1/" >"$T/checks"
	sed -i "s/^checks = (/&\n  { check = \"num-uninterruptable-processes\"; interval = $1; threshold = 100; },/" "$T/checks"
	cat >"$T/s$1.cfg" <<-END
		role = "slave"; state-dir = "$T/s$1";
		forward = { masters = ( "127.0.0.1:$port" ); };
		$(cat "$T/checks")
	END
	start "s$1" --config "$T/s$1.cfg"
}

collect() {	# INTERVAL: sets PID
	mkdir -p "$T/c$1"
	cat >"$T/c$1.conf" <<-END
		Hostname "c"
		FQDNLookup false
		BaseDir "$T/c$1"
		PIDFile "$T/c$1/pid"
		PluginDir "/usr/lib/collectd"
		TypesDB "/usr/share/collectd/types.db"
		Interval $1
		LoadPlugin load
		LoadPlugin memory
		LoadPlugin swap
		LoadPlugin df
		LoadPlugin processes
		LoadPlugin write_riemann
		<Plugin df>
		  MountPoint "/"
		</Plugin>
		<Plugin write_riemann>
		  <Node "n">
		    Host "127.0.0.1"
		    Port "$port"
		    Protocol TCP
		  </Node>
		</Plugin>
	END
	LD_PRELOAD=$T/mended.so "$collectd" -f -C "$T/c$1.conf" >"$T/c$1.log" 2>&1 &
	PID=$!
	PIDS+=("$PID")
}

cpu() { cat /proc/"$1"/task/*/schedstat | awk '{ n += $1 } END { printf "%.0f", n }'; }
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }

names=() pids=() before=()
add() { names+=("$1"); pids+=("$PID"); }
for i in 60 10; do
	slave $i; add "satellite $i"
	[ -z "$collectd" ] || {
		[ -e "$T/mended.so" ] || cc -shared -fPIC -o "$T/mended.so" test/clients/collectd.c -lriemann-client
		collect $i; add "collectd $i"
	}
done
sleep 15	# what starting costs is not meant: every check has run once
for p in "${pids[@]}"; do before+=("$(cpu "$p")"); done
sleep $((60 * minutes))
for k in "${!pids[@]}"; do
	runs "${pids[$k]}" || { echo "${names[$k]} has ended" >&2; tail -n 5 "$T"/[cs]*.log >&2; exit 1; }
	echo "${names[$k]} $(($(cpu "${pids[$k]}") - before[k])) $(rss "${pids[$k]}")"
done >"$T/figures"
awk -v minutes="$minutes" '
	function line(what, unit, wanted, got) {
		printf "%-58s %-13s %7s %8s  %s\n", what, unit, wanted, sprintf("%.2f", got),
			wanted == "-" ? "" : got <= wanted ? "yes" : "NO"
	}
	{ ms[$1, $2] = $3 / 1e6 / minutes; mib[$1, $2] = $4 / 1024; here[$1] = 1 }
	END {
		printf "%-58s %-13s %7s %8s  %s\n", "figure", "", "wanted", "here", "reached"
		line("slave, resident memory", "MiB", 4, mib["satellite", 60])
		line("slave, CPU, checks every 60 s", "ms a minute", 4, ms["satellite", 60])
		line("slave, CPU, checks every 10 s", "ms a minute", 20, ms["satellite", 10])
		if (!("collectd" in here))
			exit
		line("collectd with the same checks, resident memory", "MiB", "-", mib["collectd", 60])
		line("collectd, CPU, checks every 60 s", "ms a minute", "-", ms["collectd", 60])
		line("collectd, CPU, checks every 10 s", "ms a minute", "-", ms["collectd", 10])
		line("slave, resident memory", "of collectd", 1, mib["satellite", 60] / mib["collectd", 60])
		line("slave, CPU, checks every 60 s", "of collectd", 1, ms["satellite", 60] / ms["collectd", 60])
		line("slave, CPU, checks every 10 s", "of collectd", 1, ms["satellite", 10] / ms["collectd", 10])
	}' "$T/figures"
