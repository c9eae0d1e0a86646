#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# mesos.sh - what observing a large Mesos costs: a state read, then a master beside a simulated one.
#
# CLUSTERS="agents:running:ended …" says which, MEASURE=N for how many seconds each is watched.  A state
# is read by the same process as by yajl alone and by cJSON, so their ratio holds on a busy machine.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=test/scenario/common.bash
. test/scenario/common.bash
# shellcheck source=test/scenario/simulate.bash
. test/scenario/simulate.bash
clusters=${CLUSTERS:-10000:100000:100000 50000:200000:100000}
measure=${MEASURE:-60}
BATS_TEST_DIRNAME=$PWD/test/scenario BATS_TEST_COMPLETED=1
common_setup
trap 'common_teardown' EXIT
ticks=$(getconf CLK_TCK)

line() {	# WHAT UNIT WANTED GOT [REACHED]
	printf '%-58s %-13s %7s %8s  %s\n' "$1" "$2" "$3" "$4" "${5-}"
}
at_most() {	# WHAT UNIT WANTED GOT
	line "$@" "$(awk -v w="$3" -v g="$4" 'BEGIN { print g <= w ? "yes" : "NO" }')"
}
quotient() { awk -v a="$1" -v b="$2" -v f="${3:-%.2f}" 'BEGIN { printf f, a / b }'; }
cpu() { awk -v hz="$ticks" '{ printf "%.2f", ($14 + $15) / hz }' "/proc/$1/stat"; }
status() { awk -v name="$2:" '$1 == name { printf "%.1f", $2 / 1024 }' "/proc/$1/status"; }
figure() { get "http://127.0.0.1:$port/metrics" | sed -n "s/^satellite_$1 //p"; }
asked() { get "$C/sim/requests" | jq "[.masters[].paths[$1]] | map(.$2) | add // 0"; }
forget() { curl -sSf -o /dev/null -X DELETE "$C/sim/requests"; }

# A state in memory: the disk is not what is measured.
read_state() {
	local file
	file=$(mktemp "${SHM:-/dev/shm}/satellite-state.XXXXXX")
	get -m 120 "$(address master 0)/state" >"$file"
	"$BUILD/test/bench/state" "$file" >"$T/read"
	rm -f "$file"
	awk -v what="a state of $(quotient "$size" 1e6 %.0f) MB, $agents agents" '
		function at_most(what, unit, wanted, got, form) {
			printf "%-58s %-13s %7s %8s  %s\n", what, unit, wanted, sprintf(form, got), got <= wanted ? "yes" : "NO"
		}
		function line(what, unit, form, got) { printf "%-58s %-13s %7s %8s\n", what, unit, "-", sprintf(form, got) }
		{ wall[$1] = $2; cpu[$1] = $3; above[$1] = $4; kept[$1] = $5 }
		END {
			at_most(what ", CPU", "times yajl", 2, cpu["model"] / cpu["yajl"], "%.2f")
			line("the same: yajl alone; the model; cJSON", "CPU s", "%s",
				cpu["yajl"] "; " cpu["model"] "; " cpu["cjson"])
			at_most("the same, memory above the model", "MB", 16, above["model"], "%.1f")
			line("the same: the model; cJSON and its text", "MB", "%s",
				kept["model"] "; " kept["cjson"] + above["cjson"])
		}' "$T/read"
}

watch() {	# NAME SETTINGS: a satellite; sets port, PID and, once it knows the cluster, took
	local began now
	port=$(free_port)
	mkdir -p "$T/$1"
	cat >"$T/$1.cfg" <<-END
		role = "master"; state-dir = "$T/$1"; leader = "always"; log = { level = "warning"; };
		http = { host = "127.0.0.1"; port = $port; };
		modules = ( "mesos-master" );
		mesos-master = { url = "$(address master 0)"; $2 };
		streams = ( "index" );
	END
	began=$(date +%s%N)
	start "$1" --modules "$BUILD/modules" --config "$T/$1.cfg"
	until_true 60 counted
	now=$(date +%s%N)
	took=$(quotient $((now - began)) 1e9)
}
counted() {
	get -G "http://127.0.0.1:$port/index" --data-urlencode "query=service = 'mesos/agents/registered'" 2>/dev/null |
		jq "any(.[]; .metric == $agents)" | grep -qx true
}

streaming() {
	local before seconds bytes look
	watch s ''
	line "SUBSCRIBE, $agents agents: to the first events" s - "$took"
	# Before it is asked for its figures, which takes memory, too.
	line "the same: resident, at most, then" MiB - "$(status "$PID" VmHWM), $(status "$PID" VmRSS)"
	line "the same: CPU until then; longest turn of the loop" s - "$(cpu "$PID"); $(figure process_longest_turn_seconds)"
	forget
	before=$(cpu "$PID")
	sleep "$measure"
	seconds=$(awk -v a="$(cpu "$PID")" -v b="$before" 'BEGIN { printf "%.2f", a - b }')
	bytes=$(asked "$every" bytes)
	# The agents alone are looked at every tenth interval: a minute's share of it.
	look=$(get "$(address master 0)/slaves" | wc -c)
	line "the same: CPU a minute, at $churn changes a second" s - "$(awk -v s="$seconds" -v m="$measure" 'BEGIN { printf "%.2f", s * 60 / m }')"
	line "the same: requests a minute" "" - "$(($(asked "$every" count) * 60 / measure))"
	line "the same: kB a minute, and of looks at agents" kB - "$((bytes * 60 / measure / 1000)) + $((look / 10 / 1000))"
	at_most "the same: of 60 states a minute" "" 0.001 "$(quotient $((bytes * 60 / measure + look / 10)) $((size * 60)) %.6f)"
	stop
}

polling() {
	watch p 'subscribe = false; interval = 10;'
	forget
	sleep "$measure"
	at_most "states polled, interval 10 s: in $measure s" "" $((measure / 10 + 1)) "$(asked '"/state"' count)"
	line "the same: resident, at most; longest turn of the loop" "MiB, s" - "$(status "$PID" VmHWM), $(figure process_longest_turn_seconds)"
	stop
}

stop() {
	kill "$PID"
	wait "$PID"
}

line figure "" wanted here reached
every='"/metrics/snapshot", "/slaves", "/state", "/api/v1 SUBSCRIBE"'
for cluster in $clusters; do
	IFS=: read -r agents running ended <<<"$cluster"
	churn=50
	simulate --masters 1 --agents "$agents" --hostname 'agent%05d.example.com' --tasks "$running" --completed "$ended" \
		--max-completed $((ended / 5)) --churn 0
	sim=${PIDS[-1]}
	size=$(get -m 120 "$(address master 0)/state" | wc -c)
	read_state
	order churn "$churn"
	streaming
	polling
	kill "$sim"
	wait "$sim" || true
done
