#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# survive - what streams know outlives a reload and a restart: nothing that comes out may tell that there was one.

load common
setup() { common_setup; }
teardown() { common_teardown; }

# Every operator that knows what came before, as it stands in a stream.
table() {
	cat <<-'END'
	{ changed = "state"; init = "ok"; pairs = true; do = OUT; }
	{ changed-state = OUT; }
	{ runs = 3; field = "state"; do = OUT; }
	{ stable = 5; field = "state"; do = OUT; }
	{ hysteresis = "metric > 30"; hold = "metric > 20"; do = OUT; else = { print = "else"; }; }
	{ top = 2; field = "metric"; do = OUT; else = { print = "else"; }; }
	{ fill-in = 2; default-event = { service = "nothing"; metric = 0; }; do = OUT; }
	{ fill-in-last = 2; update = { state = "guess"; }; do = OUT; }
	{ throttle = 2; dt = 7; do = OUT; }
	{ sreduce = "sum"; do = OUT; }
	{ fold-interval = 5; event-key = "metric"; folder = "median"; do = OUT; }
	{ fold-interval-metric = 5; folder = "std-dev"; do = OUT; }
	{ percentiles = 5; points = ( 0, 0.5, 0.9, 1 ); do = OUT; }
	{ counter = OUT; }
	{ sum-over-time = OUT; }
	{ mean-over-time = OUT; }
	{ ewma = 3; do = OUT; }
	{ ewma-timeless = 0.3; do = OUT; }
	{ rate = 5; do = OUT; }
	{ ddt = OUT; }
	{ ddt-real = 5; do = OUT; }
	{ interpolate-constant = 2; do = OUT; }
	{ apdex = 5; satisfied = "metric < 20"; tolerated = "metric < 30"; do = OUT; }
	{ predict-linear = 5; s = 60; do = OUT; }
	{ clock-skew = OUT; }
	{ moving-event-window = 4; do = OUT; }
	{ fixed-event-window = 4; do = OUT; }
	{ moving-time-window = 6; do = OUT; }
	{ fixed-time-window = 6; do = OUT; }
	{ fixed-offset-time-window = 6; do = OUT; }
	{ batch = 5; dt = 4; do = OUT; }
	{ rollup = 2; dt = 9; do = OUT; }
	{ coalesce = 3; do = OUT; }
	{ coalesce-with-event = "host"; do = OUT; }
	{ project = ( "service = 's0'", "service = 's1'" ); do = OUT; }
	{ blackhole = "classic"; window = 40; longer = 10; do = OUT; }
	END
}

# Forty events of three hosts and two services over two minutes, and one host's totals of tasks; CUT: what stands between every two.
events() {
	awk -v cut="$1" 'BEGIN {
		split("ok warning critical", state)
		split("started failed finished", total)
		for (i = 0; i < 40; i++) {
			x = (x * 1103515245 + 12345) % 2147483648
			t += x % 5
			y = int(x / 64)
			printf "{\"at\": %d, \"event\": {\"host\": \"h%d\", \"service\": \"s%d\", \"state\": \"%s\", ", \
				t, y % 3, int(y / 3) % 2, state[1 + int(y / 16) % 3]
			printf "\"metric\": %s, \"time\": %d, \"ttl\": %d}}\n", y % 2 ? y % 40 : y % 40 + 0.5, t - y % 2, 20 + y % 7
			if (cut != "") printf "{\"%s\": true}\n", cut
			for (n = 1; i % 4 == 0 && n <= 3; n++) {
				printf "{\"at\": %d, \"event\": {\"host\": \"h0\", \"service\": \"total-tasks-%s\", ", t, total[n]
				printf "\"state\": \"ok\", \"metric\": %d, \"time\": %d, \"ttl\": 20}}\n", i * (4 - n), t
				if (cut != "") printf "{\"%s\": true}\n", cut
			}
		}
		printf "{\"at\": %d}\n", t + 200
	}'
}

# replayed CUT CONFIG: what comes out.
replayed() {
	printf 'role = "slave"; modules = (); state-dir = "%s"; streams = ( %s );\n' "$T" "$2" >"$T/cfg"
	events "$1" | "$SATELLITE" replay --config "$T/cfg" - 2>"$T/replay.log" || { cat "$T/cfg" "$T/replay.log"; return 1; }
}

@test "the table has every operator that knows what came before" {
	for m in "$BUILD"/modules/*.so; do "$SATELLITE" module "$m"; done |
		awk '/^operator / { op = $2 } /\(knows what came before/ { print op }' | sort >"$T/all"
	table | sed -nE 's/^\{ ([a-z-]+) = .*/\1/p' | sort >"$T/here"
	diff "$T/all" "$T/here"
}

@test "each goes on over reloads and restarts between all its events, alone and in forks" {
	local op cut form by
	while read -r op; do
		op=${op//OUT/\"print\"}
		by='( "host", "service" )'
		[[ $op != *blackhole* ]] || by='"host"'	# it compares services
		for form in "$op" "{ by = $by; do = $op; }"; do
			replayed "" "$form" >"$T/plain"
			[ -s "$T/plain" ] || { echo "$form: nothing comes out"; return 1; }
			for cut in reload restart; do
				replayed $cut "$form" >"$T/cut"
				diff "$T/plain" "$T/cut" >"$T/diff" || { echo "$form: $cut"; head -20 "$T/diff"; return 1; }
			done
		done
	done < <(table)
}

@test "each gives the same bytes twice" {
	local op
	while read -r op; do
		op="{ by = \"host\"; do = ${op//OUT/\"print\"}; }"
		replayed "" "$op" >"$T/once"
		replayed "" "$op" | cmp "$T/once" -
	done < <(table)
}

@test "twenty minutes of events leave memory flat; make soak has an hour of ten times as many" {
	! sanitized || skip "sanitized"
	run "$ROOT/test/soak.sh" 1200 1000 200
	echo "$output"
	[ "$status" = 0 ]
}
