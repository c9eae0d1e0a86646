#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# captures.bats - what real Mesos masters and agents answered, served to a satellite: none crashes, confuses or is misread.
# takes: 40 s

load common

setup() {
	common_setup
	CAPTURES=$ROOT/../shared/mesos-captures
	if [ ! -d "$CAPTURES" ]; then
		echo "# SKIPPED: $CAPTURES is not there" >&3
		skip "the captures are not beside the checkout"
	fi
	"$SIM" --port 0 --ports-file "$T/ports" --agents 1 --agent-ports 1 >/dev/null 2>"$T/sim.log" 3>&- &
	PIDS+=("$!")
	until_true 10 test -f "$T/ports"
	C=$(awk '$1 == "control" { print "http://" $2 }' "$T/ports")
	MASTER=$(awk '$1 == "master" { print "http://" $3 }' "$T/ports")
	read -r _ NAME AGENT < <(grep '^agent ' "$T/ports")
	PORT=$(free_port)
	U=http://127.0.0.1:$PORT
	mkdir "$T/state"
}

teardown() { common_teardown; }

order() { curl -sSf --max-time 10 -o /dev/null -X POST -d "$2" "$C/sim/$1"; }
indexed() { get -G "$U/index" --data-urlencode "query=$1"; }
asked() { [ "$(get "$C/sim/requests" | jq "[.masters[0], (.agents[]?)] | map(.paths[\"$1\"].count // 0) | add")" -ge "$2" ]; }

# serve WHO PATH FILE: from now on, and it was asked for, so that what is seen next is its doing.
serve() {
	order "$1/mode?path=$2" "file $3"
	curl -sSf -o /dev/null -X DELETE "$C/sim/requests"
	until_true 10 asked "$2" 2
}

# A master that has nothing to tell but that it leads: its state is asked for each time.
watch_master() {
	printf '{"master\\/elected":1.0}' >"$T/elected.json"
	order 'master/0/mode?path=/metrics/snapshot' "file $T/elected.json"
	cat >"$T/m.cfg" <<-END
		role = "master"; state-dir = "$T/state"; leader = "mesos";
		http = { host = "127.0.0.1"; port = $PORT; };
		modules = ( "mesos-master" );
		mesos-master = { url = "$MASTER"; host = "m"; interval = 0.2; leader-interval = 0.1; subscribe = false; };
		streams = ( "index" );
	END
	start m --modules "$BUILD/modules" --config "$T/m.cfg"
	until_true 10 listens "$PORT"
}

# same EXPECTED: the index has each of these services with its metric (a sum of doubles may differ in its last digits).
same() {
	indexed 'service =~ "mesos/%"' >"$T/events"
	jq -e --slurpfile want "$1" '
		(map({(.service): .metric}) | add) as $got | $want[0] | to_entries
		| map(select($got[.key] == null or (($got[.key] - .value) | fabs) > 1e-9 * (1 + (.value | fabs)))) | length == 0
	' "$T/events" >/dev/null 2>&1
}

endpoint() { indexed "service = 'mesos/endpoint/$1' and state = '$2'" | jq -e 'length == 1' >/dev/null 2>&1; }

@test "every captured state of a master gives its agents and frameworks" {
	watch_master
	n=0
	for f in "$CAPTURES"/master-state/*.json "$CAPTURES"/state-summary/*dcos-ui-[a-z]*.json; do
		# Two that were made by hand list an agent twice.
		jq '(.slaves | map({(.id // .hostname): .}) | add // {} | [.[]]) as $agents
			| { "mesos/agents/registered": ($agents | length), "mesos/agents/active": ([$agents[] | select(.active != false)] | length) }
			+ ([.frameworks[] | { name, used: (.used_resources // .resources) }] | group_by(.name) | map(
				("mesos/frameworks/" + .[0].name) as $service | {
					($service + "/cpu"): (map(.used.cpus // 0) | add),
					($service + "/mem"): ((map(.used.mem // 0) | add) / 1000),
					($service + "/disk"): (map(.used.disk // 0) | add) }) | add)' "$f" >"$T/want"
		serve master/0 /state "$f"
		until_true 5 same "$T/want" || { echo "$f"; cat "$T/want"; jq -c '.[] | [.service, .metric]' "$T/events"; return 1; }
		endpoint state ok
		n=$((n + 1))
	done
	[ $n -ge 20 ]
	runs "$PID"
}

# in_stream FILE: the agents that are left, and the last state of each host's tasks, by a reading of its own.
in_stream() {
	jq -cs '
		def value: if type == "object" then .value else . end;
		def agents: map({((.agent_info.id // .id) | value): (.agent_info.hostname // .hostname)}) | add // {};
		(map(select(.type == "SUBSCRIBED").subscribed.get_state.get_agents.agents // [] | agents) | add // {}) as $hosts
		| { agents: ($hosts | length), tasks: (reduce (.[] | select(.type | startswith("TASK_"))
			| if .task_added then .task_added.task | [.agent_id.value, .state]
			  else .task_updated.status | [.agent_id.value, .state] end) as [$agent, $state] ({}; .[$hosts[$agent]] = $state)) }' "$1"
}

follows() {
	indexed 'service = "mesos/tasks" or service = "mesos/agents/registered"' | jq -e --argjson want "$1" '
		(map(select(.service == "mesos/tasks") | {(.host): .state}) | add // {}) as $got
		| any(.[]; .service == "mesos/agents/registered" and .metric == $want.agents) and
		  ($want.tasks | to_entries | all($got[.key] == .value))' >/dev/null 2>&1
}

@test "every captured stream is followed to its end" {
	watch_master
	sed -i 's/subscribe = false/subscribe = true/; s/interval = 0.2;/interval = 30;/' "$T/m.cfg"
	stops "$PID"
	n=0
	for f in "$CAPTURES"/v1/stream-*.jsonl; do
		LC_ALL=C awk '{ printf "%d\n%s", length($0), $0 }' "$f" >"$T/stream"
		order 'master/0/mode?path=/api/v1' "file $T/stream"
		start m --modules "$BUILD/modules" --config "$T/m.cfg"
		until_true 10 listens "$PORT"
		want=$(in_stream "$f")
		until_true 5 follows "$want" || { echo "$f: $want"; indexed 'service =~ "mesos/task%"'; return 1; }
		endpoint stream critical	# it has ended
		runs "$PID"
		stops "$PID"
		n=$((n + 1))
	done
	[ $n -ge 4 ]
}

@test "what is no state of a master is an error, and the process lives" {
	watch_master
	until_true 5 endpoint state ok
	n=0
	for f in "$CAPTURES"/malformed/* "$CAPTURES"/agent-state/* "$CAPTURES"/state-summary/history-*; do
		serve master/0 /state "$f"
		until_true 5 endpoint state critical || { echo "$f"; return 1; }
		n=$((n + 1))
	done
	[ $n -ge 15 ]
	order 'master/0/mode?path=/state' ok
	until_true 5 endpoint state ok
	runs "$PID"
	stops "$PID"
}

@test "every figure of a captured snapshot is an event" {
	watch_master
	n=0
	for f in "$CAPTURES"/metrics/* "$CAPTURES"/derived/master-snapshot-*.json; do
		jq 'with_entries(select(.value | type == "number") | .key |= "mesos/" + .)' "$f" >"$T/want"
		serve master/0 /metrics/snapshot "$f"
		until_true 5 same "$T/want" || { echo "$f"; return 1; }
		until_true 2 endpoint snapshot ok
		n=$((n + 1))
	done
	[ $n -ge 6 ]
	for f in "$CAPTURES"/malformed/*; do
		serve master/0 /metrics/snapshot "$f"
		until_true 5 endpoint snapshot critical || { echo "$f"; return 1; }
	done
	runs "$PID"
}

@test "a captured snapshot of an agent gives its totals, anything else is unknown" {
	cat >"$T/s.cfg" <<-END
		role = "slave"; state-dir = "$T/state"; host = "s";
		http = { host = "127.0.0.1"; port = $PORT; };
		modules = ( "checks" );
		mesos-agent = { url = "http://$AGENT"; };
		checks = ( { check = "total-tasks-failed"; interval = 0.2; }, { check = "total-tasks-finished"; interval = 0.2; },
			   { check = "total-tasks-started"; interval = 0.2; } );
		streams = ( "index" );
	END
	start s --modules "$BUILD/modules" --config "$T/s.cfg"
	until_true 10 listens "$PORT"
	total() { indexed "service = 'mesos/slave/total-tasks-$1'" | jq -e --argjson want "$2" 'any(.[]; .metric == $want and .state == "ok")' >/dev/null 2>&1; }
	for f in "$CAPTURES"/metrics/agent-*.json; do
		order "agent/$NAME/mode" "file $f"
		until_true 5 total failed "$(jq '.["slave/tasks_failed"]' "$f")"
		until_true 5 total finished "$(jq '.["slave/tasks_finished"]' "$f")"
		until_true 5 total started "$(jq '[to_entries[] | select(.key | test("^slave/tasks_(failed|finished|killed|lost|running|staging|starting)$")) | .value] | add' "$f")"
	done
	unknown() { indexed "service =~ 'mesos/slave/total-%' and state = 'unknown' and metric = nil" | jq -e 'length == 3' >/dev/null; }
	for f in "$CAPTURES"/malformed/* "$CAPTURES"/agent-state/* "$CAPTURES"/agent-statistics/*; do
		order "agent/$NAME/mode" "file $f"
		until_true 5 unknown || { echo "$f"; return 1; }
	done
	runs "$PID"
	stops "$PID"
}
