#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# metrics.sh - a scrape of /metrics at 10,000 agents and 200,000 tasks.
#
# AGENTS=N, TASKS=N: so many; SCRAPES=N: so often each form is asked for.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=test/scenario/common.bash
. test/scenario/common.bash
# shellcheck source=test/scenario/simulate.bash
. test/scenario/simulate.bash
agents=${AGENTS:-10000} tasks=${TASKS:-200000}
BATS_TEST_DIRNAME=$PWD/test/scenario BATS_TEST_COMPLETED=1
common_setup
trap 'common_teardown' EXIT

simulate --masters 1 --agents "$agents" --tasks "$tasks"
port=$(free_port)
cat >"$T/master.cfg" <<-END
	role = "master"; state-dir = "$T"; leader = "always"; log = { level = "warning"; };
	http = { host = "127.0.0.1"; port = $port; };
	modules = ( "mesos-master" );
	mesos-master = { url = "$(address master 0)"; };
	streams = ( "index" );
END
start master --modules "$BUILD/modules" --config "$T/master.cfg"
known() { get "http://127.0.0.1:$port/metrics" 2>/dev/null | grep -qx "satellite_mesos_master_agents $agents"; }
until_true 60 known
for i in $(seq "${SCRAPES:-11}"); do
	get -o "$T/answer" -w 'plain %{time_total} %{size_download}\n' "http://127.0.0.1:$port/metrics"
	get -o "$T/packed" -H 'Accept-Encoding: gzip' -w 'gzip %{time_total} %{size_download}\n' "http://127.0.0.1:$port/metrics"
	sed -n 's/^satellite_metrics_answer_time_seconds /turn /p; s/^satellite_metrics_series /series /p' "$T/answer"
done | sort -k1,1 -k2,2g | awk -v agents="$agents" -v tasks="$tasks" '
	function line(what, unit, wanted, got, reached) {
		printf "%-58s %-13s %7s %8s  %s\n", what, unit, wanted, got, reached
	}
	{ v[$1, ++n[$1]] = $2; size[$1] = $3 }
	function median(name) { return v[name, int((n[name] + 1) / 2)] }
	END {
		what = "a scrape, " agents " agents, " tasks " tasks"
		line(what ", p50", "s", 0.1, median("plain"), median("plain") <= 0.1 ? "yes" : "NO")
		line("the same, as gzip", "s", 0.1, median("gzip"), median("gzip") <= 0.1 ? "yes" : "NO")
		line("the turn of the loop that it takes", "s", "-", median("turn"), "")
		line("series; MB, and as gzip", "", "-", sprintf("%d; %.1f, %.1f", median("series"), size["plain"] / 1e6, size["gzip"] / 1e6), "")
	}'
