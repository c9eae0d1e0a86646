#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# abi - what modules may rely on: the names, the layout, and the rules between versions.

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	export O=${O:-build}
	mkdir -p "$BATS_FILE_TMPDIR/modules"
	export CFLAGS_MODULE="-Ilib -std=gnu11 -fPIC -fvisibility=hidden -shared"
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	M=$BATS_FILE_TMPDIR/modules
}

compile() {	# NAME FLAGS…
	local name=$1
	shift
	# shellcheck disable=SC2086
	cc $CFLAGS_MODULE "$@" -o "$M/$name.so" "test/abi/$name.c"
}

@test "the executable exports the names of test/abi.txt and no others" {
	nm -D --defined-only "$O/satellite" | awk '{ print $3 }' | grep -vxE '__bss_start|_edata|_end|__(asan|tsan|ubsan|sanitizer|lsan|interceptor)_.*' |
		grep -E "${SAN:+^sat_}" | LC_ALL=C sort >"$BATS_TEST_TMPDIR/names"
	diff -u test/abi.txt "$BATS_TEST_TMPDIR/names"
}

@test "module.h declares just these" {
	grep -oE '\bsat_[a-z_0-9]+\(' <(tr '\n' ' ' <lib/satellite/module.h | grep -oE 'SAT_API [^;{]*') |
		tr -d '(' | LC_ALL=C sort -u >"$BATS_TEST_TMPDIR/names"
	diff -u test/abi.txt "$BATS_TEST_TMPDIR/names"
}

@test "sizes, offsets and constants are those of test/abi-layout.txt" {
	[ "$(uname -m)" = x86_64 ] || skip "the list is x86_64's"
	diff -u test/abi-layout.txt <(test/abi-layout.sh)
}

@test "a newer minor and another major are refused with both numbers" {
	compile edit -DSAT_ABI_MINOR=7u
	run "$O/satellite" module "$M/edit.so"
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"edit.so: is built for ABI 1.7, this satellite has 1.0"* ]]
	sed 's/^#define SAT_ABI_MAJOR.*/#define SAT_ABI_MAJOR 2u/' lib/satellite/module.h >"$BATS_TEST_TMPDIR/module.h"
	mkdir -p "$BATS_TEST_TMPDIR/satellite" && mv "$BATS_TEST_TMPDIR/module.h" "$BATS_TEST_TMPDIR/satellite"
	cc -I"$BATS_TEST_TMPDIR" $CFLAGS_MODULE -o "$M/edit.so" test/abi/edit.c
	run "$O/satellite" module "$M/edit.so"
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"edit.so: is built for ABI 2.0, this satellite has 1.0"* ]]
	rm "$M/edit.so"
}

@test "a function that this satellite lacks is named" {
	printf '#include <satellite/module.h>\nvoid sat_no_such(void);\nstatic void f(void *s) { (void)s; sat_no_such(); }\n%s\n' \
		'SAT_MODULE(typo, .name = "typo", .destroy = f);' >"$BATS_TEST_TMPDIR/typo.c"
	cc $CFLAGS_MODULE -o "$BATS_TEST_TMPDIR/typo.so" "$BATS_TEST_TMPDIR/typo.c"
	run "$O/satellite" module "$BATS_TEST_TMPDIR/typo.so"
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"typo.so: undefined symbol: sat_no_such"* ]]
}

@test "a module of ABI 1.0 edits events under a 1.1 host, and what it does not know survives" {
	[ -z "${SAN:-}" ] || skip "once is enough"
	local next=$BATS_FILE_TMPDIR/next
	make -s -j2 O="$next" CFLAGS="-O0 -DSAT_ABI_MINOR=1u" "$next/satellite"
	mkdir -p "$next/modules"
	compile edit
	compile tail -DSAT_ABI_MINOR=1u
	cat >"$BATS_TEST_TMPDIR/c.cfg" <<-END
		role = "slave";
		state-dir = "$BATS_TEST_TMPDIR";
		modules = ( );
		streams = ( { test-tail = "kept tail"; do = ( { test-edit = ( "test-show-tail" ); } ); } );
	END
	printf '{"time": 1, "host": "h", "service": "s", "state": "ok"}\n' >"$BATS_TEST_TMPDIR/events"
	run "$next/satellite" replay --config "$BATS_TEST_TMPDIR/c.cfg" --modules "$M" "$BATS_TEST_TMPDIR/events"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *"state edited, tail kept tail, kept kept tail"* ]]
	# And the same module runs where it was built for.
	run "$O/satellite" module "$M/tail.so"
	[ "$status" = 1 ]
	[[ $output == *"tail.so: is built for ABI 1.1, this satellite has 1.0"* ]]
	run "$O/satellite" module "$M/edit.so"
	[ "$status" = 0 ]
}
