# SPDX-License-Identifier: Apache-2.0
# demo - what `make demo ONCE=1` shows, shown.

@test "the demo tells the whole story and ends by itself" {
	run env ONCE=1 O="${O:-build}" "$BATS_TEST_DIRNAME/../demo.sh"
	echo "$output"
	[ "$status" = 0 ]
	[[ "$output" == *"agent003.example.com is back on the whitelist"* ]]
	[[ "$output" == *"nothing else was touched"* ]]
}
