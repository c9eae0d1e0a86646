#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# fuzz.bats - what others send, and what is configured: the kept corpora, and some seconds of chance.
# takes: 55 s

@test "every fuzzer takes its corpus, and a little more" {
	cd "$BATS_TEST_DIRNAME/../.."
	for f in test/fuzz/*.c; do
		f=${f##*/}
		[ "$(ls "test/fuzz/corpus/${f%.c}" | wc -l)" -ge 3 ]
	done
	run env -u O FUZZ_SECONDS=2 make -s -j2 fuzz
	echo "$output"
	[ "$status" = 0 ]
	[ "$(grep -c '^fuzz ' <<<"$output")" = "$(ls test/fuzz/*.c | wc -l)" ]
	# Each has looked at all of its corpus, and went on.
	for f in build-fuzz/*.log; do grep -q '^Done [0-9]* runs' "$f"; done
}
