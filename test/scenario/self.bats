#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# self - what a master and a slave tell of themselves is what satellite-events.7 says.

load common

setup() {
	common_setup
	PORT=$(free_port) HTTP=$(free_port)
	PAGE=$ROOT/man/satellite-events.7
}
teardown() { common_teardown; }

listed() { sed -nE 's/^\.It Li (satellite\/.*)/\1/p' "$PAGE" | sort -u; }

master() {
	cat >"$T/master.cfg" <<-END
		role = "master"; host = "m1"; state-dir = "$T/m"; leader = "always";
		http = { port = $HTTP; }; riemann = { port = $PORT; };
		modules = ( "riemann", "whitelist" );
		whitelist = { path = "$T/whitelist"; store = "sqlite"; };
		self = { interval = 0.5; };
		streams = ( "index", { where = "service = 'satellite/process/heartbeat'"; do = ( { log = "notice"; } ); } );
	END
	mkdir -p "$T/m"
	start master --config "$T/master.cfg"
	until_true 10 listens "$HTTP"
}

slave() {
	cat >"$T/slave.cfg" <<-END
		role = "slave"; host = "s1"; state-dir = "$T/s";
		forward = { masters = ( "127.0.0.1:$PORT" ); };
		checks = ( { check = "load-average"; interval = 1; }, { command = "sleep 0.3"; service = "nap"; interval = 1; } );
		self = { interval = 0.5; };
	END
	mkdir -p "$T/s"
	start slave --config "$T/slave.cfg"
}

# own HOST: its events about itself that the master has.
own() { get -G --data-urlencode "query=host = '$1' and tagged 'satellite'" "http://127.0.0.1:$HTTP/index"; }
has() { own "$1" | jq -r '.[].service' | grep -qx -- "$2"; }
metric() { own "$1" | jq -r --arg s "$2" '.[] | select(.service == $s) | .metric'; }
over() { [ "$(metric "$1" "$2" | cut -d. -f1)" -ge "$3" ] 2>/dev/null; }

@test "the page lists every figure of the process and of each module" {
	{
		sed -nE 's/.*COUNTER\("([a-z-]+)".*/satellite\/process\/\1/p' lib/self.c "$ROOT/lib/self.c" 2>/dev/null
		for m in "$BUILD"/modules/*.so; do "$SATELLITE" module "$m"; done | tr -d ';' |
			awk '/, ABI / { module = $1 } /^(gauge|counter) / { print "satellite/" module "/" $2 }'
	} | sort -u >"$T/counters"
	[ "$(wc -l <"$T/counters")" -gt 60 ]
	run comm -23 "$T/counters" <(listed)
	echo "not listed: $output"
	[ -z "$output" ]
}

@test "what a master and a slave tell is what the page lists" {
	master
	slave
	until_true 20 has s1 "satellite/check-seconds/mesos/slave/nap"
	until_true 20 has s1 satellite/process/heartbeat
	until_true 20 has m1 satellite/process/heartbeat
	{ own m1; own s1; } | jq -r '.[].service' |
		sed -E "s|(check-seconds)/.*|\1/SERVICE|; s|(forward/master-[a-z]+)/.*|\1/MASTER|" | sort -u >"$T/told"
	run comm -23 "$T/told" <(listed)
	echo "not listed: $output"
	[ -z "$output" ]
	# All of the process, and of the modules that run here.
	listed | grep -E '^satellite/(process|riemann|whitelist|store-sqlite|forward|check-seconds)/' >"$T/wanted"
	run comm -13 "$T/told" "$T/wanted"
	echo "not told: $output"
	[ -z "$output" ]
}

@test "they say how it goes: rates, sizes, durations, what is not ready; and the heart beats" {
	master
	slave
	until_true 20 over m1 satellite/process/events 1
	until_true 20 over m1 satellite/process/index 5
	until_true 20 over m1 satellite/riemann/connections 1
	until_true 20 over m1 satellite/process/memory 1000000
	until_true 20 over m1 satellite/process/stream-time 1
	until_true 20 over s1 satellite/forward/master-up/127.0.0.1:$PORT 1
	nap() { own s1 | jq -e '.[] | select(.service == "satellite/check-seconds/mesos/slave/nap") | .metric > 0.25 and .metric < 5'; }
	until_true 20 nap
	own m1 | jq -e 'all(.[]; .host == "m1" and .tags == ["satellite"] and .ttl == 1.5)'
	beats() { [ "$(times master satellite/process/heartbeat)" -ge 3 ]; }
	until_true 10 beats
	sed -i 's/interval = 0.5/interval = 0/' "$T/master.cfg"
	kill -HUP "${PIDS[0]}"
	heard master reloaded
	n=$(times master 'm1 satellite/process/heartbeat')
	get "http://127.0.0.1:$HTTP/healthz"
	sleep 1
	[ "$(times master 'm1 satellite/process/heartbeat')" -le $((n + 1)) ]
}
