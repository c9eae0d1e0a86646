#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh - events/s, CPU, memory and the time to an answer, beside a server that only reads and acknowledges.
#
# SECONDS_EACH=N measures for N seconds a row (2); ROWS="events:depth:connections:keys …" says which.
# What a busy machine does to a rate it does to read-and-ack's, too; CPU per event it leaves alone.  So
# a rate is also given for one core, that is, for as much of one as the server had.
set -eu
cd "$(dirname "$0")/../.."
O=${O:-build}
each=${SECONDS_EACH:-2}
rows=${ROWS:-1:1:1:1000 1:1:4:1000 1:64:1:1000 1:64:4:1000 100:1:1:1000 100:1:4:1000 100:64:1:1000 100:64:4:1000
	100:64:1:10000 100:64:1:100000 100:64:1:1000000 1:64:4:1000000}
dir=$(mktemp -d)
pids=
trap 'kill $pids 2>/dev/null; wait; rm -rf "$dir"' EXIT
ticks=$(getconf CLK_TCK)
load=$O/test/bench/load
index='streams = ( "index" );'
sample=$(sed -n '/^streams = (/,/^);/p' etc/master.cfg)

free_port() {
	local port
	while port=$((10000 + RANDOM % 22000)); grep -qsx $port "$dir/.ports" || ss -Hltn "sport = :$port" | grep -q .; do :; done
	echo "$port" | tee -a "$dir/.ports"
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
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }

readack() {	# sets port and pid
	port=$(free_port)
	"$O/test/bench/readack" "$port" &
	pid=$!
	pids="$pids $pid"
	answers "$port"
}

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

# A row of the table, and one for figures.awk.
measure() {	# NAME PORT PID EVENTS DEPTH CONNECTIONS KEYS
	local before after rate errors p50 p99
	"$load" "$2" "$6" "$5" "$4" "$7" $((1 + $7 / 300000)) > /dev/null	# warm: every key is known
	before=$(cpu "$3")
	read -r rate errors p50 p99 <<< "$("$load" "$2" "$6" "$5" "$4" "$7" "$each")"
	after=$(cpu "$3")
	[ "$1" != readack ] || reference=$rate
	awk -v name="$1" -v e="$4" -v d="$5" -v c="$6" -v k="$7" -v rate="$rate" -v ticks="$((after - before))" \
		-v hz="$ticks" -v secs="$each" -v ref="$reference" -v p50="$p50" -v p99="$p99" -v errors="$errors" \
		-v rss="$(rss "$3")" -v rows="$dir/rows" 'BEGIN {
			core = ticks / hz / secs
			printf "%-8s %6d %5d %5d %7d %9.3f %6.0f %8.4f %7.2f %7s %7s %7.1f %6d\n", name, e, d, c, k, rate / 1e6,
				100 * core, core / (rate / 1e6), rate / ref, (p50 > 0 ? p50 : "-"), (p99 > 0 ? p99 : "-"),
				rss / 1024, errors
			print "row", name, e, d, c, k, core / (rate / 1e6) >> rows
		}'
}

echo "                                       10^6 events  % of a    CPU s  ratio to   ack µs          RSS"
echo "server   events depth conns    keys     a second    core  per 10^6  readack     p50     p99     MiB errors"
readack
readack_is="$port $pid"
satellite index "$index"
index_is="$port $pid"
satellite sample "$sample"
sample_is="$port $pid"
for row in $rows; do
	IFS=: read -r events depth conns keys <<< "$row"
	# shellcheck disable=SC2086
	{
		measure readack $readack_is "$events" "$depth" "$conns" "$keys"
		measure index $index_is "$events" "$depth" "$conns" "$keys"
		measure sample $sample_is "$events" "$depth" "$conns" "$keys"
	}
done

# Memory: a new process, which has had a message, then 100,000 entries.
for name in index sample; do
	satellite "$name-memory" "${!name}"
	"$load" "$port" 1 1 100 1 1 > /dev/null
	before=$(rss "$pid")
	"$load" "$port" 1 64 100 100000 3 > /dev/null
	echo "memory $name $(($(rss "$pid") - before))" >> "$dir/rows"
done

# Answers: one message to each of the three in turn, so that all of them wait for the machine alike.
for _ in 1 2 3 4 5; do
	"$load" "${readack_is% *},${index_is% *},${sample_is% *}" 1 1 1 1000 "$each" > "$dir/turns"
	paste -d' ' <(printf '%s\n' readack index sample) "$dir/turns" |
		awk '{ print "turn", $1, $4, $5 }' >> "$dir/rows"
done

echo
awk -f test/bench/figures.awk "$dir/rows"
