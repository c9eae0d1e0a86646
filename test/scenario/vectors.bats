#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# vectors - our operators against what Riemann itself did.
# takes: 70 s

@test "every case gives what Riemann gave, or what is said beside it, over reloads and restarts, too" {
	run "$BATS_TEST_DIRNAME/../vectors/run.sh"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output =~ ([0-9]+)\ as\ Riemann ]]
	[ "${BASH_REMATCH[1]}" -ge 326 ]
}

@test "every case that Riemann was asked is here, or it is said why not" {
	cd "$BATS_TEST_DIRNAME/../vectors"
	grep -v '^#' cases.txt | LC_ALL=C sort -c
	grep -v '^#' cases.txt | grep ': ' | while IFS= read -r line; do
		[ -n "${line#*: }" ] && [ ! -e "${line%%:*}.json" ] || { echo "$line"; false; }
	done
	grep -v '^#' cases.txt | grep -v ': ' >"$BATS_TEST_TMPDIR/wanted"
	while read -r name; do
		case $name in
		random) [ "$(wc -l <random.jsonl)" -ge 116 ] ;;
		*) [ "$(jq -r .name "$name.json")" = "$name" ] && jq -e '.clojure and .config and .outputs' "$name.json" >/dev/null ;;
		esac || { echo "missing: $name"; false; }
	done <"$BATS_TEST_TMPDIR/wanted"
	[ "$(grep -vc '^#' cases.txt)" -ge 76 ]
}
