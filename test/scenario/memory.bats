#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# memory - a storm of names stays within memory-max, is counted, harms nobody else, and passes.

load common

setup() {
	common_setup
	PORT=$(free_port) HTTP=$(free_port)
	LOAD=$BUILD/test/bench/load
}
teardown() { common_teardown; }

config() {	# MEMORY-MAX
	cat >"$T/master.cfg" <<-END
		role = "master"; host = "m1"; state-dir = "$T/state"; leader = "always"; memory-max = $1;
		http = { port = $HTTP; }; riemann = { port = $PORT; }; modules = ( "riemann" );
		index = { reap = 0.2; }; self = { interval = 0; };
		streams = (
		  { where = "host =~ 'agent%'"; do = ( { with = { ttl = 4; };
		    do = ( "index", { by = "host service"; do = ( { moving-event-window = 3; } ); } ); } );
		    else = ( "index" ); }
		);
	END
}

count() { get "http://127.0.0.1:$HTTP/status" | jq -r --arg n "$1" '.counters[$n]'; }
over() { [ "$(count "$1")" -gt "$2" ]; }
within() { [ "$(count "$1")" -le "$2" ]; }
rss() { awk '/^VmRSS/ { print $2 * 1024 }' "/proc/$PID/status"; }
say() { get -X PUT -d "{\"host\": \"$1\", \"service\": \"s\", \"state\": \"$2\", \"ttl\": 600}" "http://127.0.0.1:$HTTP/events"; }
state_of() { get -G --data-urlencode "query=host = '$1'" "http://127.0.0.1:$HTTP/index" | jq -r '.[].state'; }
taken() { say "$1" ok && [ "$(state_of "$1")" = ok ]; }

# A second of ever new names, until both the index and `by` have had enough of them.
storms() { "$LOAD" "$PORT" 1 4 100 400000 1 && over memory-refused 0 && over forks-dropped 0; }

@test "a storm of names stays within memory-max and is counted; what is known goes on; and it passes" {
	config 16777216
	start master --config "$T/master.cfg"
	until_true 10 listens "$HTTP"
	until_true 10 taken known
	before=$(rss)
	until_true 30 storms
	within memory-events $((16777216 / 2 + 262144))
	within memory-forks $((16777216 / 4))
	# A sanitizer has memory of its own.
	echo "resident: $before, then $(rss)"
	[ -n "${SAN:-}" ] || [ "$(rss)" -le $((before + 16777216 + 4194304)) ]
	said master "index: the index is full"
	say known critical
	[ "$(state_of known)" = critical ]
	# The storm's names expire, and there is room for others.
	until_true 20 taken newcomer
	[ "$(state_of known)" = critical ]
	until_true 20 within memory-events $((16777216 / 2 * 14 / 16))
	stops "$PID"
}

@test "a reload with less memory lets go of the oldest, one with more takes in" {
	config 33554432
	start master --config "$T/master.cfg"
	until_true 10 listens "$HTTP"
	until_true 30 storms
	over memory-forks $((33554432 / 8))
	config 16777216
	kill -HUP "$PID"
	until_true 10 within memory-max 16777216
	until_true 20 within memory-forks $((16777216 / 4))
	until_true 20 taken newcomer
	config 67108864
	kill -HUP "$PID"
	until_true 10 over memory-max 16777216
	until_true 20 taken another
	[ "$(state_of newcomer)" = ok ]
	stops "$PID"
}

@test "a memory-max that is none is refused with its place" {
	for wrong in 1000 '"many"' 1.5; do
		config "$wrong"
		run "$SATELLITE" --check --config "$T/master.cfg"
		echo "$output"
		[ "$status" != 0 ]
		[[ $output == *"master.cfg:1: memory-max: "* ]]
	done
}
