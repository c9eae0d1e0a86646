#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# man - the pages: well formed, complete, and their examples run.

setup() {
	load common
	common_setup
	cd "$ROOT"
}

teardown() {
	common_teardown
}

# What a page speaks of: the words of its macro lines.
words() {
	sed -n 's/^\.//p' "$@" | tr -s ' ,(){}"' '\n' | sort -u
}

# Say which of the names on standard input the pages lack.
lacking() {
	sort -u | comm -23 - <(words "$@")
}

@test "mandoc finds nothing to complain about" {
	run bash -c 'mandoc -T lint man/* 2>&1 | grep -v "referenced manual not found: Xr satellite\|mandoc.db"'
	echo "$output"
	[ -z "$output" ]
}

@test "every operator and its parameters are in satellite-streams.5" {
	local m missing
	for m in "$BUILD"/modules/*.so; do
		"$SATELLITE" module "$m"
	done >"$T/all"
	missing=$(awk '/^[^ ]/ { op = $1 == "operator"; if (op) print $2 }
		op && /^ +[a-z-]+: / { sub(/:$/, "", $1); print $1 }' "$T/all" | lacking man/satellite-streams.5)
	echo "missing: $missing"
	[ "$(grep -c '^operator ' "$T/all")" -gt 20 ]
	[ -z "$missing" ]
}

@test "the table of Riemann's functions and ours is of the operators and folds that there are" {
	local page=man/satellite-streams.5 m
	sed -n '/^\.\\" table/,/^\.\\" end/p' "$page" | sed -n 's/^\.It Li \(.*\) Ta /\1 = /p' >"$T/table"
	[ "$(cut -d' ' -f1 "$T/table" | sort | uniq -d)" = "" ]
	# What it says is ours, and what modules say that they have.
	{
		sed -n 's/^[^ ]* = Ic \([^ ]*\).*/\1/p' "$T/table"
		sed -n '/^\.\\" own/,/^\.\\" end/p' "$page" | sed -n 's/^\.Ic//p' | tr -s ' ,;.' '\n'
	} | grep . | sort -u >"$T/said"
	for m in "$BUILD"/modules/*.names; do sed -n 's/^operator //p' "$m"; done | sort -u | diff "$T/said" -
	{ echo 'role = "slave"; streams = ( { smap = "?"; } );'; } >"$T/fold.cfg"
	"$SATELLITE" --check --config "$T/fold.cfg" 2>&1 | sed -n 's/.*there is no fold "?", but //p' |
		tr -s ', ' '\n' | sort | diff <(sed -n 's/^folds.* = Li //p' "$T/table" | sort) -
	# What is not ours says why.
	grep -v ' = Ic \| = Li ' "$T/table" | { ! grep -v ' = no: ..........'; }
	[ "$(wc -l <"$T/table")" -gt 100 ]
	sed 's/^/# /; s/ = \(Ic\|Li\) / = /; s/ No ,/,/; s/\\&//; s/\\(dq/"/g' "$T/table" >&3
}

@test "every setting of a module and of a check is in satellite.cfg.5" {
	local m missing
	for m in "$BUILD"/modules/*.so; do
		"$SATELLITE" module "$m"
	done >"$T/all"
	missing=$(awk '/^[^ ]/ { op = $1 == "operator"; if ($1 == "check") print $2; if (/, ABI /) print $1 }
		!op && /^ +[a-z-]+: / { sub(/:$/, "", $1); print $1 }' "$T/all" | lacking man/satellite.cfg.5)
	echo "missing: $missing"
	[ -z "$missing" ]
}

@test "every setting of the process is in satellite.cfg.5" {
	local missing
	missing=$(sed -nE 's/^\tSAT_OPTION\("([^"]+)".*/\1/p' lib/top.c lib/check.c lib/instance.c | lacking man/satellite.cfg.5)
	echo "missing: $missing"
	[ -z "$missing" ]
}

@test "every route is in satellite-rest.7" {
	local m method path
	for m in "$BUILD"/modules/*.so; do
		"$SATELLITE" module "$m" | sed -n 's/^route //p'
	done >"$T/routes"
	sed -nE 's/^\tSAT_ROUTE\("([A-Z]+)", "([^"]+)".*/\1 \2/p' lib/routes.c >>"$T/routes"
	[ "$(wc -l <"$T/routes")" -gt 10 ]
	while read -r method path; do
		path=$(sed 's/{flag}/on/; s/{host}/H/; s/{event}/E/; s/{name}/NAME/' <<<"$path")
		grep -qF -- "$method $path" man/satellite-rest.7 || { echo "missing: $method $path"; false; }
	done <"$T/routes"
}

@test "every option and command of the command line is in satellite.8" {
	local missing
	missing=$( { "$SATELLITE" --help | grep -oE -- '--[a-z-]+' | sed 's/^--/\\-/'
		for m in "$BUILD"/modules/*.names; do sed -n 's/^command //p' "$m"; done
	} | lacking man/satellite.8)
	echo "missing: $missing"
	[ -z "$missing" ]
}

@test "the example of satellite-module.7 is the one that is compiled and run" {
	sed -n '/^\.\\" test\/outside\/files.c/,/^\.\\" end/p' man/satellite-module.7 | grep -v '^\.' |
		sed 's/\\e/\\/g; s/^\\&//' | diff -u test/outside/files.c -
}

@test "the examples of satellite.cfg.5 are good configurations" {
	local n=0 f
	awk -v dir="$T" '/^\.Sh EXAMPLES/ { on = 1 } on && /^\.Bd -literal/ { n++; copy = 1; next }
		/^\.Ed/ { copy = 0 } copy { print > (dir "/example" n ".cfg") }' man/satellite.cfg.5
	echo 'streams = ( "index" );' >"$T/streams.cfg"
	for f in "$T"/example*.cfg; do
		grep -q '^role' "$f" || sed -i '1i role = "slave";' "$f"
		run "$SATELLITE" --check --config "$f"
		echo "$f: $output"
		[ "$status" = 0 ]
		n=$((n + 1))
	done
	[ "$n" -ge 5 ]
}

@test "the examples of satellite-streams.5 are good streams" {
	local n=0 f
	awk -v dir="$T" '/^\.Sh EXAMPLES/ { on = 1 } on && /^\.Bd -literal/ { n++; copy = 1; next }
		/^\.Ed/ { copy = 0 } copy { print > (dir "/stream" n) }' man/satellite-streams.5
	for f in "$T"/stream?; do
		{ printf 'role = "master";\nstate-dir = "%s";\nstreams = (\n' "$T"; cat "$f"; echo ');'; } >"$f.cfg"
		run "$SATELLITE" --check --config "$f.cfg"
		echo "$f: $output"
		[ "$status" = 0 ]
		n=$((n + 1))
	done
	[ "$n" -ge 4 ]
}
