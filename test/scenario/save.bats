#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# save - what a restart is to know is written while events pour, and is whole whenever the process is killed.

load common

setup() {
	common_setup
	PORT=$(free_port)
	HTTP=$(free_port)
	cat >"$T/cfg" <<-END
		role = "master"; state-dir = "$T/state"; modules = ( "riemann" ); save = 1;
		http = { port = $HTTP; }; riemann = { port = $PORT; }; index = { ttl = 3600; };
		streams = ( "index", { by = "host"; do = { changed = "state"; do = "bit-bucket"; }; } );
	END
	mkdir -p "$T/state"
}
teardown() { common_teardown; }

run_it() {
	start "$1" --config "$T/cfg"
	MASTER=$PID
	until_true 20 listens "$HTTP"
	until_true 10 listens "$PORT"
}
entries() { get "http://127.0.0.1:$HTTP/status" | jq .index; }

@test "kill -9 in the middle of a save leaves a whole file, which has all that there was before" {
	run_it first
	"$BUILD/test/bench/load" "$PORT" 1 64 100 30000 2 >/dev/null
	[ "$(entries)" -ge 30000 ]
	rm -f "$T/state/state"
	until_true 20 test -s "$T/state/state"
	for i in 1 2 3 4 5; do
		"$BUILD/test/bench/load" "$PORT" 1 4 100 30000 3 >/dev/null 2>&1 3>&- &
		local loading=$!
		# Some are killed as soon as a part of the next file is there, others at any moment.
		if [ $((i % 2)) = 1 ]; then until_true 20 test -e "$T/state/state.part"; else sleep "0.$((RANDOM % 10))"; fi
		kill -9 "$MASTER"
		wait "$MASTER" "$loading" || true
		run_it "next$i"
		[ "$(times "next$i" 'damaged')" = 0 ]
		[ "$(entries)" -ge 30000 ]
	done
	part_gone() { [ ! -e "$T/state/state.part" ]; }
	until_true 20 part_gone
	stops "$MASTER"
}
