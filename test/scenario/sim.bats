#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# sim.bats - the simulated Mesos answers, errs and obeys as the tests that lean on it expect.

setup() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	SIM=$ROOT/${O:-build}/satellite-sim
	case ${O:-build} in /*) SIM=$O/satellite-sim ;; esac
	T=$(mktemp -d)
	PID=
}

teardown() {
	if [ -n "$PID" ]; then
		kill "$PID" 2>/dev/null || true
		wait "$PID" 2>/dev/null || true
	fi
	rm -rf "$T"
}

# until_true SECONDS COMMAND...: try it 10 times a second.
until_true() {
	local n=$(($1 * 10))
	shift
	while ! "$@"; do
		n=$((n - 1))
		[ $n -gt 0 ] || { echo "never: $*"; return 1; }
		sleep 0.1
	done
}

# start OPTIONS...: run one on free ports; M0, M1, … and C are their addresses.
start() {
	"$SIM" --port 0 --ports-file "$T/ports" "$@" >/dev/null 2>"$T/err" 3>&- &
	PID=$!
	until_true 10 test -f "$T/ports"
	M0=$(port master 0) M1=$(port master 1) C=$(awk '$1 == "control" { print "http://" $2 }' "$T/ports")
}

# port WHAT NAME
port() {
	awk -v what="$1" -v name="$2" '$1 == what && $2 == name { print "http://" $3 }' "$T/ports"
}

get() { curl -sS --max-time 60 "$@"; }
status() { curl -s --max-time "${LIMIT:-30}" -o /dev/null -w '%{http_code}' "$@" || true; }
post() { curl -sSf --max-time 10 -o /dev/null -X POST -d "$2" "$C/sim/$1"; }
call() { get -H 'Content-Type: application/json' -d "{\"type\":\"$2\"}" "$1/api/v1"; }
# is JSON EXPRESSION: jq says true.
is() { jq -e "$2" <<<"$1" >/dev/null || { echo "not: $2"; head -c 2000 <<<"$1"; return 1; }; }
asked() { is "$(get "$C/sim/$1")" "$2" >/dev/null; }

@test "every version serves the endpoints that it had" {
	while read -r version state summary stats api; do
		start --version "$version" --agents 2 --tasks 4 --completed 3
		[ "$(status "$M0/state.json")" = 200 ]
		[ "$(status "$M0/master/state.json")" = 200 ]
		[ "$(status "$M0/state")" = "$state" ]
		[ "$(status "$M0/state-summary")" = "$summary" ]
		[ "$(status "$M0/stats.json")" = "$stats" ]
		[ "$(status -X POST -H 'Content-Type: application/json' -d '{"type":"GET_HEALTH"}' "$M0/api/v1")" = "$api" ]
		for path in metrics/snapshot slaves master/slaves frameworks health redirect; do
			case $(status "$M0/$path") in 200 | 307) ;; *) echo "$version $path"; return 1 ;; esac
		done
		is "$(get "$M0/state.json")" '(.slaves | length) == 2 and ([.frameworks[].tasks[]] | length) == 4
			and ([.frameworks[].completed_tasks[]] | length) == 3'
		kill "$PID"; wait "$PID"; PID=; rm "$T/ports"
	done <<-VERSIONS
		0.22 404 404 200 404
		0.28 200 200 404 404
		1.0  200 200 404 200
		1.8  200 200 404 200
		1.11 200 200 404 200
	VERSIONS
}

@test "fields come and go with the version" {
	start --version 0.22 --agents 1 --tasks 2
	s=$(get "$M0/state.json")
	is "$s" 'has("finished_tasks") and has("git_tag") and (has("leader_info") | not)'
	is "$s" '.slaves[0] | has("version") or has("used_resources") | not'
	get "$M0/state.json" | grep -q '"activated_slaves":1,'
	get "$M0/metrics/snapshot" | grep -qF '"master\/elected":1,'
	kill "$PID"; wait "$PID"; PID=; rm "$T/ports"

	start --version 0.28 --agents 1 --tasks 2
	s=$(get "$M0/state")
	is "$s" '.slaves[0].version == "0.28.0" and (has("finished_tasks") | not)'
	get "$M0/state" | grep -q '"activated_slaves":1.0,'
	kill "$PID"; wait "$PID"; PID=; rm "$T/ports"

	start --version 1.11 --agents 6 --tasks 2
	s=$(get "$M0/state")
	is "$s" '.leader_info.port > 0 and .recovered_slaves == [] and .slaves[0].deactivated == false'
	is "$s" '.frameworks[3].roles == ["batch", "dev"] and (.frameworks[3] | has("role") | not)'
	is "$s" '.slaves[5].reserved_resources.kafka.cpus == 32'
	[ "$(get "$M0/metrics/snapshot" | grep -cF '\/')" = 0 ]
}

@test "the keys of real captures are there" {
	captures=$ROOT/../shared/mesos-captures
	[ -d "$captures" ] || skip "no captures beside the checkout: $captures"
	# What a capture may have and the simulator has not.
	extra='["external_log_file", "domain", "git_branch", "reregistered_time", "webui_url", "principal"]'
	while read -r version path file; do
		start --version "$version" --agents 2 --tasks 10 --completed 10
		get "$M0/$path" >"$T/ours"
		jq -e --slurpfile real "$captures/$file" --argjson extra "$extra" '
			def list(f): [f | objects | keys[]] | unique;
			[ (list($real[0]) - list(.)), (list($real[0].slaves[0]) - list(.slaves[0])),
			  (list($real[0].frameworks[0]) - list(.frameworks[0])),
			  (list([$real[0].frameworks[]?.tasks[]?][0]) - list([.frameworks[]?.tasks[]?][0])) ]
			| [.[][]] - $extra | if . == [] then true else ("missing: \(.)" | halt_error) end' "$T/ours" ||
			{ echo "$version $path $file"; return 1; }
		kill "$PID"; wait "$PID"; PID=; rm "$T/ports"
	done <<-FILES
		0.22 state.json master-state/0.22.0-dcos-ui-large.json
		0.28 state master-state/0.28.1-dcos-net.json
		1.0 state master-state/1.0.0-mesos_state-large.json
		1.8 state master-state/1.8.0-dcos-net.json
		0.23 state-summary state-summary/0.23-dcos-ui-marathon-1-task.json
		1.4 slaves master-slaves/1.4.0-univa-urb.json
	FILES
}

@test "metrics agree with the state, before and after churn" {
	start --agents 5 --tasks 40 --completed 30 --churn 200
	until_true 10 asked cluster '.launched > 150'
	post churn 0
	m=$(get "$M0/metrics/snapshot") s=$(get "$M0/state")
	is "$m" '."master/tasks_staging" + ."master/tasks_starting" + ."master/tasks_running" == '"$(jq '[.frameworks[].tasks[]] | length' <<<"$s")"
	is "$m" '."master/tasks_finished" == '"$(jq '[.frameworks[].completed_tasks[] | select(.state == "TASK_FINISHED")] | length' <<<"$s")"
	is "$m" '."master/tasks_failed" == '"$(jq '[.frameworks[].completed_tasks[] | select(.state == "TASK_FAILED")] | length' <<<"$s")"
	is "$m" '(."master/cpus_used" - '"$(jq '[.slaves[].used_resources.cpus] | add' <<<"$s")"') | fabs < 0.001'
	is "$m" '."master/slaves_active" == 5 and ."master/elected" == 1'
}

@test "a master that does not lead redirects, or shows nothing where it is old" {
	start --masters 2 --version 1.8 --agents 2
	[ "$(status "$M1/state?x=1")" = 307 ]
	get -i "$M1/state?x=1" | grep -q "^Location: ${M0#http:}/state?x=1"
	get -i "$M1/redirect" | tr -d '\r' | grep -qx "Location: ${M0#http:}"
	is "$(get -L "$M1/state")" '.slaves | length == 2'
	is "$(get "$M1/metrics/snapshot")" '."master/elected" == 0 and ."master/slaves_active" == 0'
	kill "$PID"; wait "$PID"; PID=; rm "$T/ports"

	start --masters 2 --version 0.28 --agents 2
	is "$(get "$M1/state")" '.slaves == [] and (has("elected_time") | not) and .leader != .pid'
	is "$(get "$M0/state")" '(.slaves | length) == 2 and has("elected_time") and .leader == .pid'
}

@test "another leader begins to count anew, and without one there is 503" {
	start --masters 2 --agents 2 --tasks 5 --completed 7
	post leader/1 ''
	is "$(get "$M1/metrics/snapshot")" '."master/elected" == 1 and ."master/tasks_running" == 5
		and ."master/tasks_finished" == 0 and ."master/slave_reregistrations" == 2'
	is "$(get "$M1/state")" '[.frameworks[].completed_tasks[]] == []'
	[ "$(status "$M0/state")" = 307 ]
	post leader/none ''
	[ "$(status "$M0/state")" = 503 ]
	[ "$(get "$M0/state")" = "No leader elected" ]
	is "$(get "$M1/metrics/snapshot")" '."master/elected" == 0'
}

@test "credentials are asked for, except for health and redirect" {
	start --credentials me:secret
	[ "$(status "$M0/state")" = 401 ]
	get -i "$M0/state" | grep -q '^WWW-Authenticate: Basic realm="mesos-master-readonly"'
	[ "$(status -u me:wrong "$M0/metrics/snapshot")" = 401 ]
	[ "$(status -u me:secret "$M0/metrics/snapshot")" = 200 ]
	[ "$(status "$M0/health")" = 200 ]
	[ "$(status "$M0/redirect")" = 307 ]
}

@test "a master misbehaves as it is told, as a whole or at one path" {
	start --agents 2
	for code in 401 403 503; do
		post master/0/mode $code
		[ "$(status "$M0/state")" = $code ]
	done
	post master/0/mode garbage
	run jq . <<<"$(get "$M0/state" | tr -d '\0')"
	[ "$status" != 0 ]
	post master/0/mode 307loop
	run curl -sL --max-redirs 5 --max-time 5 "$M0/state"
	[ "$status" = 47 ]
	post master/0/mode close
	run curl -s --max-time 5 "$M0/state"
	[ "$status" = 52 ]
	post master/0/mode truncate
	run curl -s --max-time 5 "$M0/state"
	[ "$status" = 18 ]
	post master/0/mode hang
	run curl -s --max-time 0.3 "$M0/state"
	[ "$status" = 28 ]
	get "$M0/version" >"$T/version" &
	sleep 0.2
	[ ! -s "$T/version" ]
	post master/0/mode ok	# who still waits has the answer
	wait $!
	is "$(cat "$T/version")" 'has("version")'
	before=$(get "$M0/state")
	post master/0/mode "pad 3000000"
	get "$M0/state" >"$T/state"
	[ "$(stat -c %s "$T/state")" -gt 2999000 ]
	[ "$(jq -Sc 'del(.padding)' "$T/state")" = "$(jq -Sc . <<<"$before")" ]
	curl -sN --max-time 1 -H 'Content-Type: application/json' -d '{"type":"SUBSCRIBE"}' "$M0/api/v1" >"$T/stream" || true
	size=$(head -n 1 "$T/stream")
	[ "$size" -gt 2999000 ]
	tail -n +2 "$T/stream" | head -c "$size" | jq -e '.type == "SUBSCRIBED" and (.subscribed | has("get_state"))' >/dev/null
	echo '{"packed":1}' | gzip >"$T/file"
	post master/0/mode "gzip $T/file"
	is "$(get --compressed "$M0/state")" '.packed == 1'
	post master/0/mode down
	run curl -s --max-time 5 "$M0/state"
	[ "$status" = 7 ]
	printf '{"from":"a file"}' >"$T/file"
	post master/0/mode "file $T/file 202"
	[ "$(get "$M0/anything")" = '{"from":"a file"}' ]
	[ "$(status "$M0/anything")" = 202 ]
	post master/0/mode ok
	[ "$(status "$M0/state")" = 200 ]

	post 'master/0/mode?path=/state' 503
	[ "$(status "$M0/master/state.json")" = 503 ]
	[ "$(status "$M0/metrics/snapshot")" = 200 ]
	post 'master/0/mode?path=/state' 'slow 300'
	took=$(curl -s --max-time 5 -o /dev/null -w '%{time_starttransfer}' "$M0/state")
	awk -v t="$took" 'BEGIN { exit !(t >= 0.29) }'
	[ "$(status -X POST -d nonsense "$C/sim/master/0/mode")" = 400 ]
}

@test "the whitelist is read as Mesos reads it" {
	printf 'agent000.example.com\nagent001.example.com\n' >"$T/list"
	start --agents 4 --tasks 20 --churn 100 --whitelist "$T/list" --whitelist-interval 0.2
	asked whitelist '.[0].hosts == ["agent000.example.com", "agent001.example.com"]'
	asked agent/agent002.example.com '.launched == 0 and .offers == false'

	printf ' agent002.example.com\nagent003.example.com\r\nagent001.example.com' >"$T/list.new"
	mv "$T/list.new" "$T/list"
	until_true 5 asked whitelist '.[0].hosts | length == 3'
	asked cluster '.offered == 1'

	rm "$T/list"
	until_true 5 asked whitelist '.[0].readable == false'
	asked cluster '.offered == 1'

	: >"$T/list"
	until_true 5 asked whitelist '.[0].hosts == []'
	asked cluster '.offered == 0'
	was=$(get "$C/sim/cluster" | jq .launched)
	until_true 5 asked cluster '.tasks.TASK_RUNNING < 10'
	asked cluster ".launched == $was"
	is "$(get "$M0/state")" '[.slaves[].active] == [true, true, true, true]'
}

@test "a black hole fails what it gets, and only off the list it gets nothing" {
	start --agents 4 --tasks 20 --churn 200 --blackhole agent003.example.com
	until_true 10 asked agent/agent003.example.com '.tasks.TASK_FAILED > 20 and .tasks.TASK_FINISHED == 0'
	is "$(get "$M0/metrics/snapshot")" '."master/task_failed/source_slave/reason_container_launch_failed" > 20'
	post agent/agent003.example.com/heal ''
	until_true 10 asked agent/agent003.example.com '.tasks.TASK_RUNNING > 0'
}

@test "agents come, fail and go" {
	start --agents 2 --tasks 6
	post agent/new.example.com/add ''
	is "$(get "$M0/state")" '[.slaves[].hostname] == ["agent000.example.com", "agent001.example.com", "new.example.com"]'
	post agent/agent000.example.com/fail ''
	is "$(get "$M0/state")" '.slaves[0].active == false and .activated_slaves == 2 and .deactivated_slaves == 1'
	n=$(get "$C/sim/agent/agent000.example.com" | jq .tasks.TASK_RUNNING)
	post agent/agent000.example.com/remove ''
	is "$(get "$M0/state")" '.slaves | length == 2'
	is "$(get "$M0/metrics/snapshot")" "$n > 0 and .\"master/tasks_lost\" == $n and .\"master/slave_removals\" == 1"
}

# counted FIGURES: "active inactive connected unreachable removals unhealthy" of the master's, and the first four of its state.
counted() {
	[ "$(get "$M0/metrics/snapshot" | jq -r '[."master/slaves_active", ."master/slaves_inactive", ."master/slaves_connected",
		."master/slaves_unreachable", ."master/slave_removals", ."master/slave_removals/reason_unhealthy"] | map(tostring) | join(" ")')" = "$1" ]
	[ "$(get "$M0/state" | jq -r '[.activated_slaves, .deactivated_slaves, .unreachable_slaves] | map(tostring) | join(" ")')" = \
		"$(awk '{ print $1, $2, $4 }' <<<"$1")" ]
}

@test "agents are deactivated, out of reach, given up and back, and counted as Mesos counts them" {
	start --agents 4 --tasks 12 --heartbeat 0.3
	follow
	until_true 5 saw 'map(.type) | index("HEARTBEAT")'
	counted "4 0 4 0 0 0"
	post agent/agent000.example.com/deactivate ''
	counted "3 1 4 0 0 0"
	is "$(get "$M0/slaves")" '.slaves[0] | .deactivated and .active == false'
	post agent/agent000.example.com/reactivate ''
	post agent/agent001.example.com/fail ''
	counted "3 1 3 0 0 0"
	post agent/agent001.example.com/unreachable ''
	counted "3 0 3 1 1 1"
	id=$(get "$M0/slaves" | jq -r '.slaves[0].id')
	post agent/agent000.example.com/unreachable ''
	counted "2 0 2 2 2 2"
	post agent/agent000.example.com/add ''
	counted "3 0 3 1 2 2"
	[ "$(get "$M0/slaves" | jq -r '.slaves[0].id')" = "$id" ]
	post agent/agent001.example.com/gone ''
	post agent/agent002.example.com/gone ''
	counted "2 0 2 0 2 2"
	post agent/agent003.example.com/remove ''
	counted "1 0 1 0 3 2"
	until_true 5 saw 'map(.type) | index("AGENT_REMOVED")'
	saw 'map(.type | select(startswith("AGENT_"))) == ["AGENT_ADDED", "AGENT_REMOVED"]'
	kill "$FOLLOWER"
	wait "$FOLLOWER" || true
}

@test "agents answer at their own ports, with figures laid over" {
	start --agents 3 --agent-ports 2 --agents-port 0 --tasks 9
	a=$(port agent agent001.example.com)
	is "$(get "$a/metrics/snapshot")" '."slave/tasks_running" > 0 and ."slave/registered" == 1'
	is "$(get "$a/slave(1)/state")" '.hostname == "agent001.example.com" and (.frameworks[0].executors | length) > 0'
	is "$(get "$a/slave%281%29/state")" '.hostname == "agent001.example.com"'
	is "$(get "$a/monitor/statistics")" '.[0].statistics.mem_limit_bytes > 0'
	is "$(get "$M0/state")" ".slaves[1].pid == \"slave(1)@${a#http://}\""
	post agent/agent001.example.com/metrics '{"slave/tasks_failed": 77, "slave/uptime_secs": null}'
	is "$(get "$a/metrics/snapshot")" '."slave/tasks_failed" == 77 and (has("slave/uptime_secs") | not)'
	all=$(awk '$1 == "agents" { print "http://" $2 }' "$T/ports")
	is "$(get "$all/agent/agent002.example.com/metrics/snapshot")" 'has("slave/tasks_failed")'
	post agent/agent001.example.com/mode 503
	[ "$(status "$a/state")" = 503 ]
}

# Follow the stream into $T/stream for good; RecordIO is taken apart below.
follow() {
	curl -sN --max-time 20 -H 'Content-Type: application/json' -d '{"type":"SUBSCRIBE"}' "$M0/api/v1" >"$T/stream" 3>&- &
	FOLLOWER=$!
}

# records: the JSON of each whole record, one a line; a wrong length fails.
records() {
	LC_ALL=C awk 'BEGIN { RS = "\0" } {
		while (match($0, /^[0-9]+\n/)) {
			n = substr($0, 1, RLENGTH - 1) + 0; at = RLENGTH + 1
			if (length($0) - at + 1 < n) exit
			print substr($0, at, n); $0 = substr($0, at + n)
		}
		exit $0 != "" }' "$T/stream"
}
saw() { records | jq -es "$1" >/dev/null; }

@test "the v1 stream tells of everything, in order" {
	start --masters 2 --agents 2 --tasks 3 --completed 2 --heartbeat 0.3
	follow
	until_true 5 saw 'map(.type) | index("HEARTBEAT")'
	saw '.[0] | .type == "SUBSCRIBED" and (.subscribed.get_state.get_tasks | (.tasks | length) == 3 and (.completed_tasks | length) == 2)
		and (.subscribed.get_state.get_agents.agents | length) == 2'
	id=$(curl -sSf --max-time 5 -X POST "$C/sim/task/add?host=agent001.example.com" | jq -r .id)
	post "task/$id/TASK_RUNNING" ''
	post "task/$id/TASK_FAILED" ''
	post agent/late.example.com/add ''
	post agent/late.example.com/remove ''
	post framework/extra/add ''
	post framework/extra/update ''
	post framework/extra/remove ''
	until_true 5 saw 'map(.type) | index("FRAMEWORK_REMOVED")'
	saw 'map(.type | select(. != "HEARTBEAT")) == ["SUBSCRIBED", "TASK_ADDED", "TASK_UPDATED", "TASK_UPDATED",
		"AGENT_ADDED", "AGENT_REMOVED", "FRAMEWORK_ADDED", "FRAMEWORK_UPDATED", "FRAMEWORK_REMOVED"]'
	saw "map(select(.type == \"TASK_UPDATED\"))[1].task_updated | .state == \"TASK_FAILED\" and .status.task_id.value == \"$id\"
		and .status.source == \"SOURCE_EXECUTOR\" and .status.reason == \"REASON_COMMAND_EXECUTOR_FAILED\""
	post leader/1 ''
	wait "$FOLLOWER" || [ $? = 18 ]	# cut off: a master that loses ends at once
}

@test "the v1 calls answer" {
	start --agents 2 --tasks 3
	is "$(call "$M0" GET_HEALTH)" '.get_health.healthy'
	is "$(call "$M0" GET_VERSION)" '.get_version.version_info.version == "1.11.0"'
	is "$(call "$M0" GET_METRICS)" '.get_metrics.metrics | map(select(.name == "master/elected"))[0].value == 1'
	is "$(call "$M0" GET_STATE)" '.get_state | .get_agents.agents[1].agent_info.id.value and (.get_tasks | has("completed_tasks") | not)'
	[ "$(status "$M0/api/v1")" = 405 ]
	[ "$(status -H 'Content-Type: application/x-protobuf' -d x "$M0/api/v1")" = 415 ]
	id=$(call "$M0" GET_AGENTS | jq -r '.get_agents.agents[0].agent_info.id.value')
	for what in deactivate reactivate; do
		[ "$(status -H 'Content-Type: application/json' \
			-d "{\"type\":\"${what^^}_AGENT\",\"${what}_agent\":{\"agent_id\":{\"value\":\"$id\"}}}" "$M0/api/v1")" = 200 ]
		get "$M0/slaves" | jq -r '.slaves[0].deactivated' >>"$T/said"
	done
	[ "$(tr '\n' ' ' <"$T/said")" = "true false " ]
}

@test "requests and bytes are counted, by master and path" {
	start --masters 2
	n=$(curl -s --max-time 5 -o /dev/null -w '%{size_header} %{size_download}' "$M1/metrics/snapshot" | awk '{ print $1 + $2 }')
	asked requests ".masters[1].paths.\"/metrics/snapshot\" == {\"count\":1,\"bytes\":$n} and .masters[0].requests == 0"
	curl -sf --max-time 5 -X DELETE "$C/sim/requests"
	asked requests '.masters[1].requests == 0'
}

@test "a large state streams out, in little memory, and past a slow reader" {
	start --agents 20000 --tasks 40000
	curl -s --max-time 20 --limit-rate 100k "$M0/state" -o /dev/null 3>&- &
	slow=$!
	[ "$(get "$M0/state" | jq '.slaves | length')" = 20000 ]
	[ "$(status "$M0/health")" = 200 ]
	case ${SAN:-} in '') [ "$(awk '/VmHWM/ { print $2 }' "/proc/$PID/status")" -lt 60000 ] ;; esac
	kill $slow
}

@test "it ends cleanly, in the middle of everything" {
	start --masters 2 --agents 5 --tasks 10 --churn 100 --heartbeat 0.1
	follow
	until_true 5 saw 'length > 3'
	kill "$PID"
	wait "$PID"
	PID=
	[ ! -s "$T/err" ]
}
