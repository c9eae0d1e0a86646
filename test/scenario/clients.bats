#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# clients - what others wrote, against the doors: the npm client of Riemann, node's WebSockets, a browser.

load common

setup() {
	common_setup
	HTTP=$(free_port)
	PORT=$(free_port)
	export NODE_PATH=$ROOT/build-npm/node_modules
	cat >"$T/master.cfg" <<-END
		role = "master";
		state-dir = "$T/state";
		http = { port = $HTTP; };
		modules = ( "riemann" );
		riemann = { port = $PORT; };
		streams = ( "index" );
	END
	mkdir -p "$T/state"
	start master --config "$T/master.cfg"
	MASTER=$PID
	until_true 10 listens "$HTTP"
	until_true 10 listens "$PORT"
}
teardown() { common_teardown; }

# client SECONDS SCRIPT ARGS...: it ends well, in time.
client() {
	run timeout "$1" node "$ROOT/test/clients/$2.js" "${@:3}"
	cut -c1-2000 <<<"$output"
	[ "$status" = 0 ]
	[[ $output == *'all is well' ]]
}
counted() { [ "$(get "http://127.0.0.1:$HTTP/status" | jq -r ".instances[] | select(.name == \"$1\").counters[\"$2\"]")" = "$3" ]; }

@test "npm's riemann: TCP, UDP, queries" {
	client 30 riemann "$PORT"
	counted riemann malformed 0
	counted riemann datagrams 100
	counted riemann datagrams-dropped 0
	stops "$MASTER"
}

@test "node's WebSockets: messages in pieces, too long, wrong" {
	client 30 events "$HTTP"
	counted http-civetweb wrong-frames 4
	stops "$MASTER"
}

@test "WebSocket and SSE in node: each update of a storm of 100,000 once; the deaf are let go" {
	client 90 follow "$HTTP" "$MASTER"
	stops "$MASTER"
}

@test "Chromium: each update of a storm of 100,000 once; other pages read, and change nothing" {
	client 120 browser "$HTTP" "$T/chromium"
	stops "$MASTER"
}
