#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# metrics.sh - a scrape of /metrics at 10,000 agents and 200,000 tasks, and at 50,000.
#
# CLUSTERS="agents:tasks …": so many; SCRAPES=N: so often each form is asked for.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=test/scenario/common.bash
. test/scenario/common.bash
# shellcheck source=test/scenario/simulate.bash
. test/scenario/simulate.bash
BATS_TEST_DIRNAME=$PWD/test/scenario BATS_TEST_COMPLETED=1
common_setup
trap 'common_teardown' EXIT

# Of the last 10 to 20 s, in seconds.
longest() { get "http://127.0.0.1:$port/status" | jq '.counters."longest-turn" / 1e6'; }
quiet() { sleep 1; [ "$(longest | awk '{ print ($1 < 0.02) }')" = 1 ]; }
cpu() { awk -v hz="$(getconf CLK_TCK)" '{ printf "%.2f", ($14 + $15) / hz }' "/proc/$PID/stat"; }
resident() { awk -v name="$1:" '$1 == name { printf "%.1f", $2 / 1024 }' "/proc/$PID/status"; }

known() { get "http://127.0.0.1:$port/metrics" 2>/dev/null | grep -qx "satellite_mesos_master_agents $agents"; }

watch() {	# sets port
	port=$(free_port)
	cat >"$T/master.cfg" <<-END
		role = "master"; state-dir = "$T"; leader = "always"; log = { level = "warning"; };
		http = { host = "127.0.0.1"; port = $port; };
		modules = ( "mesos-master", "metrics" );
		metrics = { max-series = 2000000; };
		mesos-master = { url = "$(address master 0)"; };
		streams = ( "index" );
	END
	start master --modules "$BUILD/modules" --config "$T/master.cfg"
	until_true 60 known
}

scrape() {
	local n=${SCRAPES:-11} before held
	until_true 30 quiet || true	# it took the state in
	held=$(resident VmRSS)
	before=$(cpu)
	echo 5 >"/proc/$PID/clear_refs"	# VmHWM is from here on
	for _ in $(seq "$n"); do
		get -o "$T/answer" -w 'plain %{time_total} %{size_download}\n' "http://127.0.0.1:$port/metrics"
		sed -n 's/^satellite_metrics_series /series /p' "$T/answer"
	done
	echo "cpu $(awk -v a="$(cpu)" -v b="$before" -v n="$n" 'BEGIN { print (a - b) / n }')"
	for _ in $(seq "$n"); do
		get -o "$T/packed" -H 'Accept-Encoding: gzip' -w 'gzip %{time_total} %{size_download}\n' \
			"http://127.0.0.1:$port/metrics"
	done
	echo "above $(awk -v a="$(resident VmHWM)" -v b="$held" 'BEGIN { print a - b }')"
	echo "turn $(longest)"
}

# The figure to reach is one of 10,000 agents; of more it grows with them.
tell() {
	sort -k1,1 -k2,2g | awk -v agents="$agents" -v tasks="$tasks" '
		function line(what, unit, wanted, got, reached) {
			printf "%-58s %-13s %7s %8s  %s\n", what, unit, wanted, got, reached
		}
		function at_most(what, got) {
			line(what, "s", small ? 0.1 : "-", got, !small ? "" : got <= 0.1 ? "yes" : "NO")
		}
		{ v[$1, ++n[$1]] = $2; size[$1] = $3 }
		function median(name) { return v[name, int((n[name] + 1) / 2)] }
		END {
			small = agents <= 10000
			at_most("a scrape, " agents " agents, " tasks " tasks, p50", median("plain"))
			at_most("the same, as gzip", median("gzip"))
			line("the same: longest turn of the loop", "s", "-", median("turn"), "")
			line("the same: CPU of one that is not compressed", "s", "-", median("cpu"), "")
			line("the same: memory above what was resident", "MiB", "-", median("above"), "")
			line("series; MB, and as gzip", "", "-",
				sprintf("%d; %.1f, %.1f", median("series"), size["plain"] / 1e6, size["gzip"] / 1e6), "")
		}'
}

for cluster in ${CLUSTERS:-10000:200000 50000:200000}; do
	IFS=: read -r agents tasks <<<"$cluster"
	simulate --masters 1 --agents "$agents" --tasks "$tasks"
	watch
	scrape | tell
	kill "${PIDS[@]}"
	wait "${PIDS[@]}" || true
	PIDS=()
done
