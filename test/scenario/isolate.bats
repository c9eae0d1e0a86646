#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# isolate - a module goes wrong in every way, in a process of its own: the slave goes on, says so, and starts it again.
# takes: 95 s

setup_file() {
	local root
	root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export D=$BATS_FILE_TMPDIR/dest W=$BATS_FILE_TMPDIR/work
	make -s -C "$root" -o all O="${O:-build}" DESTDIR="$D" install	# what is built is built
	mkdir -p "$W"
	cp "$root/test/outside/"*.c "$W"
	cd "$W" || return 1
	PKG_CONFIG_LIBDIR=$(dirname "$(find "$D" -name satellite.pc)")
	export PKG_CONFIG_LIBDIR PKG_CONFIG_SYSROOT_DIR=$D
	export INSTALLED=$(find "$D" -path '*/sbin/satellite')
	export MODULES=$D$(PKG_CONFIG_SYSROOT_DIR='' pkg-config --variable=moduledir satellite)
	local m
	for m in files unruly; do
		# shellcheck disable=SC2046
		cc -Wall -Wextra -Werror $(pkg-config --cflags satellite) -o $m.so $m.c $(pkg-config --libs satellite)
		"$INSTALLED" module ./$m.so --names >$m.names
		install $m.so $m.names "$MODULES"
	done
}

setup() {
	load common
	common_setup
	SATELLITE=$INSTALLED
	mkdir "$T/state"
	echo work >"$T/order"
}

teardown() {
	common_teardown	# a slave that is killed takes its child with it
}

# config [GROUP-SETTINGS] [MORE-CHECKS]: a slave with a check that runs here, and one that does not.
config() {
	cat >"$T/slave.cfg" <<-END
		role = "slave";
		state-dir = "$T/state";
		host = "h1";
		modules = ( );
		unruly = { isolate = true; ${1:-} };
		checks = (
		  { check = "free-memory"; interval = 0.5; },
		  { check = "unruly"; file = "$T/order"; interval = 0.5; tags = [ "t1", "t2" ];
		    attributes = { rack = "r\"1\\\\"; }; ttl = 7.5; }${2:-} );
		streams = ( "print" );
	END
}

slave() {
	config "$@"
	"$SATELLITE" --check --config "$T/slave.cfg" --modules "$MODULES"
	start slave --config "$T/slave.cfg" --modules "$MODULES"
	until_true 10 eval '[ "$(events .service | grep -c unruly)" -ge 2 ]'
	CHILD=$(child)
}

# events FILTER: of those that the streams saw.
events() { jq -r "$1" "$T/slave.out" 2>/dev/null; }
# states: of the group's process, in order.
states() { events 'select(.service == "satellite/isolated/unruly") | .state + " " + .description'; }
state_said() { states | grep -qE -- "$1"; }
status() { "$SATELLITE" --config "$T/slave.cfg" status --json | jq "$1"; }
child() { status '.instances[] | select(.name == "unruly") | .isolated.pid'; }
child_is() { [ "$(child)" = "$1" ]; }
other_child() { local now; now=$(child); [ "$now" -gt 0 ] && [ "$now" != "$1" ]; }
# Children of the slave, zombies included.
children() { cat /proc/"$PID"/task/*/children; }

# on_time: no two events of the check that runs in the slave itself are further apart than two of its intervals.
on_time() {
	events 'select(.service == "mesos/slave/free memory in MB" and .state != "expired") | .time' |
		awk 'NR > 1 && $1 - last > worst { worst = $1 - last } { last = $1 }
		     END { print "longest gap:", worst, "of", NR; exit !(NR > 3 && worst < 1) }'
}

@test "it does not know: events, counters and log lines are as they would be" {
	slave
	run events 'select(.service == "mesos/slave/unruly") |
		[.host, .state, (.tags | join(",")), .rack, (.ttl | tostring), (.metric | tostring)] | join(" ")'
	echo "$output"
	[ "${lines[0]}" = "h1 ok t1,t2 r\"1\\ 7.5 $CHILD" ]
	[ "$CHILD" != "$PID" ]
	until_true 10 eval '"$SATELLITE" --config "$T/slave.cfg" status | grep -E "^unruly .* pid=$CHILD .*runs=[1-9]"'
	until_true 10 state_said "^ok runs$"
	echo log >"$T/order"
	heard slave "unruly: logged"
	echo print >"$T/order"
	heard slave "unruly: a library says something"
	echo work >"$T/order"
	stops "$PID" 5
	[[ $(events 'select(.service == "mesos/slave/unruly") | .state + " " + (.tags | join(","))' | tail -n 1) == "expired t1,t2,retired" ]]
	[[ $(states | tail -n 1) == expired* ]]
	gone "$CHILD"
}

# goes_wrong ORDER WHY [SETTINGS]: once, then it behaves again.
goes_wrong() {
	slave "${3:-}"
	until_true 10 state_said "^ok runs$"
	echo "$1" >"$T/order"
	until_true 20 state_said "^critical $2; started again in [0-9]+ s$"
	echo work >"$T/order"
	until_true 10 other_child "$CHILD"
	gone "$CHILD"
	until_true 25 state_said "^ok runs again$"
	run states
	echo "$output"
	[ "$(children | wc -w)" = 1 ]
	on_time
	said slave "unruly: its process"
	[ "$(status '.counters["isolated-restarts"]')" -ge 1 ]
	CHILD=$(child)
	stops "$PID" 5
	gone "$CHILD"
}

@test "it crashes" { goes_wrong crash "was killed by signal 11 \(Segmentation fault\)"; }

@test "it ends by itself" { goes_wrong exit "ended with status 7"; }

@test "it loops for ever" { goes_wrong loop "gave no answer for 10 s, so it was killed"; }

@test "it sends garbage to its parent" { goes_wrong garbage "sent what is no message, so it was killed"; }

@test "it leaks" {
	goes_wrong leak "held [0-9]+ MiB of memory, more than isolate-memory \(48 MiB\), so it was killed" \
		"isolate-memory = 50331648;"
}

@test "who crashes all the time is started ever later" {
	echo crash >"$T/order"
	config
	start slave --config "$T/slave.cfg" --modules "$MODULES"
	until_true 30 state_said "started again in 4 s$"
	run states
	[[ $output != *"ok runs again"* ]]
	on_time
	stops "$PID" 5
}

@test "more events than the slave takes are dropped, and counted; others are on time" {
	slave
	echo flood >"$T/order"
	dropped() { [ "$(status '.counters["emit-dropped"]')" -gt 0 ]; }
	until_true 15 dropped
	child_is "$CHILD"
	echo work >"$T/order"
	on_time
	stops "$PID" 5
}

@test "it blocks for ever, and the slave ends in time" {
	slave
	echo block >"$T/order"
	heard slave "unruly: blocks"
	stops "$PID" 5
	gone "$CHILD"
}

# logs REGEX: within 10 seconds.
logs() { until_true 10 grep -qE -- "$1" "$T/slave.log"; }
slow() { events 'select(.service == "satellite/slow") | .state + " " + .description' | grep -qE -- "$1"; }

@test "what holds up the loop for over a second is named while it does" {
	cat >"$T/slave.cfg" <<-END
		role = "slave";
		state-dir = "$T/state";
		host = "h1";
		modules = ( );
		service-prefix = "";
		checks = ( { command = "echo"; service = "sleep"; interval = 0.5; },
			   { check = "unruly"; file = "$T/order"; interval = 0.5; } );
		streams = ( "print", { where = "true"; do = ( { sleepy = "bit-bucket"; } ); } );
	END
	start slave --config "$T/slave.cfg" --modules "$MODULES"
	logs "^streams\[1\]\.do\[0\]: operator sleepy has run for [1-9]\.[0-9] s, and all else waits$"
	until_true 10 slow "^warning streams\[1\]\.do\[0\]: operator sleepy held up all else for [1-9]\.[0-9] s$"
	echo slow >"$T/order"
	logs "^unruly: check unruly has run for [1-9]\.[0-9] s, and all else waits; with isolate = true in its group"
	echo work >"$T/order"
	until_true 10 slow "^warning unruly: check unruly held up all else for [1-9]\.[0-9] s$"
	[ "$(status '.counters.slow')" -ge 2 ]
	stops "$PID" 5
}

@test "as process 1 of a container it reaps what commands leave behind" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	cat >"$T/slave.cfg" <<-END
		role = "slave";
		state-dir = "$T/state";
		host = "h1";
		modules = ( );
		checks = ( { command = "setsid sleep 0.2 >/dev/null 2>&1 & echo x >>$T/ran"; shell = true;
			     service = "orphan"; interval = 0.3; } );
		streams = ( "print" );
	END
	unshare --pid --fork --kill-child "$SATELLITE" --config "$T/slave.cfg" --modules "$MODULES" >"$T/slave.out" 2>"$T/slave.log" 3>&- &
	PID=$!
	until_true 10 eval 'INIT=$(pgrep -P $PID)'
	until_true 15 eval '[ "$(wc -l <"$T/ran")" -ge 8 ]'
	until_true 5 eval '[ "$(ps -o stat= --ppid "$(pgrep -P $PID)" | grep -c ^Z)" = 0 ]'
	[ "$(events .state | sort -u)" = ok ]
	kill -TERM "$(pgrep -P $PID)"
	ends "$PID" 5
}

# naps: the thread that looks is not woken within a second.
naps() {
	local task before
	task=$(grep -lx satellite-slow /proc/"$PID"/task/*/comm) || return 1
	before=$(grep ctxt_sw "${task%comm}status")
	sleep 1
	[ "$before" = "$(grep ctxt_sw "${task%comm}status")" ]
}

@test "who looks for what holds up the loop sleeps while nothing happens" {
	cat >"$T/slave.cfg" <<-END
		role = "slave";
		state-dir = "$T/state";
		host = "h1";
		modules = ( );
		service-prefix = "";
		checks = ( { command = "echo"; service = "sleep"; interval = 3; } );
		streams = ( { sleepy = "bit-bucket"; } );
	END
	start slave --config "$T/slave.cfg" --modules "$MODULES"
	until_true 1 naps
	logs "^streams\[0\]: operator sleepy has run for"
	stops "$PID" 5
}

@test "a killed slave leaves nobody behind, and SIGTERM is the slave's to obey" {
	slave
	kill -TERM "$CHILD"
	kill -HUP "$CHILD"
	stays_true 1 runs "$CHILD"
	kill -KILL "$PID"
	until_true 5 gone "$CHILD"
}

@test "a reload keeps the process of what did not change" {
	slave
	sed -i 's/interval = 0.5; },/interval = 0.4; },/' "$T/slave.cfg"
	kill -HUP "$PID"
	heard slave "reloaded"
	stays_true 1 child_is "$CHILD"

	# Another entry of its checks, or another setting, is another process; what is no longer run is taken back.
	config "" ", { check = \"unruly\"; file = \"$T/order\"; interval = 0.5; service = \"second\"; }"
	kill -HUP "$PID"
	until_true 10 other_child "$CHILD"
	gone "$CHILD"
	until_true 10 eval 'events "select(.service == \"mesos/slave/second\") | .state" | grep -q ok'
	[ "$(events 'select(.service == "mesos/slave/unruly") | .state' | grep -c expired)" = 0 ]
	config
	kill -HUP "$PID"
	until_true 10 eval 'events "select(.service == \"mesos/slave/second\") | .state" | grep -q expired'

	# Back into the slave itself.
	CHILD=$(child)
	sed -i 's/isolate = true/isolate = false/' "$T/slave.cfg"
	kill -HUP "$PID"
	until_true 10 gone "$CHILD"
	until_true 10 eval '[ "$(events "select(.service == \"mesos/slave/unruly\") | .metric" | tail -n 1)" = "$PID" ]'
	until_true 5 eval '[ -z "$(children)" ]'
	[ "$(events 'select(.service == "mesos/slave/unruly") | .state' | grep -c expired)" = 0 ]
	stops "$PID" 5
}

@test "a module with a check and an operator: the check is isolated" {
	cat >"$T/slave.cfg" <<-END
		role = "slave";
		state-dir = "$T/state";
		host = "h1";
		modules = ( );
		files = { isolate = true; };
		checks = ( { check = "open-files"; interval = 0.5; } );
		streams = ( { every-nth = 2; do = ( "print" ); } );
	END
	start slave --config "$T/slave.cfg" --modules "$MODULES"
	until_true 10 eval 'events .service | grep -q "open files"'
	[ "$(children | wc -w)" = 1 ]
	stops "$PID" 5
}

@test "what cannot be isolated is a mistake that says why" {
	cat >"$T/slave.cfg" <<-END
		role = "slave";
		state-dir = "$T/state";
		modules = ( );
		select = { isolate = true; };
		forward = { isolate = true; };
		whitelist = { isolate = true; };
		store-sqlite = { isolate = true; };
		command = { isolate = 1; };
		riemann = { isolate = true; };
		http-civetweb = { isolate = true; };
		door = { module = "riemann"; isolate = true; };
		unruly = { isolate = true; isolate-memory = 5; };
		checks = ( { check = "unruly"; file = "x"; fil = "y"; } );
	END
	run "$SATELLITE" --check --config "$T/slave.cfg" --modules "$MODULES"
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"slave.cfg:4: select.isolate: select has operators only, and streams run in this process"* ]]
	[[ $output == *"slave.cfg:5: forward.isolate: forward has operators only, and streams run in this process"* ]]
	[[ $output == *"slave.cfg:6: whitelist.isolate: whitelist has HTTP routes or commands, which this process answers"* ]]
	[[ $output == *"slave.cfg:7: store-sqlite.isolate: store-sqlite serves other modules"* ]]
	[[ $output == *"slave.cfg:8: command.isolate: "* ]]
	[[ $output == *"slave.cfg:9: riemann.isolate: riemann is a door: "*"only what has checks, or is a source"* ]]
	[[ $output == *"slave.cfg:10: http-civetweb.isolate: http-civetweb serves other modules"* ]]
	[[ $output == *"slave.cfg:11: door.isolate: riemann is a door"* ]]
	[[ $output == *"slave.cfg:12: unruly.isolate-memory: must be from"* ]]
	[[ $output == *"slave.cfg:13: checks[0].fil: is unknown"* ]]
}
