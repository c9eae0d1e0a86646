#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh - run every test of the build in $O: the units, then the scenarios; TESTS="unit" or "scenario" for one kind.
set -u
cd "$(dirname "$0")/.."
O=${O:-build}
export O
passed=0 failed=0 skipped=0
unset XDG_RUNTIME_DIR NOTIFY_SOCKET JOURNAL_STREAM

case ${TESTS:-unit scenario} in *unit*)
	for t in "$O"/test/unit/test_*; do
		[ -x "$t" ] && [ -f "$t" ] || continue
		case $t in *.o | *.d) continue ;; esac
		if out=$(timeout 300 "$t" 2>&1); then
			n=$(printf '%s\n' "$out" | grep -ac '\[       OK \]')
			passed=$((passed + n))
			printf 'ok   %s (%d)\n' "${t##*/}" "$n"
		else
			failed=$((failed + 1))
			printf 'FAIL %s\n%s\n' "${t##*/}" "$out"
		fi
	done
	;;
esac
case ${TESTS:-unit scenario} in *scenario*)
	for t in ${SCENARIOS:-test/scenario/*.bats}; do
		[ -f "$t" ] || continue
		log=$(mktemp)
		began=$(date +%s)
		timeout 900 bats --tap "$t" </dev/null >"$log" 2>&1
		rc=$?
		ok=$(grep -c '^ok ' "$log"); bad=$(grep -c '^not ok ' "$log"); skip=$(grep -c '^ok .*# skip' "$log")
		[ "$rc" = 0 ] || [ "$bad" != 0 ] || bad=1
		passed=$((passed + ok - skip)); failed=$((failed + bad)); skipped=$((skipped + skip))
		if [ "$bad" = 0 ]; then
			printf 'ok   %s (%d, %d s)\n' "${t##*/}" "$ok" $(($(date +%s) - began))
			grep '# skip' "$log"
		else
			printf 'FAIL %s\n' "${t##*/}"; cat "$log"
		fi
		rm -f "$log"
	done
	;;
esac
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
