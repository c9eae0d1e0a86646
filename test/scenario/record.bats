#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# record - what a living satellite records, replay runs again: the same comes out.

load common

setup() {
	common_setup
	PORT=$(free_port) HTTP=$(free_port)
}
teardown() {
	if mountpoint -q "$T/small"; then
		for p in "${PIDS[@]}"; do kill -KILL "$p" 2>/dev/null || true; wait "$p" 2>/dev/null || true; done
		umount "$T/small"
	fi
	common_teardown
}

# config MORE: a door, and streams whose outputs depend on nothing but the events.
config() {
	cat >"$T/cfg" <<-END
		role = "slave"; state-dir = "$T/state"; $1
		http = { port = $HTTP; }; riemann = { port = $PORT; }; modules = ( "riemann" );
		index = { ttl = 1; reap = 0.2; };
		streams = ( "index", { by = "host"; do = (
			{ changed-state = ( { log = "notice"; } ); },
			{ fixed-event-window = 7; do = { smap = "sum"; do = { log = "notice"; }; }; },
			{ where = "state = 'expired'"; do = { log = "notice"; }; } ); } );
	END
	mkdir -p "$T/state"
}

send() { riemann-client send -h "h$((i % 5))" -S s -s "$([ $((i % 3)) = 0 ] && echo critical || echo ok)" -i "$i" "127.0.0.1" "$PORT"; }
counter() { get "http://127.0.0.1:$HTTP/status" | jq -r --arg c "$1" '.counters[$c]'; }
counted() { [ "$(counter "$1")" -ge "$2" ]; }

@test "recording, then replaying, gives the same outputs" {
	config 'record = "events.json";'
	start live --config "$T/cfg"
	until_true 10 listens "$PORT"
	for i in $(seq 60); do send; done
	get -d '{"host":"h1","service":"over http","state":"ok","metric":12,"time":5.000001}' "http://127.0.0.1:$HTTP/events" >"$T/reply" || true
	until_true 10 counted expired 5
	stops "$PID"
	grep -q '"expire": true' "$T/state/events.json"
	[ "$(grep -c '"event"' "$T/state/events.json")" = 61 ]
	"$SATELLITE" replay --config "$T/cfg" "$T/state/events.json" >"$T/one"
	"$SATELLITE" replay --config "$T/cfg" - <"$T/state/events.json" | cmp "$T/one" -
	# What the living one logged, in its order; replay says the same, and nothing else.
	sed -nE 's/.*show: (h[0-9] .*)/\1/p' "$T/live.log" >"$T/lived"
	jq -r 'select(.does == "log") | .events[] | [.host, .service, .state, .metric] | map(select(. != null) | tostring) | join(" ")' "$T/one" >"$T/replayed"
	wc -l "$T/lived"
	[ "$(wc -l <"$T/lived")" -ge 15 ]
	diff "$T/lived" "$T/replayed"
}

@test "the file has a maximum, and the one before is kept" {
	config 'record = "events.json"; record-max = 65536;'
	start live --config "$T/cfg"
	until_true 10 listens "$PORT"
	"$BUILD/test/bench/load" "$PORT" 1 1 100 1000 3 >"$T/load"
	until_true 10 test -s "$T/state/events.json.1"
	stops "$PID"
	for f in "$T"/state/events.json*; do jq -e .at "$f" >/dev/null; done
	[ "$(ls "$T"/state/events.json* | wc -l)" = 2 ]
}

@test "a disk that takes nothing holds nobody up, and is counted" {
	mkfifo "$T/slow"
	config "record = \"$T/slow\";"
	start live --config "$T/cfg"
	until_true 10 listens "$PORT"
	"$BUILD/test/bench/load" "$PORT" 1 4 100 1000 3 >"$T/load"
	until_true 10 counted record-dropped 1
	[ "$(status_of "http://127.0.0.1:$HTTP/healthz")" = 200 ]
	sed -i 's/^.*record = .*$/role = "slave"; state-dir = "'"${T//\//\\/}"'\/state";/' "$T/cfg"
	kill -HUP "$PID"
	heard live reloaded
	i=1
	send
}

@test "a disk that is full for a while leaves whole lines" {
	[ "$(id -u)" = 0 ] || skip "needs root to mount"
	mkdir "$T/small"
	mount -t tmpfs -o size=64k none "$T/small" 2>/dev/null || skip "cannot mount here"
	config "record = \"$T/small/events.json\";"
	start live --config "$T/cfg"
	until_true 10 listens "$PORT"
	"$BUILD/test/bench/load" "$PORT" 1 1 100 1000 1 >"$T/load"
	until_true 10 heard live "No space left"
	tail -c 1 "$T/small/events.json" | od -An -c | grep -qF '\n'
	mount -o remount,size=64m "$T/small"
	i=1
	send
	until_true 10 grep -q '"h1"' "$T/small/events.json"
	stops "$PID"
	jq -e .at "$T/small/events.json" >/dev/null
	"$SATELLITE" replay --config "$T/cfg" "$T/small/events.json" >/dev/null
}
