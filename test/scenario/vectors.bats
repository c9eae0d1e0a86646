#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# vectors - our operators against what Riemann itself did.

@test "every case gives what Riemann gave, or what is said beside it, over reloads and restarts, too" {
	run "$BATS_TEST_DIRNAME/../vectors/run.sh"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output =~ ([0-9]+)\ as\ Riemann ]]
	[ "${BASH_REMATCH[1]}" -ge 184 ]
}
