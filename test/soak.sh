#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# soak.sh - an hour of events through the sample streams, and windows in forks: is memory flat after 5 minutes?
#
# soak.sh [SECONDS [RATE [HOSTS]]]   default 3600 10000 1000; the seconds are those of the events
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
case ${O:-build} in /*) build=$O ;; *) build=$root/${O:-build} ;; esac
seconds=${1:-3600} rate=${2:-10000} hosts=${3:-1000}
dir=$(mktemp -d)
pids=
# shellcheck disable=SC2086
trap 'kill $pids 2>/dev/null || :; rm -rf "$dir"' EXIT

cat >"$dir/soak.streams" <<'END'
{ where = "service = 'soak/tick'"; do = { print = "tick"; }; },
# What comes once and never again is forgotten, by these:
{ by = ( "host", "service" ); do = (
	{ moving-time-window = 30; do = { smap = "mean"; do = "bit-bucket"; }; },
	{ throttle = 5; dt = 60; do = "bit-bucket"; } ); },
# and these remember what there was, for a day.
{ where = "service =~ 'mesos/slave/%'"; do = { by = ( "host", "service" ); do = (
	{ rate = 10; do = { ewma-timeless = 0.5; do = "bit-bucket"; }; },
	{ ewma-timeless = 0.5; do = { changed-state = "bit-bucket"; }; },
	{ runs = 3; do = { stable = 20; do = "bit-bucket"; }; } ); }; },
{ by = "host"; do = (
	{ coalesce = 30; do = { smap = "maximum"; do = "bit-bucket"; }; },
	{ rollup = 5; dt = 60; do = "bit-bucket"; },
	{ percentiles = 30; points = ( 0.5, 0.99 ); do = "bit-bucket"; } ); },
{ fixed-time-window = 5; do = { smap = "count"; do = "bit-bucket"; }; },
{ batch = 100; dt = 1; do = { sflatten = "bit-bucket"; }; },
END
# The sample's streams as they stand, behind ours.
{
	printf 'role = "master"; state-dir = "%s"; modules = ();\nstreams = (\n' "$dir"
	cat "$dir/soak.streams"
	sed '1,/^streams = (/d' "$root/etc/master.cfg"
} >"$dir/cfg"
"$build/satellite" --check --config "$dir/cfg"

mkfifo "$dir/in" "$dir/out"
"$build/test/bench/flood" "$seconds" "$rate" "$hosts" >"$dir/in" &
pids="$pids $!"
stdbuf -oL "$build/satellite" replay --reap --config "$dir/cfg" - <"$dir/in" >"$dir/out" 2>"$dir/log" &
pid=$!
pids="$pids $pid"
began=$(date +%s)
awk -v status="cat /proc/$pid/status 2>/dev/null" -v seconds="$seconds" '
	function rss(  l, f) {	# 0: it has ended; awk itself would end, too, if it did while awk reads
		kib = 0
		while ((status | getline l) > 0)
			if (split(l, f) > 1 && f[1] == "VmRSS:") kib = f[2] + 0
		close(status)
		return kib
	}
	/"tap": "tick"/ {
		match($0, /"clock": [0-9]+/)
		at = substr($0, RSTART + 9, RLENGTH - 9) + 0
		kib = rss()
		if (at >= 300 && at <= (300 + seconds) / 2 && kib > first) first = kib
		if (at > (300 + seconds) / 2 && kib > later) later = kib
		if (at % 300 == 0) { printf "%5d s  %7d KiB\n", at, kib; fflush() }
	}
	END {
		printf "memory after 5 minutes: at most %d KiB, then, in the second half, %d KiB\n", first, later
		exit !(first > 0 && later > 0 && later <= first * 1.1 + 2048)
	}' <"$dir/out"
wait "$pid"
[ ! -s "$dir/log" ] || { cat "$dir/log"; exit 1; }
echo "events: $((seconds * rate)) in $(($(date +%s) - began)) s"
