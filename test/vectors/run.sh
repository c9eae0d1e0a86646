#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh - hold our operators to what Riemann itself gave: replay each case's steps, compare what comes out; arguments: cases (default: all).
#
# A case is NAME.json, or a line of a .jsonl (random: Riemann's; quirks: read in its source): `config` is our form of Riemann's `clojure`,
# `steps` go in, `outputs` are Riemann's.  Where SPEC has us differ, `differs` says why and
# `ours` holds what is wanted instead of `outputs`.
# Then once more with a reload after every step, and with a restart: the same bytes must come out.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
case ${O:-build} in /*) build=$O ;; *) build=$root/${O:-build} ;; esac
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

# jq forgets the point of a whole double: while it works, such a metric is {"double": N}.
mark() { sed -E 's/"metric": ?(-?[0-9]+([.][0-9]+)?[eE][-+]?[0-9]+|-?[0-9]+[.][0-9]+)/"metric":{"double":\1}/g'; }
unmark() { sed -E 's/"metric":\{"double":(-?[0-9]+)\}/"metric":\1.0/g; s/"metric":\{"double":([^}]*)\}/"metric":\1/g'; }

# The lines that replay reads.
lines='
	(if .start != null then {start} else {start: 0} end),
	(.steps[] | if .at == null then .at = 0 else . end),
	(if .end != null then {at: .end} else empty end)'

# What came out, in one form for both: clock, tap, and an event, a list, an answer or an error.
# An attribute is text, as it is for Riemann on the wire.
event='if type == "object" then del(._metric_type) | with_entries(select(.value != null) |
	if .key | IN("metric", "time", "ttl") then . elif .value | type == "number" then .value |= tostring else . end)
	else . end'
theirs='
	def event: '$event';
	(.ours // .outputs)[] | {clock, tap} +
	if has("query") then {query: [.query[] | event] | sort}
	elif has("match") then {match: (if .match | type == "boolean" then .match else "error" end)}
	elif has("exception") or has("thrown") then {error: has("thrown")}
	else {out: (.out | if type == "array" then [.[] | event] | (if $loose then sort else . end) else event end)} end'
ours='
	def event: '$event';
	{clock, tap} +
	if .does | IN("on-host", "off-host") then {tap: .does, out: .events[0].host}
	elif .does == "query" then {query: [.events[] | event] | sort}
	elif .does == "match" then {match: (if has("error") then "error" else .match end)}
	elif .does == "error" then {error: .top}
	else {out: (if .vector then [.events[] | event] | (if $loose then sort else . end)
		elif .events == [] then null else .events[0] | event end)} end'

same_when() {	# reload or restart
	sed "p; s/.*/{\"$1\": true}/" "$dir/steps" >"$dir/cut"
	"$build/satellite" replay --config "$dir/config" "$dir/cut" >"$dir/again" 2>>"$dir/log" &&
		diff -u --label "as it is" --label "with a $1 after every step" "$dir/raw" "$dir/again" >"$dir/diff"
}

try() {	# CASE: a file with one case, marked
	eval "$(jq -r '@sh "name=\(.name) clojure=\(.clojure) config=\(.config)",
		"loose=\(.unordered != null or (.clojure | test("coalesce|top")))"' "$1")"
	: >"$dir/diff"
	printf 'role = "slave"; modules = (); state-dir = "%s";\n%s\n' "$dir" "$config" >"$dir/config"
	jq -c "$lines" "$1" | unmark >"$dir/steps"
	jq -cS --argjson loose "$loose" "$theirs" "$1" >"$dir/wanted"
	if "$build/satellite" replay --config "$dir/config" "$dir/steps" >"$dir/raw" 2>"$dir/log" &&
		mark <"$dir/raw" | jq -cS --argjson loose "$loose" "$ours" >"$dir/got" &&
		diff -u "$dir/wanted" "$dir/got" >"$dir/diff" && same_when reload && same_when restart; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL $name: $clojure"
		cat "$dir/log" "$dir/diff"
	fi
}

[ $# -gt 0 ] || set -- "$here"/*.json "$here"/*.jsonl
for file; do
	case $file in
	*.jsonl)
		n=$(wc -l <"$file")
		i=0
		while [ $i -lt "$n" ]; do
			i=$((i + 1))
			sed -n "${i}p" "$file" | mark >"$dir/case"
			try "$dir/case"
		done
		;;
	*)
		mark <"$file" >"$dir/case"
		try "$dir/case"
		;;
	esac
done
echo "vectors: $passed as Riemann, $failed not"
[ $failed = 0 ] && [ $passed -gt 0 ]
