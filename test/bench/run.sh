#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh - events/s and CPU per million events, beside a server that only reads and acknowledges.
#
# SECONDS_EACH=N measures for N seconds a figure (2); ROWS="events:depth:connections:keys …" says which.
set -eu
cd "$(dirname "$0")/../.."
O=${O:-build}
each=${SECONDS_EACH:-2}
rows=${ROWS:-1:1:1:1000 1:64:1:1000 1:64:4:1000 100:64:1:1000 100:64:4:1000 100:64:1:100000}
dir=$(mktemp -d)
pids=
trap 'kill $pids 2>/dev/null; wait; rm -rf "$dir"' EXIT
ticks=$(getconf CLK_TCK)

free_port() {
	local port
	while port=$((20000 + RANDOM)); ss -Hltn "sport = :$port" | grep -q .; do :; done
	echo "$port"
}

answers() {	# PORT
	for _ in $(seq 100); do
		(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
		sleep 0.1
	done
	echo "bench: nobody listens on port $1" >&2
	cat "$dir"/*.log >&2
	exit 1
}

cpu() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
rss() { awk '/^VmRSS/ { printf "%.1f", $2 / 1024 }' "/proc/$1/status"; }

satellite() {	# NAME STREAMS: sets port and pid
	port=$(free_port)
	mkdir -p "$dir/$1"
	seq -f 'agent%.0f.example.com' 0 99 > "$dir/$1/whitelist"
	cat > "$dir/$1.cfg" <<-END
		role = "master";
		state-dir = "$dir/$1";
		http = { port = $(free_port); };
		modules = ( "riemann" );
		riemann = { port = $port; };
		$2
	END
	"$O/satellite" --config "$dir/$1.cfg" > "$dir/$1.log" 2>&1 &
	pid=$!
	pids="$pids $pid"
	answers "$port"
}

measure() {	# NAME PORT PID EVENTS DEPTH CONNECTIONS KEYS
	local before after rate errors p50 p99
	"$O/test/bench/load" "$2" "$6" "$5" "$4" "$7" 1 > /dev/null	# warm: every key is known
	before=$(cpu "$3")
	read -r rate errors p50 p99 <<< "$("$O/test/bench/load" "$2" "$6" "$5" "$4" "$7" "$each")"
	after=$(cpu "$3")
	[ "$1" != readack ] || reference=$rate
	awk -v name="$1" -v e="$4" -v d="$5" -v c="$6" -v k="$7" -v rate="$rate" -v ticks="$((after - before))" \
		-v hz="$ticks" -v secs="$each" -v ref="$reference" -v p50="$p50" -v p99="$p99" -v errors="$errors" -v rss="$(rss "$3")" \
		'BEGIN { printf "%-8s %6d %5d %5d %7d %10.0f %8.4f %7.2f %7s %7s %7s %6d\n", name, e, d, c, k, rate, \
		ticks / hz / (rate * secs / 1e6), rate / ref, (p50 > 0 ? p50 : "-"), (p99 > 0 ? p99 : "-"), rss, errors }'
}

port=$(free_port)
"$O/test/bench/readack" "$port" &
readack="$port $!"
pids="$pids $!"
answers "$port"
satellite index 'streams = ( "index" );'
index="$port $pid"
satellite sample "$(sed -n '/^streams = (/,/^);/p' etc/master.cfg)"
sample="$port $pid"

echo "                                             events/s   CPU s  ratio to   ack µs          RSS"
echo "server   events depth conns    keys            per s  per 10^6  readack     p50     p99     MiB errors"
for row in $rows; do
	IFS=: read -r events depth conns keys <<< "$row"
	# shellcheck disable=SC2086
	{
		measure readack $readack "$events" "$depth" "$conns" "$keys"
		measure index $index "$events" "$depth" "$conns" "$keys"
		measure sample $sample "$events" "$depth" "$conns" "$keys"
	}
done
