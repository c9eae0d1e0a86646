# SPDX-License-Identifier: Apache-2.0
# forward - operators with masters of their own.

load common

setup() {
	common_setup
	PORT1=$(free_port)
	PORT2=$(free_port)
	HTTP=$(free_port)
}
teardown() { common_teardown; }

# master N: it prints what it hears to $T/mN.out, behind what it printed before; MASTER is its pid.
master() {
	local port=PORT$1
	cat >"$T/m$1.cfg" <<-END
		role = "master"; state-dir = "$T/m$1"; modules = ( "riemann" ); riemann = { port = ${!port}; };
		http = { port = $(free_port); }; streams = ( "print" );
	END
	"$SATELLITE" --config "$T/m$1.cfg" >>"$T/m$1.out" 2>>"$T/m$1.log" 3>&- &
	MASTER=$!
	PIDS+=("$MASTER")
	until_true 10 listens "${!port}"
}

# slave SETTINGS STREAMS: its check counts ten times a second, in $T/count.
slave() {
	settings "$1" "$2"
	start slave --config "$T/slave.cfg"
	SLAVE=$PID
	until_true 10 eval "get http://127.0.0.1:$HTTP/healthz >/dev/null"
}
settings() {
	[ -e "$T/count" ] || echo 0 >"$T/count"
	cat >"$T/slave.cfg" <<-END
		role = "slave"; state-dir = "$T/slave"; host = "h1"; http = { port = $HTTP; }; modules = ( "metrics" );
		forward = { masters = "127.0.0.1:$PORT1"; flush = 0.02; $1 };
		streams = ( $2 );
		checks = ( { command = "n=\$((\$(cat $T/count) + 1)); echo \$n > $T/count.new; mv $T/count.new $T/count; echo \$n"; shell = true;
			parse = "number"; service = "count"; interval = 0.1; timeout = 10; ttl = 100; } );
	END
}

counted_to() { [ "$(cat "$T/count")" -ge "$1" ]; }
counts_on() { until_true 20 counted_to $(($(cat "$T/count") + $1)); }
# numbers N: those that came to master N, in the order they came.
numbers() { jq -r 'select(.service == "mesos/slave/count" and .metric != null) | .metric' "$T/m$1.out"; }
status_has() { "$SATELLITE" --config "$T/slave.cfg" status | tee "$T/status" | grep -qE "$1"; }

@test "a master that several operators send to is told of once, and masters that nobody sends to are not" {
	master 2
	slave "" "{ forward = \"127.0.0.1:$PORT2\"; }, { where = \"metric > 0\"; do = ( { forward = ( \"127.0.0.1:$PORT2\" ); batch = 1; } ); }"
	until_true 10 status_has "^  master 127.0.0.1:$PORT2 +up=1 queued=[0-9]+ spooled=0 acknowledged=[1-9][0-9]* dropped=0 *$"
	[ "$(grep -c '^  master' "$T/status")" = 1 ]
	counts_on 10
	get "http://127.0.0.1:$HTTP/metrics" >"$T/metrics"
	# Both operators' events are in it.
	[ "$(awk -v n="$(cat "$T/count")" '/^satellite_forward_master_acknowledged_total/ { print ($2 >= 2 * n - 12) }' "$T/metrics")" = 1 ]
	[ "$(awk '/^satellite_metrics_doubled_total/ { print $2 }' "$T/metrics")" = 0 ]
	stops $SLAVE
}

heard_each_twice() { [ "$(numbers 2 | wc -l)" -ge $((2 * $1 - 2)) ]; }
spooled() { find "$T/slave/spool/forward/$1" -name '*.spool' 2>/dev/null | grep -q .; }

@test "an operator's own masters have spools, over a reload and a stop; two of one master have two" {
	to1="{ forward = \"127.0.0.1:$PORT1\"; spool = false; }"
	to2="{ forward = \"127.0.0.1:$PORT2\"; }"
	slave "spool = true;" "$to2, { where = \"metric > 0\"; do = ( $to2 ); }, $to1"
	for folder in "127.0.0.1:$PORT2" "127.0.0.1:$PORT2.2"; do until_true 10 spooled "$folder"; done
	counts_on 10
	# One goes on as it is, another comes in the other's place.
	settings "spool = true;" "{ where = \"metric > 0\"; do = ( $to2 ); }, $to1, { forward = \"127.0.0.1:$PORT2\"; batch = 50; }"
	kill -HUP $SLAVE
	heard slave "events wait since before"
	counts_on 10
	[ "$(find "$T/slave/spool/forward" -mindepth 1 -type d | wc -l)" = 2 ]
	stops $SLAVE
	start slave --config "$T/slave.cfg"
	SLAVE=$PID
	until_true 10 said_times slave "events wait since before" 3
	master 2
	counts_on 5
	at=$(cat "$T/count")
	until_true 30 heard_each_twice "$at"
	stops $SLAVE
	# Each number twice, up to the last; one may have been under way at a stop.
	numbers 2 | sort -n | uniq -c | awk '$1 != 2 { print; bad++ } { n++ } END { if (bad > 1 || n < 25) { print n; exit 1 } }'
}

@test "an operator's spool may be a folder of its own; mistakes have a line" {
	slave "" "{ forward = \"127.0.0.1:$PORT2\"; spool = \"$T/own\"; spool-max = 2000000; }"
	until_true 10 eval "ls $T/own/127.0.0.1:$PORT2/*.spool"
	stops $SLAVE
	[ ! -e "$T/slave/spool" ]
	printf 'role = "slave";\nstreams = ( { forward = "m1";\n spool = "here"; },\n { forward = "m1"; spool = ( "/x" );\n spool-max = 5; } );\n' >"$T/bad.cfg"
	run "$SATELLITE" --check --config "$T/bad.cfg"
	echo "$output"
	[ "$status" = 1 ]
	for line in 3 4 5; do [[ "$output" == *"bad.cfg:$line:"* ]]; done
}
