#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# guard.bats - what stands between the streams and the hosts, and never between a person and a host.

load common

setup() {
	common_setup
	PORT=$(free_port) RIEMANN=$(free_port)
	URL=http://127.0.0.1:$PORT
	FILE=$T/whitelist
	MODULES='"riemann", "whitelist"' GUARD= EXTRA=
	config
}

teardown() { common_teardown; }

config() {
	cat >"$T/master.cfg" <<-END
	role = "master";
	state-dir = "$T/state";
	http = { host = "127.0.0.1"; port = $PORT; };
	modules = ( $MODULES );
	riemann = { host = "127.0.0.1"; port = $RIEMANN; };
	whitelist = { path = "$FILE"; resolve = false; guard = { $GUARD }; };
	$EXTRA
	streams = ( { where = "service = 'check'"; do = ( { where = "state = 'critical'";
	  do = ( "off-host" ); else = ( "on-host" ); } ); } );
	END
}

# master N: with the hosts h1 to hN.
master() {
	[ -z "${1:-}" ] || seq -f 'h%g' 1 "$1" >"$FILE"
	start master --config "$T/master.cfg"
	MASTER=$PID
	heard master 'hosts in the store'
	[ -z "${1:-}" ] || heard master "imported $1 hosts"
}

says() { riemann-client send -h "$1" -S check -s "$2" 127.0.0.1 "$RIEMANN"; }
is_off() { ! grep -qx "$1" "$FILE"; }
is_on() { grep -qx "$1" "$FILE"; }
off() { comm -23 <(seq -f 'h%g' 1 "$1" | sort) <(sort "$FILE") | wc -l; }
off_is() { [ "$(off "$1")" = "$2" ]; }
guard_says() { sat guard | grep -qF "$1"; }
verdict() { get "$URL/whitelist/host/$1" | jq -r '.satellite.verdict'; }

@test "one bad host leaves within a second, the next one waits for its time, and a person never waits" {
	master 40
	says h1 critical
	until_true 2 is_off h1
	says h2 critical
	until_true 5 guard_says '1 deferred: as many hosts were turned off lately as may be'
	[[ $(verdict h2) == 'deferred: as many hosts were turned off lately as may be' ]]
	stays_true 1 is_on h2
	[[ $(sat hosts h2) == *'wished off, deferred'* ]]
	sat off h2 --reason "seen to smoke"
	until_true 2 is_off h2
	sat off h3
	until_true 2 is_off h3
}

@test "what is deferred is done when its time has come, if it is still wished" {
	GUARD='rate-per = 3; min-on-time = 0; min-off-time = 0;'
	config
	master 40
	says h1 critical
	says h2 critical
	says h3 critical
	until_true 2 is_off h1
	is_on h2
	says h2 ok
	until_true 15 is_off h3
	is_on h2
	says h1 ok
	until_true 5 is_on h1
}

@test "of three hosts at most one goes, and min-on stay" {
	GUARD='rate = 1; breaker = 1;'
	config
	master 3
	says h1 critical; says h2 critical; says h3 critical
	until_true 3 off_is 3 1
	stays_true 2 off_is 3 1
	guard_says 'as few hosts are on as must stay on'
}

@test "too many at once: the breaker latches, over a restart, until a person resets it" {
	GUARD='rate = 1; max-off = 1; min-on-time = 0;'
	config
	master 10
	says h1 critical; says h2 critical
	until_true 3 off_is 10 2
	says h3 critical
	until_true 5 guard_says latched
	heard master 'satellite guard reset'
	stays_true 2 is_on h3
	stops "$MASTER"
	mv "$T/master.log" "$T/before.log"
	master
	until_true 5 guard_says latched
	says h3 critical
	stays_true 2 is_on h3
	[ "$(get "$URL/guard" | jq -c '[.mode, .latched, .off]')" = '["enforce",true,2]' ]
	[[ $(sat guard reset) == 'the breaker is closed' ]]
	until_true 7 is_off h3
	# as many as were accepted latch nothing, one more does
	stays_true 1 guard_says closed
	says h4 critical
	until_true 5 guard_says latched
	is_on h4
	[ "$(get -X POST "$URL/guard/reset" | jq .latched)" = false ]
	until_true 7 is_off h4
}

@test "the same host is not flipped to and fro" {
	GUARD='min-off-time = 4; min-on-time = 0;'
	config
	master 40
	says h1 critical
	until_true 2 is_off h1
	says h1 ok
	until_true 5 guard_says 'the host was flipped a short time ago'
	is_off h1
	until_true 10 is_on h1
}

@test "while the Mesos master does not answer, nothing is turned off" {
	local mesos
	mesos=$(free_port)
	MODULES='"riemann", "mesos-master", "whitelist"'
	EXTRA="leader = \"always\"; mesos-master = { url = \"http://127.0.0.1:$mesos\"; interval = 1; };"
	config
	master 40
	heard master 'does a Mesos master run there'
	says h1 critical
	until_true 5 guard_says 'the Mesos master does not answer'
	stays_true 1 is_on h1
	"$SIM" --port "$mesos" --control 0 --ports-file "$T/ports" >"$T/sim.log" 2>&1 3>&- &
	PIDS+=($!)
	until_true 10 test -s "$T/ports"
	until_true 20 is_off h1
}

@test "protected hosts stay, in every mode but off" {
	GUARD='protected = ( "h1%" );'
	config
	master 40
	says h10 critical
	until_true 5 guard_says '1 refused: protected'
	is_on h10
	sat off h10
	until_true 2 is_off h10
}
