#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh - run every test of the build in $O: units and scenarios, several files at a time, since most of them wait.
# TESTS="unit" or "scenario": one kind; SCENARIOS="FILE…": these; AT_ONCE=N: so many (two for each core).
# A scenario may say "# alone: WHY" (it runs when no other does) and "# takes: N s" (the longer, the earlier).
set -u
cd "$(dirname "$0")/.."
export O=${O:-build}
cores=$(nproc)
at_once=${AT_ONCE:-$((cores * 2))}
export PATIENCE=${PATIENCE:-$((3 * (at_once + cores - 1) / cores))}
unset XDG_RUNTIME_DIR NOTIFY_SOCKET JOURNAL_STREAM
passed=0 failed=0 skipped=0
declare -A file=() began=()

# All that scenarios leave is below one folder, and goes with it.
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/satellite-test.XXXXXX")
export TMPDIR
chmod 711 "$TMPDIR"
finish() {
	trap '' INT TERM HUP; trap - EXIT
	[ ${#file[@]} = 0 ] || kill -TERM "${!file[@]}"
	wait
	rm -rf "$TMPDIR"
	exit "$1"
}
trap 'finish $?' EXIT
trap 'finish 130' INT TERM HUP

# begin FILE: `timeout` gives it a process group of its own, and ends that as a whole.
begin() {
	local run=(timeout -k 10 300 "$1")
	[[ $1 != *.bats ]] || run=(timeout -k 10 900 bats --tap "$1")
	"${run[@]}" </dev/null >"$TMPDIR/${1##*/}.log" 2>&1 &
	file[$!]=$1 began[$!]=$SECONDS
}

# ended PID STATUS: say how it went, and all that it said if it went wrong.
ended() {
	local name=${file[$1]##*/} seconds=$((SECONDS - began[$1])) ok bad skip
	local log=$TMPDIR/$name.log
	unset "file[$1]"
	ok=$(grep -acE '^ok |\[       OK \]' "$log") bad=$(grep -ac '^not ok ' "$log") skip=$(grep -ac '^ok .*# skip' "$log")
	[ "$2" = 0 ] || [ "$bad" != 0 ] || bad=1
	passed=$((passed + ok - skip)) failed=$((failed + bad)) skipped=$((skipped + skip))
	if [ "$bad" = 0 ]; then
		printf 'ok   %s (%d, %d s)\n' "$name" "$ok" "$seconds"
		grep -a '# skip' "$log"
	else
		printf 'FAIL %s (%d s)\n' "$name" "$seconds"
		[ "$2" != 124 ] && [ "$2" != 137 ] || echo "it did not end in time"
		cat "$log"
	fi
}

# pool N FILE...: all of them, N at a time.
pool() {
	local n=$1 pid
	shift
	while [ $# -gt 0 ] || [ ${#file[@]} -gt 0 ]; do
		while [ $# -gt 0 ] && [ ${#file[@]} -lt "$n" ]; do
			begin "$1"
			shift
		done
		wait -n -p pid
		ended "$pid" $?
	done
}

units=() long=() short=() alone=()
case ${TESTS:-unit scenario} in *unit*)
	for t in "$O"/test/unit/test_*; do
		[[ $t == *.[od] ]] || [ ! -f "$t" ] || units+=("$t")
	done
	;;
esac
case ${TESTS:-unit scenario} in *scenario*)
	for t in ${SCENARIOS:-test/scenario/*.bats}; do
		case $(sed -n '/^[^#]/q; s/^# \(alone\|takes\): .*/\1/p' "$t") in
		*alone*) alone+=("$t") ;;
		*takes*) long+=("$t") ;;
		*) short+=("$t") ;;
		esac
	done
	[ ${#long[@]} = 0 ] || mapfile -t long < <(grep -H '^# takes: ' "${long[@]}" | sort -t: -k3rn | cut -d: -f1)
	;;
esac
pool "$at_once" "${long[@]}" "${units[@]}" "${short[@]}"
pool 1 "${alone[@]}"
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
