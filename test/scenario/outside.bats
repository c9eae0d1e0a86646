#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# outside - somebody writes a module, with nothing of ours but what `make install` put on the machine.

setup_file() {
	local root
	root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export D=$BATS_FILE_TMPDIR/dest W=$BATS_FILE_TMPDIR/work
	make -s -C "$root" -o all O="${O:-build}" DESTDIR="$D" install	# what is built is built
	mkdir -p "$W"
	cp "$root/test/outside/files.c" "$W"
	cd "$W" || return 1
	PKG_CONFIG_LIBDIR=$(dirname "$(find "$D" -name satellite.pc)")
	export PKG_CONFIG_LIBDIR PKG_CONFIG_SYSROOT_DIR=$D
	export INSTALLED=$(find "$D" -path '*/sbin/satellite')
	export MODULES=$D$(PKG_CONFIG_SYSROOT_DIR='' pkg-config --variable=moduledir satellite)
	# shellcheck disable=SC2046
	cc -Wall -Wextra -Werror $(pkg-config --cflags satellite) -o files.so files.c $(pkg-config --libs satellite)
	"$INSTALLED" module ./files.so --names >files.names
	install files.so files.names "$MODULES"
}

setup() {
	load common
	common_setup
	SATELLITE=$INSTALLED
}

teardown() {
	common_teardown
}

@test "rules and a dashboard are installed, too" {
	[ -s "$D/usr/local/share/satellite/prometheus-rules.yml" ]
	[ -s "$D/usr/local/share/satellite/grafana-dashboard.json" ]
}

@test "what is installed says what it has" {
	run "$SATELLITE" module "$MODULES/files.so"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *open-files* && $output == *threshold* && $output == *every-nth* ]]
	run cat "$MODULES/files.names"
	[[ $output == *"check open-files"* && $output == *"operator every-nth"* ]]
}

@test "its mistakes are said as ours are" {
	cat >"$T/slave.cfg" <<-END
		role = "slave";
		state-dir = "$T/state";
		modules = ( );
		checks = (
		  { check = "open-files"; treshold = 80; },
		  { check = "open-files"; threshold = 101; } );
		streams = ( { every-nth = 0; do = ( "print" ); } );
	END
	run "$SATELLITE" --check --config "$T/slave.cfg" --modules "$MODULES"
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"slave.cfg:5: checks[0].treshold: is unknown; did you mean \"threshold\"?"* ]]
	[[ $output == *"slave.cfg:6: checks[1].threshold: must be from 0 to 100"* ]]
	[[ $output == *"slave.cfg:7: streams[0].every-nth: must be from 1 to"* ]]
}

@test "it collects, and its operator counts" {
	mkdir "$T/state"
	cat >"$T/slave.cfg" <<-END
		role = "slave";
		state-dir = "$T/state";
		host = "h1";
		modules = ( );
		checks = ( { check = "open-files"; interval = 1; } );
		streams = ( { print = "each"; }, { every-nth = 2; do = ( { print = "second"; } ); } );
	END
	start slave --dry-run --config "$T/slave.cfg" --modules "$MODULES"
	until_true 20 eval '[ "$(grep -c second "$T/slave.out")" -ge 2 ]'
	kill -TERM "$PID"
	wait "$PID"
	# At its end a slave takes back what it said: those are no measurements.
	run jq -rs '[ .[] | select(.tap == "each") | .events[0] | select(.state != "expired") | .service, .host, (.metric | type) ] | unique | join(" ")' "$T/slave.out"
	echo "$output"
	[ "$output" = "h1 mesos/slave/open files number" ]
	local each second
	each=$(jq -c 'select(.tap == "each")' "$T/slave.out" | wc -l)
	second=$(jq -c 'select(.tap == "second")' "$T/slave.out" | wc -l)
	[ "$second" -le $((each / 2)) ]
}
