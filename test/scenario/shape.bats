#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shape - what fails where the engine has the wrong shape: shared nodes, forks, time, expiry.
# The others of this kind: a stream on top keeps all windows, and a port that is taken (reload.bats,
# test_stream); a module of an older ABI (abi.bats); wall steps and stops of minutes (test_engine).

load common
setup() { common_setup; }
teardown() { common_teardown; }

# streams TEXT: a configuration of these streams alone.
streams() {
	printf 'role = "slave"; modules = (); state-dir = "%s"; streams = ( %s );\n' "$T" "$1" >"$T/cfg"
	"$SATELLITE" --check --config "$T/cfg"
}

# replay ARGS...: the lines of standard input through them; what came out, as "CLOCK TAP EVENTS".
replay() {
	"$SATELLITE" replay "$@" --config "$T/cfg" - 2>"$T/replay.log" | tee "$T/raw" |
		jq -r '"\(.clock) \(.tap // .does) \([.events[] | .host + "/" + .service + "=" + .state] | join(","))"'
}

ev() {	# AT HOST SERVICE STATE [TTL]
	printf '{"at": %s, "event": {"host": "%s", "service": "%s", "state": "%s"%s}}\n' "$1" "$2" "$3" "$4" "${5:+, \"ttl\": $5}"
}

gives() { diff -u - "$T/out" || { cat "$T/replay.log"; return 1; }; }

@test "a pipe under by shares one throttle in each fork, whichever way leads to it" {
	streams '{ by = "host"; do = { pipe = ( { where = "state = '"'ok'"'"; do = "-"; else = { with = { state = "bad"; }; do = "-"; }; },
		{ throttle = 2; dt = 60; } ); do = { print = "out"; }; }; }'
	{ ev 1 a s ok; ev 2 a s x; ev 3 a s ok; ev 4 a s x; ev 5 b s x; ev 62 a s x; } | replay >"$T/out"
	gives <<-END
		1 out a/s=ok
		2 out a/s=bad
		5 out b/s=bad
		62 out a/s=bad
	END
}

@test "changed with init is right again after its fork's ttl, whatever it last saw" {
	streams '{ by = "host"; do = { changed = "state"; init = "ok"; do = { print = "out"; }; }; }'
	{ ev 0 a s ok 5; ev 0 b s bad 5; ev 100 a s ok 5; ev 100 b s bad 5; ev 101 b s ok 5
	  ev 300 a s bad 5; ev 300 b s ok 5; ev 301 b s bad 5; } | replay >"$T/out"
	gives <<-END
		0 out b/s=bad
		101 out b/s=ok
		300 out a/s=bad
		301 out b/s=bad
	END
}

@test "reinject from inside a coalesce's flush comes after the flush, once" {
	streams '{ where = "service = '"'seen'"'"; do = { print = "again"; };
		else = { coalesce = 10; do = ( "reinject", { print = "list"; } ); }; }, { print = "next"; }'
	{ ev 1 a s ok 15; ev 1 b s ok 15; ev 12 c s ok 5; echo '{"at": 20}'; } | replay >"$T/out"
	# What comes again joins the next list: it never runs inside of the one under way.
	gives <<-END
		1 next a/s=ok
		1 next b/s=ok
		1 list a/s=ok,b/s=ok
		1 next a/s=ok
		1 next b/s=ok
		11 list a/s=ok,b/s=ok
		11 next a/s=ok
		11 next b/s=ok
		12 next c/s=ok
	END
}

@test "a host whose checks go silent one by one leaves, and stays off until they speak" {
	cp "$ROOT/etc/master.cfg" "$T/cfg"
	echo "state-dir = \"$T\";" >>"$T/cfg"
	# Both checks every minute; the disk's falls silent at 1180, the load's at 1360; both speak again at 2400.
	for t in $(seq 1000 60 2700); do
		[ "$t" -ge 1180 ] && [ "$t" -lt 2400 ] || ev "$t" h1 mesos/slave/disk ok 300
		[ "$t" -ge 1360 ] && [ "$t" -lt 2400 ] || ev "$t" h1 mesos/slave/load ok 300
		ev "$t" h2 mesos/slave/disk ok 300
	done >"$T/events"
	replay --reap <"$T/events" >"$T/out"
	# Each host's state after each decision, in the order made.
	state() { awk -v h="$1/" '$2 ~ /^(on|off)-host$/ && $3 ~ "^" h { print $1, $2 }' "$T/out"; }
	state h1 >"$T/h1"
	cat "$T/h1"
	[ "$(awk '$1 < 1430 { print $2 }' "$T/h1" | sort -u)" = on-host ]
	[ "$(awk '$1 >= 1430 && $1 < 2400 { print $2 }' "$T/h1" | sort -u)" = off-host ]
	[ "$(tail -n 1 "$T/h1" | cut -d' ' -f2)" = on-host ]
	[ "$(awk '$1 >= 2400 { print $2 }' "$T/h1" | sort -u)" = on-host ]
	[ "$(state h2 | cut -d' ' -f2 | sort -u)" = on-host ]
	[ -n "$(awk '$1 >= 1430 && $1 < 1500' "$T/h1")" ]
	# The same again, byte for byte.
	cp "$T/raw" "$T/first"
	replay --reap <"$T/events" >/dev/null
	cmp "$T/first" "$T/raw"
}

@test "a stop of seconds expires nothing" {
	port=$(free_port)
	cat >"$T/cfg" <<-END
		role = "slave"; modules = ( "riemann" ); state-dir = "$T";
		riemann = { host = "127.0.0.1"; port = $port; };
		index = { reap = 1; };
		streams = ( "index", { where = "state = 'expired'"; do = { log = "warning"; }; } );
	END
	start node --config "$T/cfg"
	until_true 10 listens "$port"
	riemann-client send -h a -S s -s ok -L 4 127.0.0.1 "$port"
	kill -STOP "$PID"
	sleep 9
	kill -CONT "$PID"
	riemann-client query 'true' 127.0.0.1 "$port" >"$T/answer"
	cat "$T/answer" "$T/node.log"
	grep -q "host = a" "$T/answer"
	[ "$(times node "a s expired")" = 0 ]
	stops "$PID"
}
